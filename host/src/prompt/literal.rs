//! Special tokens that someone wrote, apart from those of the template.
//!
//! The template is run a second time with a mark at each place in the conversation where the text of a special token stands. A special
//! token that begins at a mark was said by someone; all others are the template's. Where the marks change what the template does, the text
//! without them is not the same, and another place for the mark is tried.
//!
//! Marks stand in values only. The keys of objects are left as they are, since templates ask for them by name.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};
use serde_json::Value;

use super::Conversation;

/// The texts of a tokenizer's special tokens.
pub(super) struct SpecialTokens {
    /// Finds the longest of those that begin first.
    search: Option<AhoCorasick>,
    /// Sorted.
    texts: Vec<String>,
    longest: usize,
}

/// Where a mark stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Before the token's text.
    Before,
    /// Behind its first character: what asks how a text begins, or cuts blanks off, finds what it would find without.
    Within,
}

impl SpecialTokens {
    pub(super) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        texts.sort_unstable();
        texts.dedup();
        let mut search = AhoCorasick::builder();
        search.match_kind(MatchKind::LeftmostLongest).start_kind(StartKind::Both);
        // It fails only for more patterns than there are tokens.
        let search = search.build(&texts).ok().filter(|_| !texts.is_empty());
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        Self { search, texts, longest }
    }

    /// The first special token whose text, or its beginning at the end of a text, stands in the conversation.
    pub(super) fn found_in(&self, conversation: &Conversation) -> Option<&str> {
        strings(conversation)
            .find_map(|text| {
                let begin = self.places(text).into_iter().next()?;
                self.texts
                    .iter()
                    .rev()
                    .find(|token| text[begin..].starts_with(token.as_str()) || token.starts_with(&text[begin..]))
            })
            .map(String::as_str)
    }

    /// Where special tokens begin in a text, and where one begins that the text ends within: another text may go on with it.
    fn places(&self, text: &str) -> Vec<usize> {
        let Some(search) = &self.search else { return Vec::new() };
        let mut places: Vec<usize> = search.find_iter(text).map(|found| found.start()).collect();
        let tail = text.len().saturating_sub(self.longest);
        let tail = (tail..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
        for (at, _) in text[tail..].char_indices().map(|(at, character)| (tail + at, character)) {
            let next = self.texts.partition_point(|token| token.as_str() < &text[at..]);
            if self.texts.get(next).is_some_and(|token| token.starts_with(&text[at..])) && !places.contains(&at) {
                places.push(at);
            }
        }
        places.sort_unstable();
        places
    }

    /// The conversation with marks.
    pub(super) fn mark(&self, conversation: &Conversation, mark: char, place: Place) -> Conversation {
        let mut marked = conversation.clone();
        let tools = marked.tools.iter_mut().flatten();
        for value in marked.messages.iter_mut().chain(tools).chain(marked.documents.iter_mut().flatten()) {
            self.mark_value(value, mark, place);
        }
        marked
    }

    fn mark_value(&self, value: &mut Value, mark: char, place: Place) {
        match value {
            Value::String(text) => {
                for at in self.places(text).into_iter().rev() {
                    let first = text[at..].chars().next().map_or(0, char::len_utf8);
                    text.insert(if matches!(place, Place::Before) { at } else { at + first }, mark);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mark_value(item, mark, place)),
            Value::Object(entries) => entries.values_mut().for_each(|value| self.mark_value(value, mark, place)),
            _ => {}
        }
    }

    /// The text without its marks, and where in it the special tokens stand that begin at one.
    pub(super) fn unmark(&self, marked: &str, mark: char, place: Place) -> (String, Vec<Range<usize>>) {
        let mut text = String::with_capacity(marked.len());
        let mut begins = Vec::new();
        let mut pieces = marked.split(mark);
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let first = text.chars().next_back().map_or(0, char::len_utf8);
            begins.push(if matches!(place, Place::Before) { text.len() } else { text.len() - first });
            text.push_str(piece);
        }
        let mut literal: Vec<Range<usize>> = Vec::new();
        for begin in begins {
            let input = Input::new(&text).range(begin..).anchored(Anchored::Yes);
            let found = self.search.as_ref().and_then(|search| search.find(input));
            let end = literal.last().map_or(0, |last| last.end);
            literal.extend(found.filter(|found| found.start() >= end).map(|found| found.range()));
        }
        (text, literal)
    }
}

/// A character that stands nowhere in the conversation: one that Unicode keeps for the inside of programs.
pub(super) fn mark_for(conversation: &Conversation, rendered: &str) -> Option<char> {
    let is_free = |mark: &char| !rendered.contains(*mark) && strings(conversation).all(|text| !text.contains(*mark));
    ('\u{fdd0}'..='\u{fdef}').find(is_free)
}

/// The bytes of all texts of a conversation.
pub(super) fn length(conversation: &Conversation) -> usize {
    strings(conversation).map(str::len).sum()
}

/// All texts of a conversation that may be marked.
fn strings(conversation: &Conversation) -> impl Iterator<Item = &str> {
    let tools = conversation.tools.iter().flatten();
    let values = conversation.messages.iter().chain(tools).chain(conversation.documents.iter().flatten());
    let mut stack: Vec<&Value> = values.collect();
    std::iter::from_fn(move || {
        loop {
            match stack.pop()? {
                Value::String(text) => return Some(text.as_str()),
                Value::Array(items) => stack.extend(items),
                Value::Object(entries) => stack.extend(entries.values()),
                _ => {}
            }
        }
    })
}
