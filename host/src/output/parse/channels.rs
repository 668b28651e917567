//! The messages of a turn in channels.

use super::parser::{Piece, Pieces};
use super::text::longest_beginning;
use crate::output::channels::{CHANNEL, END, MESSAGE, NEXT};
use crate::output::thinking::Start;

/// The longest header, in bytes.
const LONGEST_HEADER: usize = 1024;
/// What may end a message. The last two end a turn, and are in its text only where special tokens are shown.
const ENDS: [&str; 3] = [END, "<|call|>", "<|return|>"];

/// Reads a turn of messages in channels.
#[derive(Debug)]
pub(super) struct Channels {
    state: State,
    /// What was pushed and not yet read, and where it begins.
    text: String,
    at: usize,
    calls: usize,
    /// Whether functions may be called: a call is content where there are none.
    reads_calls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a message.
    Header,
    Thoughts,
    Content,
    /// A call's arguments; whether some were said.
    Arguments(bool),
}

impl Channels {
    pub(super) fn new(start: Start, reads_calls: bool) -> Self {
        let state = match start {
            Start::Inside => State::Thoughts,
            Start::Answer => State::Content,
            Start::Open => State::Header,
        };
        Self { state, text: String::new(), at: 0, calls: 0, reads_calls }
    }

    pub(super) fn push(&mut self, text: &str, is_last: bool) -> Vec<Piece> {
        self.text.push_str(text);
        let mut pieces = Pieces::default();
        while self.step(is_last, &mut pieces) {}
        pieces.all()
    }

    pub(super) fn is_thinking(&self) -> bool {
        self.state == State::Thoughts
    }

    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// Reads the beginning of the text. Returns whether there is more to read.
    fn step(&mut self, is_last: bool, pieces: &mut Pieces) -> bool {
        if self.state == State::Header { self.header(is_last, pieces) } else { self.message(is_last, pieces) }
    }

    fn header(&mut self, is_last: bool, pieces: &mut Pieces) -> bool {
        if self.text.is_empty() {
            return false;
        }
        let begins = [NEXT, CHANNEL, " to="];
        if begins.iter().any(|begin| self.text.starts_with(begin)) {
            if let Some(end) = self.text.find(MESSAGE).filter(|end| *end <= LONGEST_HEADER) {
                let header = self.take(end);
                self.take(MESSAGE.len());
                self.begin(header.strip_prefix(NEXT).unwrap_or(&header), pieces);
                return true;
            }
            if !is_last && self.text.len() <= LONGEST_HEADER + MESSAGE.len() {
                return false;
            }
        } else if !is_last && begins.iter().any(|begin| begin.starts_with(&*self.text)) {
            return false;
        }
        // What begins like no header, and what never ends like one, is content.
        self.state = State::Content;
        true
    }

    /// Begins the message of a header such as `<|channel|>commentary to=functions.N <|constrain|>json`.
    fn begin(&mut self, header: &str, pieces: &mut Pieces) {
        let recipient = header.split_once("to=").map(|(_, rest)| rest);
        let recipient = recipient.and_then(|rest| rest.split([' ', '<']).next()).filter(|name| !name.is_empty());
        let channel = header.split_once(CHANNEL).map_or("", |(_, rest)| rest);
        let channel = channel.split([' ', '<']).next().unwrap_or_default();
        self.state = match recipient {
            Some(name) if self.reads_calls => {
                let name = name.strip_prefix("functions.").unwrap_or(name).to_owned();
                pieces.begin_call(self.calls, name);
                self.calls += 1;
                State::Arguments(false)
            }
            _ if channel == "analysis" => State::Thoughts,
            _ => State::Content,
        };
    }

    fn message(&mut self, is_last: bool, pieces: &mut Pieces) -> bool {
        let found = ENDS.iter().filter_map(|end| self.text.find(end).map(|at| (at, end.len()))).min();
        let sure = match found {
            Some((at, _)) => at,
            None if is_last => self.text.len(),
            None => self.text.len() - ENDS.iter().map(|end| longest_beginning(&self.text, end)).max().unwrap_or(0),
        };
        let at = self.at;
        let text = self.take(sure);
        self.say(text, at, pieces);
        match found {
            Some((_, length)) => {
                self.take(length);
                self.end(pieces);
                self.state = State::Header;
                true
            }
            None => {
                if is_last {
                    self.end(pieces);
                }
                false
            }
        }
    }

    fn say(&mut self, text: String, at: usize, pieces: &mut Pieces) {
        match &mut self.state {
            State::Thoughts => pieces.reasoning(&text),
            State::Content if !text.is_empty() => pieces.content(text, at),
            State::Arguments(has_begun) => {
                let text = if *has_begun { &text } else { text.trim_start() };
                *has_begun |= !text.is_empty();
                pieces.arguments(self.calls - 1, text);
            }
            State::Header | State::Content => {}
        }
    }

    /// Ends a call.
    fn end(&mut self, pieces: &mut Pieces) {
        if let State::Arguments(has_begun) = self.state {
            if !has_begun {
                pieces.arguments(self.calls - 1, "{}");
            }
            pieces.end_call(self.calls - 1);
            self.state = State::Header;
        }
    }

    fn take(&mut self, length: usize) -> String {
        self.at += length;
        self.text.drain(..length).collect()
    }
}
