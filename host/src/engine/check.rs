//! What makes a request impossible to serve, found before it takes a place in the queue.

use jig_plugin_api::{ModelInfo, mask};

use super::Request;

/// The most tokens of each output of a request.
pub(super) fn limit(request: &Request, max_model_len: u32) -> u32 {
    let room = max_model_len.saturating_sub(request.prompt.len() as u32);
    request.params.max_tokens.map_or(room, |limit| limit.min(room))
}

/// # Errors
/// What is wrong, in a text that names the field and what would work.
pub(super) fn check(request: &Request, info: &ModelInfo) -> Result<(), String> {
    let params = &*request.params;
    let (prompt, longest) = (request.prompt.len(), info.max_model_len);
    if prompt == 0 {
        return Err("prompt: it has no tokens, so there is nothing to continue".to_owned());
    }
    if prompt >= longest as usize {
        return Err(format!(
            "prompt: it has {prompt} tokens, and the model's longest sequence (max_model_len) is {longest} tokens, output included"
        ));
    }
    let unknown = |tokens: &[u32]| tokens.iter().copied().find(|&token| token >= info.vocab_size);
    if let Some(token) = unknown(&request.prompt) {
        return Err(format!("prompt: token {token} is not in the vocabulary, which has {}", info.vocab_size));
    }
    if params.n == 0 {
        return Err("n: it must be at least 1".to_owned());
    }
    if params.max_tokens == Some(0) {
        return Err("max_tokens: it must be at least 1".to_owned());
    }
    if let Some(allowed) = &params.allowed_token_ids {
        if let Some(token) = unknown(allowed) {
            return Err(format!("allowed_token_ids: token {token} is not in the vocabulary"));
        }
        if allowed.is_empty() {
            return Err("allowed_token_ids: it is empty, so that nothing could be drawn".to_owned());
        }
    }
    let Some(guide) = &request.guide else { return Ok(()) };
    let words = mask::words(guide.vocabulary().len());
    if words != mask::words(info.vocab_size as usize) {
        return Err("the guide was compiled for the vocabulary of another model".to_owned());
    }
    let (needed, limit) = (guide.min_tokens(), limit(request, longest));
    if needed <= limit {
        return Ok(());
    }
    match params.max_tokens {
        Some(max_tokens) if max_tokens <= limit => Err(format!(
            "max_tokens: it is {max_tokens}, and an answer that matches the schema or regex needs at least {needed} tokens"
        )),
        _ => Err(format!(
            "prompt: it has {prompt} tokens of the model's {longest} (max_model_len), which leaves {limit} for the output, and an \
             answer that matches the schema or regex needs at least {needed}"
        )),
    }
}
