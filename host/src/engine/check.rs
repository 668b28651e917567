//! What makes a request impossible to serve, found before it takes a place in the queue.

use jig_plugin_api::{ModelInfo, mask};

use crate::request::limits::MAX_LOGPROB_ENTRIES;
use crate::request::{Field, Invalid, Request};

/// The most tokens of each output of a request.
pub(super) fn limit(request: &Request, max_model_len: u32) -> u32 {
    let room = max_model_len.saturating_sub(request.prompt.len() as u32);
    request.params.max_tokens.map_or(room, |limit| limit.min(room))
}

/// # Errors
/// What is wrong, and what would work.
pub(super) fn check(request: &Request, info: &ModelInfo, max_n: u32) -> Result<(), Invalid> {
    let params = &*request.params;
    let (prompt, longest) = (request.prompt.len(), info.max_model_len);
    if prompt == 0 {
        return Err(Invalid::new(Field::Prompt, "it has no tokens, so there is nothing to continue"));
    }
    if prompt >= longest as usize {
        let problem = format_args!(
            "it has {prompt} tokens, and the model's longest sequence (max_model_len) is {longest} tokens, output included"
        );
        return Err(Invalid::new(Field::Room { prompt_tokens: prompt, is_counted: true }, problem));
    }
    let unknown = |tokens: &[u32]| tokens.iter().copied().find(|&token| token >= info.vocab_size);
    if let Some(token) = unknown(&request.prompt) {
        let problem = format_args!("token {token} is not in the vocabulary, which has {}", info.vocab_size);
        return Err(Invalid::new(Field::Prompt, problem));
    }
    if params.n == 0 {
        return Err(Invalid::new(Field::N, "it must be at least 1"));
    }
    if params.n > max_n {
        let problem =
            format_args!("it is {}, and this server makes at most {max_n} outputs of a request (--max-n)", params.n);
        return Err(Invalid::new(Field::N, problem));
    }
    if let (Some(tokens), Some(top)) = (params.max_tokens, params.sampling.logprobs) {
        let entries = u64::from(params.n) * u64::from(tokens.min(longest)) * (1 + u64::from(top));
        if entries > MAX_LOGPROB_ENTRIES {
            let problem = format_args!(
                "{tokens} tokens of {} outputs with {top} log-probabilities each are {entries} numbers, and a request may have {MAX_LOGPROB_ENTRIES}; \
                 ask for fewer outputs, tokens or log-probabilities",
                params.n
            );
            return Err(Invalid::new(Field::MaxTokens, problem));
        }
    }
    if params.max_tokens == Some(0) && params.prompt_logprobs.is_none() {
        return Err(Invalid::new(Field::MaxTokens, "it must be at least 1"));
    }
    if let Some(allowed) = &params.allowed_token_ids {
        if let Some(token) = unknown(allowed) {
            return Err(Invalid::new(Field::AllowedTokenIds, format_args!("token {token} is not in the vocabulary")));
        }
        if allowed.is_empty() {
            return Err(Invalid::new(Field::AllowedTokenIds, "it is empty, so that nothing could be drawn"));
        }
    }
    let Some(guide) = &request.guide else { return Ok(()) };
    let words = mask::words(guide.vocabulary().len());
    if words != mask::words(info.vocab_size as usize) {
        let problem = "the guide was compiled for the vocabulary of another model".to_owned();
        return Err(Invalid { field: None, problem });
    }
    let (needed, limit) = (guide.min_tokens(), limit(request, longest));
    if needed <= limit {
        return Ok(());
    }
    Err(match params.max_tokens {
        Some(max_tokens) if max_tokens <= limit => {
            let problem = format_args!(
                "it is {max_tokens}, and an answer that matches the schema or regex needs at least {needed} tokens"
            );
            Invalid::new(Field::MaxTokens, problem)
        }
        _ => {
            let problem = format_args!(
                "it has {prompt} tokens of the model's {longest} (max_model_len), which leaves {limit} for the output, and an \
                 answer that matches the schema or regex needs at least {needed}"
            );
            Invalid::new(Field::Room { prompt_tokens: prompt, is_counted: true }, problem)
        }
    })
}
