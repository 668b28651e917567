//! `POST /v1/chat/completions`: a conversation, and the message that follows.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | from a body to an answer |
//! | `conversation` | the fields that make a conversation, and its prompt |
//! | `parse` | all fields to a conversation and how to continue it |
//! | `prepare` | the prompt, with tools, and what the answers must match |
//! | `message` | the pieces of a message, whole or as a stream of deltas |
//! | `answer` | events to choices, whole or as a stream |

mod answer;
pub(super) mod conversation;
mod message;
mod parse;
mod prepare;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::json;

pub(super) use self::answer::Answer;
use self::answer::Wanted;
pub(super) use self::message::Delta;
use self::parse::{Chat, parse};
use self::prepare::{Ready, prepare};
use super::body;
use super::failure::Names;
use super::head::{Head, Held};
use super::logprobs::Namer;
use super::outputs::{Running, frames};
use super::{Reply, Whole};
use crate::output::parse::Parser;
use crate::protocol::{ApiError, Service};

/// The field that the prompt comes from.
const PROMPT: &str = "messages";

/// Answers a body. `id` is the request's name in the log.
///
/// # Errors
/// What the client is told instead of an answer. A stream that fails on the way says so in its last frames.
pub async fn completions(
    service: &Service,
    id: String,
    body: impl AsRef<[u8]> + Send + 'static,
) -> Result<Reply, ApiError> {
    let Begun { answer, stream, ignored, relaxed } = begin(service, id, "chatcmpl-", body).await?;
    if stream {
        let frames = frames(answer, service.settings().keep_alive).await?;
        return Ok(Reply::Stream { frames, ignored, relaxed });
    }
    Ok(Reply::Whole(Whole { body: answer.whole().await?, ignored, relaxed }))
}

/// An answer whose request runs.
pub(super) struct Begun {
    pub(super) answer: Answer,
    pub(super) stream: bool,
    pub(super) ignored: Option<String>,
    pub(super) relaxed: Option<String>,
}

/// Reads a body and runs its request. `prefix` and the request's name are the answer's id.
///
/// # Errors
/// What the client is told instead of an answer.
pub(super) async fn begin(
    service: &Service,
    id: String,
    prefix: &str,
    body: impl AsRef<[u8]> + Send + 'static,
) -> Result<Begun, ApiError> {
    let mut asked = read(service, body).await?;
    let id = asked.common.request_id.take().unwrap_or(id);
    let names = names(service, &asked);
    let stream = asked.common.stream;
    let ignored = asked.common.ignored.header();
    let head = Head::new(prefix, &id, service.settings());
    let namer = Namer::new(service.stages().tokenizer().clone(), asked.common.tokens_as_ids);
    let mut wanted = Wanted {
        n: asked.params.n as usize,
        held: Held::by(asked.constraint.as_ref()),
        logprobs: asked.params.sampling.logprobs.is_some(),
        prompt_logprobs: asked.params.prompt_logprobs.is_some(),
        role: service.settings().response_role.clone(),
        token_ids: asked.common.token_ids,
        usage: asked.common.usage,
        skip_special: asked.params.skip_special_tokens,
        echo: asked.echo.take().unwrap_or_default(),
        include_reasoning: asked.include_reasoning,
        reasoning_field: service.settings().reasoning_field,
        calls: None,
        counts_reasoning: false,
        spoken: Vec::new(),
    };
    let Ready { prepared, thinking, family, kinds, calls, relaxed } = prepare(service, asked, &names).await?;
    wanted.spoken.clone_from(&prepared.request.params.spoken_tokens);
    wanted.calls = calls;
    wanted.counts_reasoning = thinking.is_some();
    let prompt = prepared.request.prompt.clone();
    let running = Running::submit(service, id, vec![prepared.request]).map_err(|error| names.not_taken(&error))?;
    let parser = || Parser::new(thinking, family, Arc::clone(&kinds));
    let answer = Answer::new(head, namer, running, prompt, wanted, parser);
    Ok(Begun { answer, stream, ignored, relaxed })
}

/// The prompt of a body as text and as tokens, without an answer.
///
/// # Errors
/// As for the same body with an answer, but for what only the engine refuses.
pub async fn render(service: &Service, body: impl AsRef<[u8]> + Send + 'static) -> Result<Whole, ApiError> {
    let asked = read(service, body).await?;
    let ignored = asked.common.ignored.header();
    let names = names(service, &asked);
    let Ready { prepared, relaxed, .. } = prepare(service, asked, &names).await?;
    let body = json!({"prompt": prepared.prompt, "prompt_token_ids": &*prepared.request.prompt});
    Ok(Whole { body, ignored, relaxed })
}

async fn read(service: &Service, body: impl AsRef<[u8]> + Send + 'static) -> Result<Chat, ApiError> {
    body::read(service, PROMPT, body, parse, |asked| &asked.common).await
}

fn names(service: &Service, asked: &Chat) -> Names {
    let constraint = asked.constraint.as_ref().map(|constraint| constraint.param.as_str());
    Names::of(service, PROMPT, asked.common.limit, constraint)
}
