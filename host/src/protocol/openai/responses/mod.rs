//! `POST /v1/responses`: OpenAI's newer form of the same, as a translation onto chat.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | from a body to an answer |
//! | `translate` | a body to the body of a chat |
//! | `items` | items of an input to messages |
//! | `output` | the pieces of a message to items of an output, and to the events of a stream |
//! | `answer` | the response, whole or as a stream |
//!
//! Responses are not stored: what refers to an earlier one is refused.

mod answer;
mod items;
mod output;
#[cfg(test)]
mod tests;
mod translate;

use self::answer::{Answer, Echo};
use self::translate::{Translated, translate};
use super::failure::{Names, refused};
use super::outputs::frames;
use super::{Reply, Whole, chat};
use crate::protocol::{ApiError, Service};

/// Answers a body. `id` is the request's name in the log.
///
/// # Errors
/// What the client is told instead of an answer. A stream that fails on the way says so in its last frames.
pub async fn responses(
    service: &Service,
    id: String,
    body: impl AsRef<[u8]> + Send + 'static,
) -> Result<Reply, ApiError> {
    let names = Names::new("input", service.engine().info().max_model_len);
    let translated = service.stages().read(move || translate(body.as_ref())).await;
    let Translated { chat, stream, echo } = translated.map_err(|error| names.unprepared(error))?.map_err(refused)?;
    let begun = chat::begin(service, id.clone(), "resp_", chat.into_bytes()).await;
    let chat::Begun { answer, ignored, relaxed, .. } = begun.map_err(in_own_names)?;
    let answer = Answer::new(answer, Echo::new(echo, service.settings().name()), &id);
    if stream {
        let frames = frames(answer, service.settings().keep_alive).await?;
        return Ok(Reply::Stream { frames, ignored, relaxed });
    }
    Ok(Reply::Whole(Whole { body: answer.whole().await?, ignored, relaxed }))
}

/// An error of the chat that a body was translated to, told of the fields of the body.
fn in_own_names(error: ApiError) -> ApiError {
    let own = match error.param() {
        Some("messages") => Some("input".to_owned()),
        Some("max_tokens" | "max_completion_tokens") => Some("max_output_tokens".to_owned()),
        Some(param) => [("messages[", "input["), ("response_format", "text.format")]
            .iter()
            .find_map(|(chat, own)| param.strip_prefix(chat).map(|rest| format!("{own}{rest}"))),
        None => None,
    };
    match own {
        Some(own) => error.with_param(own),
        None => error,
    }
}
