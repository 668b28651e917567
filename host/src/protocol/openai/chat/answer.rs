//! Events to choices, whole or as a stream of chunks.
//!
//! A stream begins with the role of each choice, in their order, and each choice ends with a chunk of its own: clients build their lists
//! by that.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::message::{self, Message};
use super::prepare::CallsWanted;
use crate::output::Ids;
use crate::output::parse::{Parser, Piece};
use crate::protocol::ApiError;
use crate::protocol::openai::body::UsageWanted;
use crate::protocol::openai::head::{DONE, Head, Held, Tally, ending, frame};
use crate::protocol::openai::logprobs::{Alignment, Namer, Placed};
use crate::protocol::openai::outputs::{Framed, Running};
use crate::protocol::openai::settings::ReasoningField;
use crate::request::{Delta, Event, FinishReason};

/// What the client wants to know.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The number of choices.
    pub(super) n: usize,
    pub(super) held: Held,
    pub(super) logprobs: bool,
    /// Whether the tokens of the prompt are scored.
    pub(super) prompt_logprobs: bool,
    /// The role of each message.
    pub(super) role: String,
    pub(super) token_ids: bool,
    pub(super) usage: UsageWanted,
    pub(super) skip_special: bool,
    /// What each content begins with.
    pub(super) echo: String,
    pub(super) include_reasoning: bool,
    pub(super) reasoning_field: ReasoningField,
    /// What is to be known of calls; `None` where none are read.
    pub(super) calls: Option<CallsWanted>,
    /// Whether thoughts are told from the answer, so that their tokens are counted.
    pub(super) counts_reasoning: bool,
    /// Special tokens that are text, in rising order.
    pub(super) spoken: Vec<u32>,
}

/// The answer to a running request. Dropping it cancels the request.
pub(in crate::protocol::openai) struct Answer {
    head: Head,
    namer: Namer,
    running: Running,
    prompt: Arc<[u32]>,
    wanted: Wanted,
    choices: Vec<Choice>,
    tally: Tally,
    has_begun: bool,
    /// The tokens of the prompt that were scored so far.
    scores: Vec<Value>,
}

/// The state of a choice. Nothing of it is shared with another one.
struct Choice {
    parser: Parser,
    alignment: Alignment,
    /// Where the content that went out ends in the output, in bytes.
    content_end: usize,
}

/// Something new of a choice.
#[derive(Default)]
pub(in crate::protocol::openai) struct Part {
    choice: usize,
    pub(in crate::protocol::openai) delta: Option<message::Delta>,
    /// Those of the delta's tokens.
    pub(in crate::protocol::openai) logprobs: Vec<Value>,
    token_ids: Vec<u32>,
    /// `finish_reason` and `stop_reason`.
    pub(in crate::protocol::openai) ending: Option<(&'static str, Value)>,
}

impl Answer {
    /// `parser` makes the reader of each choice.
    pub(super) fn new(
        head: Head,
        namer: Namer,
        running: Running,
        prompt: Arc<[u32]>,
        wanted: Wanted,
        parser: impl Fn() -> Parser,
    ) -> Self {
        let choice = |_| Choice {
            parser: parser(),
            alignment: Alignment::new(namer.tokenizer(), wanted.skip_special).speaking(&wanted.spoken),
            content_end: 0,
        };
        let choices = (0..wanted.n).map(choice).collect();
        let reasoning = wanted.counts_reasoning.then_some(0);
        let tally = Tally { prompt: prompt.len() as u32, reasoning, ..Tally::default() };
        Self { head, namer, running, prompt, wanted, choices, tally, has_begun: false, scores: Vec::new() }
    }

