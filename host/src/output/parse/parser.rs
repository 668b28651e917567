//! The states of a message: thoughts, content, calls.

use std::collections::HashMap;
use std::sync::Arc;

use super::channels::Channels;
use super::header::{self, Header, blanks};
use super::json::JsonEnd;
use super::literal::{LiteralArguments, Syntax};
use super::tagged::TaggedArguments;
use super::text::{Found, begins_with, longest_beginning};
use crate::output::arguments::Kinds;
use crate::output::family::{Call, Family, Place};
use crate::output::thinking::{Start, Thinking};

/// A piece of a message, in the order in which the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Further thoughts.
    Reasoning(String),
    /// Further text of the answer, and the place in the output at which it stands, in bytes.
    Content {
        /// The text.
        text: String,
        /// Where it begins in what was pushed.
        at: usize,
    },
    /// A call begins.
    Call {
        /// Its number in the message, from 0.
        index: usize,
        /// The function.
        name: String,
        /// The number that the model gave it, where its family numbers calls.
        number: Option<u32>,
    },
    /// Further JSON text of a call's arguments.
    Arguments {
        /// The call.
        index: usize,
        /// The text.
        json: String,
    },
    /// A call is whole.
    CallEnd {
        /// The call.
        index: usize,
    },
}

/// Turns the text of one output into pieces. It never fails: what is no call is content. All pieces of a kind, put together, depend on
/// the whole text alone and not on how it was cut.
#[derive(Debug)]
pub struct Parser {
    thinking: Option<&'static Thinking>,
    family: Option<&'static Family>,
    kinds: Arc<HashMap<String, Kinds>>,
    state: State,
    /// What was pushed and not yet read, and where it begins.
    text: String,
    at: usize,
    calls: usize,
    /// Whether the message has begun: content or a call was said.
    has_begun: bool,
    /// What reads the turn instead, where it is messages in channels.
    channels: Option<Channels>,
}

#[derive(Debug)]
enum State {
    /// Before the first text; whether thoughts have been opened by the prompt.
    Opening { inside: bool },
    /// Within thoughts; whether some were said.
    Thinking { has_begun: bool },
    /// After thoughts: line feeds are dropped.
    Thought,
    /// Content; whether white space at its beginning is dropped.
    Content { is_trimmed: bool },
    /// A call's arguments.
    Arguments(Arguments),
    /// The texts after a call's arguments.
    CallEnd { is_open: bool },
    /// After a call: a further one, the end of the section, or content.
    Between,
}

#[derive(Debug)]
enum Arguments {
    Json(JsonEnd, bool),
    Tagged(TaggedArguments),
    Literal(LiteralArguments),
}

