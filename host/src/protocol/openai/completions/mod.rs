//! `POST /v1/completions`: prompts that are continued as they are.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | from a body to an answer |
//! | `parse` | all fields to prompts and how to continue them |
//! | `answer` | events to choices, whole or as a stream |

mod answer;
mod parse;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use self::answer::{Answer, Wanted};
use self::parse::{Completions, parse};
use super::body;
use super::constraint::{Asked, spoken};
use super::failure::{Names, refused};
use super::head::{Head, Held};
use super::logprobs::Namer;
use super::outputs::{Running, frames};
use super::{Reply, Whole};
use crate::prepare::Prepared;
use crate::protocol::{ApiError, Service};
use crate::request::{Prompt, Rendered, TextRequest};

/// The field that the prompt comes from.
const PROMPT: &str = "prompt";

/// Answers a body. `id` is the request's name in the log.
///
/// # Errors
/// What the client is told instead of an answer. A stream that fails on the way says so in its last frames.
pub async fn completions(
    service: &Service,
    id: String,
    body: impl AsRef<[u8]> + Send + 'static,
) -> Result<Reply, ApiError> {
    let asked = read(service, body).await?;
    let id = asked.common.request_id.clone().unwrap_or(id);
    let names = names(service, &asked);
    let ignored = asked.common.ignored.header();
    let prepared = prepare(service, &asked, &names).await?;
    let wanted = Wanted {
        n: asked.params.n as usize,
        held: Held::by(asked.constraint.as_ref()),
        echo: asked.echo,
        logprobs: asked.params.sampling.logprobs.is_some(),
        token_ids: asked.common.token_ids,
        usage: asked.common.usage,
        skip_special: asked.params.skip_special_tokens,
        spoken: prepared.first().map(|prepared| prepared.request.params.spoken_tokens.clone()).unwrap_or_default(),
    };
    let prompts = prepared.iter().map(|prepared| (prepared.prompt.clone(), prepared.request.prompt.clone())).collect();
    let requests = prepared.into_iter().map(|prepared| prepared.request).collect();
    let head = Head::new("cmpl-", &id, service.settings());
    let running = Running::submit(service, id, requests).map_err(|error| names.not_taken(&error))?;
    let namer = Namer::new(service.stages().tokenizer().clone(), asked.common.tokens_as_ids);
    let answer = Answer::new(head, namer, running, prompts, wanted);
    if asked.common.stream {
        let frames = frames(answer, service.settings().keep_alive).await?;
        return Ok(Reply::Stream { frames, ignored, relaxed: None });
    }
    Ok(Reply::Whole(Whole { body: answer.whole().await?, ignored, relaxed: None }))
}

/// The prompts of a body as text and as tokens, without an answer.
///
/// # Errors
/// As for the same body with an answer, but for what only the engine refuses.
pub async fn render(service: &Service, body: impl AsRef<[u8]> + Send + 'static) -> Result<Whole, ApiError> {
    let asked = read(service, body).await?;
    let ignored = asked.common.ignored.header();
    let prepared = prepare(service, &asked, &names(service, &asked)).await?;
    let shown = |prepared: Prepared| json!({"prompt": prepared.prompt, "prompt_token_ids": &*prepared.request.prompt});
    let mut rendered: Vec<Value> = prepared.into_iter().map(shown).collect();
    // A single prompt is no list.
    let body = if asked.is_list { rendered.into() } else { rendered.swap_remove(0) };
    Ok(Whole { body, ignored, relaxed: None })
}

async fn read(service: &Service, body: impl AsRef<[u8]> + Send + 'static) -> Result<Completions, ApiError> {
    body::read(service, PROMPT, body, parse, |asked| &asked.common).await
}

fn names(service: &Service, asked: &Completions) -> Names {
    let constraint = asked.constraint.as_ref().map(|constraint| constraint.param.as_str());
    Names::of(service, PROMPT, asked.common.limit, constraint)
}

async fn prepare(service: &Service, asked: &Completions, names: &Names) -> Result<Vec<Prepared>, ApiError> {
    let mut prepared = Vec::with_capacity(asked.prompts.len());
    let tokenizer = service.stages().tokenizer();
    let resolved = |asked: &Asked| {
        asked.resolved(service.special_tokens(), |name| tokenizer.token_id(name).is_some()).map_err(refused)
    };
    let constraint = asked.constraint.as_ref().map(resolved).transpose()?;
    for prompt in &asked.prompts {
        let prompt = match prompt {
            Prompt::Text(text) if !asked.add_special_tokens => Prompt::Rendered(Rendered::from(text.clone())),
            prompt => prompt.clone(),
        };
        let constraint = constraint.clone();
        let mut params = asked.params.clone();
        params.spoken_tokens = spoken(constraint.as_ref());
        let request = TextRequest { prompt, constraint, params, bad_words: asked.bad_words.clone() };
        prepared.push(service.stages().prepare(request).await.map_err(|error| names.unprepared(error))?);
    }
    Ok(prepared)
}