    /// Waits for all of it.
    pub(super) async fn whole(mut self) -> Result<Value, ApiError> {
        let mut messages = vec![Message::default(); self.choices.len()];
        let mut wholes: Vec<Part> = (0..self.choices.len()).map(|choice| Part { choice, ..Part::default() }).collect();
        for message in &mut messages {
            message.push(message::Delta::Content(self.wanted.echo.clone()));
        }
        while let Some(event) = self.running.next().await {
            let (_, event) = event?;
            for part in self.take(event) {
                let whole = &mut wholes[part.choice];
                part.delta.into_iter().for_each(|delta| messages[part.choice].push(delta));
                whole.logprobs.extend(part.logprobs);
                whole.token_ids.extend(part.token_ids);
                whole.ending = whole.ending.take().or(part.ending);
            }
        }
        let choices = wholes.into_iter().zip(messages).map(|(whole, message)| {
            let mut choice = self.choice_json(whole);
            choice.insert("message".to_owned(), message.json(&self.wanted.role, self.wanted.reasoning_field));
            choice.into()
        });
        let mut body = self.head.with("chat.completion", choices.collect());
        body.insert("usage".to_owned(), self.tally.json());
        if self.wanted.token_ids {
            body.insert("prompt_token_ids".to_owned(), json!(&*self.prompt));
        }
        if self.wanted.prompt_logprobs {
            // Nothing precedes the first token that could tell how likely it is.
            body.insert("prompt_logprobs".to_owned(), [vec![Value::Null], self.scores].concat().into());
        }
        Ok(body.into())
    }

    /// The tokens so far.
    pub(in crate::protocol::openai) fn tally(&self) -> Tally {
        self.tally
    }

    /// What an event brings.
    pub(in crate::protocol::openai) fn take(&mut self, event: Event) -> Vec<Part> {
        match event {
            Event::Delta(Delta { index, text, tokens, logprobs }) => {
                self.tally.output += tokens.len() as u32;
                let at = index as usize;
                let Some(choice) = self.choices.get_mut(at) else { return Vec::new() };
                if self.wanted.logprobs {
                    choice.alignment.push(logprobs);
                }
                if choice.parser.is_thinking()
                    && let Some(reasoning) = &mut self.tally.reasoning
                {
                    *reasoning += tokens.len() as u32;
                }
                let pieces = choice.parser.push(&text);
                let mut parts = self.parts(at, pieces);
                if self.wanted.token_ids {
                    match parts.first_mut() {
                        Some(part) => part.token_ids = tokens,
                        None => parts.push(Part { choice: at, token_ids: tokens, ..Part::default() }),
                    }
                }
                parts
            }
            Event::Finished { index, reason, stopped_by, squeezed, .. } => {
                let at = index as usize;
                let Some(choice) = self.choices.get_mut(at) else { return Vec::new() };
                let pieces = choice.parser.finish();
                let mut parts = self.parts(at, pieces);
                let choice = &mut self.choices[at];
                // A token that a stop string cuts through belongs to the content; one behind it does not.
                let end = choice.content_end;
                let rest = choice.alignment.rest().into_iter().filter(|placed| placed.start < end).collect();
                let logprobs = self.entries(rest);
                if !logprobs.is_empty() {
                    parts.push(Part { choice: at, logprobs, ..Part::default() });
                }
                let calls = self.choices[at].parser.calls();
                let (mut finish_reason, mut stop_reason) =
                    ending(reason, stopped_by.as_ref(), squeezed, self.wanted.held);
                if let Some(wanted) = self.wanted.calls.filter(|_| calls > 0) {
                    // An agent that writes half a file must see that its limit cut it.
                    finish_reason = match reason == FinishReason::Length || squeezed {
                        true => "length",
                        false if wanted.is_named => "stop",
                        false => "tool_calls",
                    };
                    stop_reason = Value::Null;
                }
                let ending = Some((finish_reason, stop_reason));
                parts.push(Part { choice: at, ending, ..Part::default() });
                parts
            }
            Event::Prompt(scores) => {
                self.scores.extend(scores.iter().map(|score| self.namer.prompt(score)));
                Vec::new()
            }
            Event::Failed(_) => Vec::new(),
        }
    }

