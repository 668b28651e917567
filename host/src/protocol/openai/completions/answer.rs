//! Events to choices, whole or as a stream of chunks.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::protocol::ApiError;
use crate::protocol::openai::body::UsageWanted;
use crate::protocol::openai::head::{DONE, Head, Held, Tally, ending, frame};
use crate::protocol::openai::logprobs::{Alignment, Lists, Namer, Placed};
use crate::protocol::openai::outputs::{Framed, Running};
use crate::request::{Delta, Event, TokenLogprob};
use crate::tokenizer::Tokenizer;

const OBJECT: &str = "text_completion";

/// What the client wants to know.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Choices of each prompt.
    pub(super) n: usize,
    pub(super) held: Held,
    pub(super) echo: bool,
    pub(super) logprobs: bool,
    pub(super) token_ids: bool,
    pub(super) usage: UsageWanted,
    pub(super) skip_special: bool,
    /// Special tokens that are text, in rising order.
    pub(super) spoken: Vec<u32>,
}

/// The answer to running requests. Dropping it cancels them.
pub(super) struct Answer {
    head: Head,
    namer: Namer,
    running: Running,
    wanted: Wanted,
    prompts: Vec<PromptState>,
    choices: Vec<Choice>,
    tally: Tally,
}

/// A prompt, and what is known of its tokens.
struct PromptState {
    text: String,
    tokens: Arc<[u32]>,
    scores: Vec<TokenLogprob>,
}

/// The state of a choice.
struct Choice {
    alignment: Alignment,
    has_begun: bool,
    /// The text that went out: all of it, without an echo, in bytes.
    text: String,
    /// Characters of the echo.
    echoed: usize,
    /// The last place in the text that was counted, in bytes and in characters.
    counted: (usize, usize),
}

/// Something new of a choice.
#[derive(Default)]
struct Part {
    choice: usize,
    text: String,
    logprobs: Lists,
    token_ids: Vec<u32>,
    /// The ids of the prompt, with the first part of a choice.
    prompt_ids: Option<Arc<[u32]>>,
    ending: Option<(&'static str, Value)>,
}

impl Answer {
    pub(super) fn new(
        head: Head,
        namer: Namer,
        running: Running,
        prompts: Vec<(String, Arc<[u32]>)>,
        wanted: Wanted,
    ) -> Self {
        let choice = |_| Choice {
            alignment: Alignment::new(namer.tokenizer(), wanted.skip_special).speaking(&wanted.spoken),
            has_begun: false,
            text: String::new(),
            echoed: 0,
            counted: (0, 0),
        };
        let choices = (0..prompts.len() * wanted.n).map(choice).collect();
        let prompt_tokens = prompts.iter().map(|(_, tokens)| tokens.len() as u32).sum();
        let tally = Tally { prompt: prompt_tokens, ..Tally::default() };
        let prompts =
            prompts.into_iter().map(|(text, tokens)| PromptState { text, tokens, scores: Vec::new() }).collect();
        Self { head, namer, running, wanted, prompts, choices, tally }
    }

    /// Waits for all of it.
    pub(super) async fn whole(mut self) -> Result<Value, ApiError> {
        let mut wholes: Vec<Part> = (0..self.choices.len()).map(|choice| Part { choice, ..Part::default() }).collect();
        while let Some(event) = self.running.next().await {
            let (prompt, event) = event?;
            for part in self.take(prompt, event) {
                let whole = &mut wholes[part.choice];
                whole.text.push_str(&part.text);
                whole.logprobs.append(part.logprobs);
                whole.token_ids.extend(part.token_ids);
                whole.prompt_ids = whole.prompt_ids.take().or(part.prompt_ids);
                whole.ending = whole.ending.take().or(part.ending);
            }
        }
        let choices = wholes.into_iter().map(|whole| self.choice_json(whole)).collect();
        let mut body = self.head.with(OBJECT, choices);
        body.insert("usage".to_owned(), self.tally.json());
        Ok(body.into())
    }

    /// What an event brings.
    fn take(&mut self, prompt: usize, event: Event) -> Vec<Part> {
        match event {
            Event::Prompt(scores) => {
                if let Some(prompt) = self.prompts.get_mut(prompt) {
                    prompt.scores.extend(scores);
                }
                Vec::new()
            }
            Event::Delta(Delta { index, text, tokens, logprobs }) => {
                self.tally.output += tokens.len() as u32;
                let mut part = self.part(prompt, index);
                part.text.push_str(&text);
                if self.wanted.token_ids {
                    part.token_ids = tokens;
                }
                let choice = &mut self.choices[part.choice];
                choice.text.push_str(&text);
                if self.wanted.logprobs {
                    choice.alignment.push(logprobs);
                    let placed = choice.alignment.take(choice.text.len());
                    part.logprobs.append(choice.lists(&self.namer, placed));
                }
                if part.says_nothing() { Vec::new() } else { vec![part] }
            }
            Event::Finished { index, reason, stopped_by, squeezed, .. } => {
                let mut part = self.part(prompt, index);
                let choice = &mut self.choices[part.choice];
                let rest = choice.alignment.rest();
                let lists = if self.wanted.logprobs { choice.lists(&self.namer, rest) } else { Lists::default() };
                // The text, if there is any left, goes out before the end.
                let mut end = Part { choice: part.choice, ..Part::default() };
                part.logprobs.append(lists);
                end.ending = Some(ending(reason, stopped_by.as_ref(), squeezed, self.wanted.held));
                if part.says_nothing() { vec![end] } else { vec![part, end] }
            }
            // Not an event of a request that goes on.
            Event::Failed(_) => Vec::new(),
        }
    }

