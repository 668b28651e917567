//! All fields of a body to a conversation and how to continue it.

use super::conversation;
use crate::protocol::fields::{self, Field, Refusal};
use crate::protocol::openai::body::{self, Common, Finished, check_least};
use crate::protocol::openai::constraint;
use crate::protocol::openai::settings::Settings;
use crate::protocol::openai::tools::{self, Offer, ToolFields};
use crate::request::GenerationParams;

/// The fields of this endpoint alone, beside those of the conversation.
const NAMES: &[&str] =
    &["logprobs", "top_logprobs", "prompt_logprobs", "echo", "include_reasoning", "thinking_token_budget"];

/// The body of `POST /v1/chat/completions`, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chat {
    pub(super) conversation: conversation::Asked,
    pub(super) params: GenerationParams,
    pub(super) bad_words: Vec<String>,
    pub(super) constraint: Option<constraint::Asked>,
    /// The tools that its answers may call.
    pub(super) offer: Option<Offer>,
    /// What each answer begins with: the text that it continues, where the request wants it again.
    pub(super) echo: Option<String>,
    /// Whether reasoning is a part of the answer.
    pub(super) include_reasoning: bool,
    /// The most tokens of reasoning.
    pub(super) thinking_tokens: Option<u32>,
    pub(super) common: Common,
}

/// Reads a body. `vocab_size` is one past the largest token id.
///
/// # Errors
/// The first mistake found: see [`Refusal`].
pub(super) fn parse(body: &[u8], vocab_size: u32, settings: &Settings) -> Result<Chat, Refusal> {
    let mut draft = body::Draft::new(vocab_size, settings, NAMES);
    let mut conversation = conversation::Draft::default();
    let mut offer = ToolFields::default();
    let (mut logprobs, mut top_logprobs, mut echo, mut include_reasoning) = (false, None, false, true);
    let (mut thinking_tokens, mut prompt_logprobs) = (None, None);
    let count = |field: &Field<'_>| {
        let what = format!("an integer from 0 to {} (--max-logprobs)", settings.max_logprobs);
        field.integer(0..=i128::from(settings.max_logprobs), &what).map(|count| count as u32)
    };
    for field in fields::read(body)? {
        let name = field.name.as_str();
        let is_own = [NAMES, conversation::NAMES, tools::NAMES].iter().any(|names| names.contains(&name));
        if !is_own {
            draft.take(&field)?;
            continue;
        }
        if field.is_null() || conversation.take(&field)? || offer.take(&field)? {
            continue;
        }
        match name {
            "logprobs" => logprobs = field.boolean()?,
            "top_logprobs" => top_logprobs = Some(count(&field)?),
            "prompt_logprobs" => prompt_logprobs = Some(count(&field)?),
            "echo" => echo = field.boolean()?,
            "include_reasoning" => include_reasoning = field.boolean()?,
            _ => {
                let most = field.integer(-1..=i128::from(u32::MAX), "a number of tokens, or -1 for no limit")?;
                thinking_tokens = u32::try_from(most).ok();
            }
        }
    }
    let conversation = conversation.finish(None)?;
    let offer = offer.finish()?;
    let Finished { mut params, bad_words, asked, max_tokens, common } = draft.finish()?;
    if !logprobs && top_logprobs.is_some_and(|top| top > 0) {
        return Err(Refusal::value("top_logprobs", "needs `logprobs`: true"));
    }
    if prompt_logprobs.is_some() && common.stream {
        return Err(Refusal::value("prompt_logprobs", "is for whole answers; leave it out, or send `stream`: false"));
    }
    params.prompt_logprobs = prompt_logprobs;
    params.sampling.logprobs = logprobs.then(|| top_logprobs.unwrap_or(0));
    params.max_tokens = match max_tokens {
        // Without a limit an answer has all the room that the prompt leaves.
        None => settings.defaults.max_tokens.filter(|_| asked.is_none()),
        Some(-1) => None,
        Some(0) => return Err(Refusal::value("max_tokens", "must be a positive integer")),
        Some(most) => Some(u32::try_from(most).unwrap_or(u32::MAX)),
    };
    check_least(&params)?;
    let echo = match echo {
        true if !conversation.conversation.continue_final_message => {
            return Err(Refusal::unsupported(
                "echo",
                "leave it out, or continue a message with `continue_final_message`",
            ));
        }
        true => conversation.last_text().map(str::to_owned),
        false => None,
    };
    Ok(Chat {
        conversation,
        params,
        bad_words,
        constraint: asked,
        offer,
        echo,
        include_reasoning,
        thinking_tokens,
        common,
    })
}