    /// The parts that are made of pieces, each with the log-probabilities of its tokens.
    fn parts(&mut self, at: usize, pieces: Vec<Piece>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces {
            if matches!(piece, Piece::Reasoning(_)) && !self.wanted.include_reasoning {
                continue;
            }
            let mut logprobs = Vec::new();
            if let Piece::Content { text, at: begin } = &piece
                && self.wanted.logprobs
            {
                let choice = &mut self.choices[at];
                // What stands before it and has no entry yet is no content.
                let _ = choice.alignment.take(*begin);
                choice.content_end = begin + text.len();
                let placed = choice.alignment.take(choice.content_end);
                logprobs = self.entries(placed);
            }
            let id = |index, name: &str| match self.wanted.calls {
                Some(CallsWanted { family, number, .. }) => family.ids.next(name, number + index),
                None => Ids::Call.next(name, index),
            };
            let Some(delta) = message::Delta::of(piece, id) else { continue };
            parts.push(Part { choice: at, delta: Some(delta), logprobs, ..Part::default() });
        }
        parts
    }

    /// Entries of the tokens that have text.
    fn entries(&self, placed: Vec<Placed>) -> Vec<Value> {
        let placed = placed.into_iter().filter(|placed| placed.start < placed.end);
        placed.map(|placed| self.namer.chat(&placed.logprob)).collect()
    }

    fn choice_json(&self, part: Part) -> Map<String, Value> {
        let mut choice = Map::new();
        choice.insert("index".to_owned(), part.choice.into());
        if let Some(delta) = part.delta {
            choice.insert("delta".to_owned(), delta.json(self.wanted.reasoning_field));
        }
        let logprobs =
            if self.wanted.logprobs { json!({"content": part.logprobs, "refusal": null}) } else { Value::Null };
        choice.insert("logprobs".to_owned(), logprobs);
        let (finish_reason, stop_reason) = part.ending.map_or((None, None), |(why, stop)| (Some(why), Some(stop)));
        choice.insert("finish_reason".to_owned(), finish_reason.into());
        if let Some(stop_reason) = stop_reason {
            choice.insert("stop_reason".to_owned(), stop_reason);
        }
        if self.wanted.token_ids {
            choice.insert("token_ids".to_owned(), part.token_ids.into());
        }
        choice
    }

    fn chunk(&self, choice: Map<String, Value>) -> Map<String, Value> {
        let mut chunk = self.head.with("chat.completion.chunk", vec![choice.into()]);
        if self.wanted.usage.at_end {
            let so_far = if self.wanted.usage.always { self.tally.json() } else { Value::Null };
            chunk.insert("usage".to_owned(), so_far);
        }
        chunk
    }

    /// The role of each choice, and the text that it continues.
    fn first_chunks(&self) -> Vec<Value> {
        let mut chunks = Vec::new();
        for index in 0..self.wanted.n {
            let delta = json!({"role": self.wanted.role, "content": self.wanted.echo});
            let choice = json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null});
            let Value::Object(choice) = choice else { continue };
            let mut chunk = self.chunk(choice);
            if index == 0 && self.wanted.token_ids {
                chunk.insert("prompt_token_ids".to_owned(), json!(&*self.prompt));
            }
            chunks.push(chunk.into());
        }
        chunks
    }
}

impl Framed for Answer {
    fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    fn frames(&mut self, _: usize, event: Event) -> String {
        let parts = self.take(event);
        let mut frames = String::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            self.first_chunks().iter().for_each(|chunk| frames.push_str(&frame(chunk)));
        }
        for part in parts {
            let mut choice = self.choice_json(part);
            choice.entry("delta").or_insert_with(|| json!({}));
            frames.push_str(&frame(&self.chunk(choice).into()));
        }
        frames
    }

    fn last(&mut self) -> String {
        if !self.wanted.usage.at_end {
            return DONE.to_owned();
        }
        let mut chunk = self.head.with("chat.completion.chunk", Vec::new());
        chunk.insert("usage".to_owned(), self.tally.json());
        frame(&chunk.into()) + DONE
    }
}