    /// An empty part of a choice; the first one has the echo.
    fn part(&mut self, prompt: usize, index: u32) -> Part {
        let at = (prompt * self.wanted.n + index as usize).min(self.choices.len().saturating_sub(1));
        let mut part = Part { choice: at, ..Part::default() };
        let choice = &mut self.choices[at];
        if std::mem::replace(&mut choice.has_begun, true) {
            return part;
        }
        let prompt = &self.prompts[prompt];
        if self.wanted.token_ids {
            part.prompt_ids = Some(prompt.tokens.clone());
        }
        if self.wanted.echo {
            part.text.clone_from(&prompt.text);
            choice.echoed = prompt.text.chars().count();
            if self.wanted.logprobs {
                part.logprobs = prompt.lists(&self.namer, self.namer.tokenizer());
            }
        }
        part
    }

    fn choice_json(&self, part: Part) -> Value {
        let (finish_reason, stop_reason) = part.ending.map_or((None, Value::Null), |(why, stop)| (Some(why), stop));
        let mut choice = json!({
            "index": part.choice,
            "text": part.text,
            "logprobs": if self.wanted.logprobs { part.logprobs.json() } else { Value::Null },
            "finish_reason": finish_reason,
            "stop_reason": stop_reason,
        });
        if self.wanted.token_ids {
            choice["token_ids"] = part.token_ids.into();
            if let Some(ids) = part.prompt_ids {
                choice["prompt_token_ids"] = json!(&*ids);
            }
        }
        choice
    }
}

impl Framed for Answer {
    fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    fn frames(&mut self, prompt: usize, event: Event) -> String {
        let parts = self.take(prompt, event);
        let chunk = |part| {
            let choice = self.choice_json(part);
            let mut chunk: Map<String, Value> = self.head.with(OBJECT, vec![choice]);
            if self.wanted.usage.at_end {
                let so_far = if self.wanted.usage.always { self.tally.json() } else { Value::Null };
                chunk.insert("usage".to_owned(), so_far);
            }
            frame(&chunk.into())
        };
        parts.into_iter().map(chunk).collect()
    }

    fn last(&mut self) -> String {
        if !self.wanted.usage.at_end {
            return DONE.to_owned();
        }
        let mut chunk = self.head.with(OBJECT, Vec::new());
        chunk.insert("usage".to_owned(), self.tally.json());
        frame(&chunk.into()) + DONE
    }
}

impl Part {
    fn says_nothing(&self) -> bool {
        self.text.is_empty()
            && self.logprobs == Lists::default()
            && self.token_ids.is_empty()
            && self.prompt_ids.is_none()
    }
}

impl Choice {
    /// The lists of some tokens, with the places of their characters.
    fn lists(&mut self, namer: &Namer, placed: Vec<Placed>) -> Lists {
        let mut lists = Lists::default();
        for Placed { logprob, start, .. } in placed {
            // A token behind a stop string stands at the end of the text.
            let start = start.min(self.text.len());
            let (bytes, characters) = self.counted;
            let further = self.text.get(bytes..start).map_or(0, |text| text.chars().count());
            self.counted = (start.max(bytes), characters + further);
            lists.push(namer, &logprob, self.echoed + self.counted.1, true);
        }
        lists
    }
}

impl PromptState {
    /// The lists of the prompt's tokens, the first of which nothing is known.
    fn lists(&self, namer: &Namer, tokenizer: &Tokenizer) -> Lists {
        let mut lists = Lists::default();
        let Some(&first) = self.tokens.first() else { return lists };
        let mut detokenizer = tokenizer.detokenizer(true);
        let first = TokenLogprob { token: first, ..TokenLogprob::default() };
        let mut offset = 0;
        let all = self.text.chars().count();
        for (at, entry) in std::iter::once(&first).chain(&self.scores).enumerate() {
            lists.push(namer, entry, offset.min(all), at > 0);
            let text = detokenizer.push(entry.token);
            // Some tokenizers begin a text with a space that is none of it.
            let is_added = offset == 0 && text.starts_with(' ') && !self.text.starts_with(' ');
            offset += text.chars().count() - usize::from(is_added);
        }
        lists
    }
}