impl Parser {
    /// For an output that begins at `start`. Without `family`, calls are content; without `thinking`, thoughts are.
    ///
    /// `kinds` are those of each function's arguments, needed where a family writes strings without quotation marks.
    #[must_use]
    pub fn new(
        thinking: Option<(&'static Thinking, Start)>,
        family: Option<&'static Family>,
        kinds: Arc<HashMap<String, Kinds>>,
    ) -> Self {
        let of_channel = thinking.filter(|(thinking, _)| thinking.is_channel());
        let is_channel = of_channel.is_some() || family.is_some_and(|family| family.call == Call::Channel);
        let start = of_channel.map_or(Start::Open, |(_, start)| start);
        let channels = is_channel.then(|| Channels::new(start, family.is_some()));
        let state = match thinking {
            Some((_, Start::Inside)) => State::Opening { inside: true },
            Some((_, Start::Open)) => State::Opening { inside: false },
            _ => State::Content { is_trimmed: thinking.is_some() },
        };
        let thinking = thinking.map(|(thinking, _)| thinking);
        Self { thinking, family, kinds, state, text: String::new(), at: 0, calls: 0, has_begun: false, channels }
    }

    /// Takes further text; returns what is certain by it.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        if let Some(channels) = &mut self.channels {
            return channels.push(text, false);
        }
        self.text.push_str(text);
        self.run(false)
    }

    /// Returns what was held back, when no text follows.
    pub fn finish(&mut self) -> Vec<Piece> {
        match &mut self.channels {
            Some(channels) => channels.push("", true),
            None => self.run(true),
        }
    }

    /// Whether the output is within thoughts.
    #[must_use]
    pub fn is_thinking(&self) -> bool {
        match &self.channels {
            Some(channels) => channels.is_thinking(),
            None => matches!(self.state, State::Thinking { .. } | State::Opening { inside: true }),
        }
    }

    /// The calls that have begun.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.channels.as_ref().map_or(self.calls, Channels::calls)
    }

    fn run(&mut self, is_last: bool) -> Vec<Piece> {
        let mut pieces = Pieces(Vec::new());
        while self.step(is_last, &mut pieces) {}
        pieces.0
    }

    /// Reads the beginning of the text. Returns whether there is more to read.
    fn step(&mut self, is_last: bool, pieces: &mut Pieces) -> bool {
        match &mut self.state {
            State::Opening { inside } => {
                let inside = *inside;
                self.open(inside, is_last)
            }
            State::Thinking { has_begun } => {
                let has_begun = *has_begun;
                self.think(has_begun, is_last, pieces)
            }
            State::Thought => {
                let skipped = self.text.len() - self.text.trim_start_matches(['\n', '\r']).len();
                self.take(skipped);
                if self.text.is_empty() {
                    return false;
                }
                self.state = State::Content { is_trimmed: false };
                true
            }
            State::Content { is_trimmed } => {
                let is_trimmed = *is_trimmed;
                self.content(is_trimmed, is_last, pieces)
            }
            State::Arguments(_) => self.arguments(is_last, pieces),
            State::CallEnd { is_open } => {
                let is_open = *is_open;
                self.call_end(is_open, is_last, pieces)
            }
            State::Between => self.between(is_last, pieces),
        }
    }

    /// Drops the marker that begins thoughts, where the text begins with it.
    fn open(&mut self, inside: bool, is_last: bool) -> bool {
        let Some(thinking) = self.thinking else {
            self.state = State::Content { is_trimmed: false };
            return true;
        };
        let skipped = blanks(&self.text);
        let begin = begins_with(&self.text[skipped..], thinking.begin);
        match begin {
            Found::At(length) => {
                self.take(skipped + length);
                self.state = State::Thinking { has_begun: false };
            }
            Found::Unknown if !is_last => return false,
            _ if inside => self.state = State::Thinking { has_begun: false },
            _ => self.state = State::Content { is_trimmed: false },
        }
        true
    }

    fn think(&mut self, has_begun: bool, is_last: bool, pieces: &mut Pieces) -> bool {
        let Some(thinking) = self.thinking else { return false };
        if !has_begun {
            let Some(first) = self.text.chars().next() else { return false };
            if first == '\n' {
                self.take(1);
            }
            self.state = State::Thinking { has_begun: true };
            return true;
        }
        if let Some(end) = self.text.find(thinking.end) {
            let thoughts = self.take(end);
            pieces.reasoning(thoughts.strip_suffix('\n').unwrap_or(&thoughts));
            self.take(thinking.end.len());
            self.state = State::Thought;
            return true;
        }
        let mut sure = self.text.len();
        if !is_last {
            sure -= longest_beginning(&self.text, thinking.end);
            // The last line feed before the end is dropped.
            sure -= usize::from(self.text[..sure].ends_with('\n'));
        }
        pieces.reasoning(&self.take(sure));
        false
    }

    fn content(&mut self, is_trimmed: bool, is_last: bool, pieces: &mut Pieces) -> bool {
        if is_trimmed {
            let skipped = blanks(&self.text);
            self.take(skipped);
            if self.text.is_empty() {
                return false;
            }
            self.state = State::Content { is_trimmed: false };
            return true;
        }
        let family = self.family.filter(|family| match family.section.place {
            Place::Anywhere => true,
            Place::Start => !self.has_begun,
        });
        let Some(family) = family else {
            let all = self.text.len();
            self.say(all, pieces);
            return false;
        };
        if family.section.place == Place::Start {
            return self.call_or_content(family, is_last, pieces);
        }
        let trigger = family.trigger();
        let Some(found) = self.text.find(trigger) else {
            let mut sure = self.text.len();
            if !is_last {
                sure -= longest_beginning(&self.text, trigger);
                sure = self.text[..sure].trim_end().len();
            }
            self.say(sure, pieces);
            return false;
        };
        let visible = self.text[..found].trim_end().len();
        match header::read(&self.text[found..], family, true) {
            Header::Unknown if !is_last => {
                self.say(visible, pieces);
                false
            }
            Header::Unknown | Header::No => {
                self.say(found + trigger.len(), pieces);
                true
            }
            header => {
                self.say(visible, pieces);
                self.take(found - visible);
                self.begin_call(family, header, pieces);
                true
            }
        }
    }

    /// The beginning of a message in a family whose calls stand nowhere else.
    fn call_or_content(&mut self, family: &'static Family, is_last: bool, pieces: &mut Pieces) -> bool {
        let skipped = blanks(&self.text);
        match header::read(&self.text[skipped..], family, true) {
            Header::Unknown if !is_last => false,
            Header::Unknown | Header::No => {
                let all = self.text.len();
                self.has_begun = true;
                self.say(all, pieces);
                false
            }
            header => {
                self.take(skipped);
                self.begin_call(family, header, pieces);
                true
            }
        }
    }

    fn begin_call(&mut self, family: &'static Family, header: Header, pieces: &mut Pieces) {
        let Header::Call { length, name, number, arguments } = header else { return };
        self.take(length);
        self.has_begun = true;
        let index = self.calls;
        self.calls += 1;
        let kinds = self.kinds.get(&name).cloned().unwrap_or_default();
        pieces.0.push(Piece::Call { index, name, number });
        if let Some(json) = arguments {
            pieces.0.push(Piece::Arguments { index, json });
            self.state = State::CallEnd { is_open: false };
            return;
        }
        self.state = State::Arguments(match family.call {
            Call::Object { .. } | Call::Named { .. } | Call::Channel => Arguments::Json(JsonEnd::default(), false),
            Call::Tagged(tags) => Arguments::Tagged(TaggedArguments::new(tags, kinds)),
            Call::Python => Arguments::Literal(LiteralArguments::new(Syntax::Python)),
            Call::Bare { quote, .. } => Arguments::Literal(LiteralArguments::new(Syntax::Bare(quote))),
        });
    }

    fn arguments(&mut self, is_last: bool, pieces: &mut Pieces) -> bool {
        let State::Arguments(arguments) = &mut self.state else { return false };
        let mut json = String::new();
        let (read, has_ended) = match arguments {
            Arguments::Json(end, has_begun) => {
                // White space before the value is no part of it.
                let skipped = if *has_begun { 0 } else { blanks(&self.text) };
                let read = end.read(&self.text[skipped..]);
                json.push_str(&self.text[skipped..skipped + read]);
                *has_begun |= read > 0;
                if (is_last || end.has_ended()) && !*has_begun {
                    json.push_str("{}");
                }
                if read == 0 && !end.has_ended() && !is_last {
                    return false;
                }
                (skipped + read, end.has_ended() || is_last)
            }
            Arguments::Tagged(tagged) => match tagged.read(&self.text, is_last, &mut json) {
                Some(read) => read,
                None => return false,
            },
            Arguments::Literal(literal) => match literal.read(&self.text, is_last, &mut json) {
                Some(read) => read,
                None => return false,
            },
        };
        let is_json = matches!(arguments, Arguments::Json(..));
        self.take(read);
        pieces.arguments(self.calls - 1, &json);
        if has_ended {
            self.state = State::CallEnd { is_open: is_json };
        }
        read > 0 || has_ended
    }

    /// Reads the texts after a call's arguments; whatever stands there instead is read as what follows the call.
    fn call_end(&mut self, is_open: bool, is_last: bool, pieces: &mut Pieces) -> bool {
        let Some(family) = self.family else { return false };
        if is_open && matches!(family.call, Call::Object { .. }) {
            match header::rest_of_object(&self.text) {
                Some(length) => {
                    self.take(length);
                    self.state = State::CallEnd { is_open: false };
                    return true;
                }
                None if is_last => {
                    let all = self.text.len();
                    self.take(all);
                }
                None => return false,
            }
        }
        let end = match family.call {
            Call::Object { end, .. } | Call::Named { end, .. } | Call::Bare { end, .. } => end.trim(),
            Call::Tagged(tags) => tags.end.trim(),
            Call::Python | Call::Channel => "",
        };
        let skipped = blanks(&self.text);
        match begins_with(&self.text[skipped..], end) {
            Found::Unknown if !is_last => return false,
            Found::At(length) if !end.is_empty() => {
                self.take(skipped + length);
            }
            _ => {}
        }
        pieces.0.push(Piece::CallEnd { index: self.calls - 1 });
        self.state = State::Between;
        true
    }

    fn between(&mut self, is_last: bool, pieces: &mut Pieces) -> bool {
        let Some(family) = self.family else { return false };
        let skipped = blanks(&self.text);
        let rest = &self.text[skipped..];
        if rest.is_empty() {
            return false;
        }
        let end = family.section.end.trim();
        match begins_with(rest, end) {
            Found::Unknown if !is_last => return false,
            Found::At(length) if !end.is_empty() => {
                self.take(skipped + length);
                self.state = State::Content { is_trimmed: true };
                return true;
            }
            _ => {}
        }
        match header::read(rest, family, false) {
            Header::Unknown if !is_last => return false,
            Header::Unknown | Header::No => {
                self.state = State::Content { is_trimmed: true };
            }
            header => {
                self.take(skipped);
                self.begin_call(family, header, pieces);
            }
        }
        true
    }

    /// Says the next `length` bytes as content.
    fn say(&mut self, length: usize, pieces: &mut Pieces) {
        let at = self.at;
        let text = self.take(length);
        if !text.is_empty() {
            self.has_begun |= !text.trim().is_empty();
            pieces.content(text, at);
        }
    }

    fn take(&mut self, length: usize) -> String {
        self.at += length;
        self.text.drain(..length).collect()
    }
}

/// Pieces, each as long as it can be.
#[derive(Default)]
pub(super) struct Pieces(Vec<Piece>);

impl Pieces {
    pub(super) fn all(self) -> Vec<Piece> {
        self.0
    }

    pub(super) fn begin_call(&mut self, index: usize, name: String) {
        self.0.push(Piece::Call { index, name, number: None });
    }

    pub(super) fn end_call(&mut self, index: usize) {
        self.0.push(Piece::CallEnd { index });
    }

    pub(super) fn reasoning(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Piece::Reasoning(text)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.0.push(Piece::Reasoning(more.to_owned())),
        }
    }

    pub(super) fn content(&mut self, more: String, place: usize) {
        match self.0.last_mut() {
            Some(Piece::Content { text, at }) if *at + text.len() == place => text.push_str(&more),
            _ => self.0.push(Piece::Content { text: more, at: place }),
        }
    }

    pub(super) fn arguments(&mut self, call: usize, more: &str) {
        match self.0.last_mut() {
            Some(Piece::Arguments { index, json }) if *index == call => json.push_str(more),
            _ if more.is_empty() => {}
            _ => self.0.push(Piece::Arguments { index: call, json: more.to_owned() }),
        }
    }
}
