//! The tokens that stay inside a JSON string, worked out once for a vocabulary.
//!
//! Inside a string nearly every token is allowed, so walking the trie there would cost milliseconds. Where the rest of the
//! string may be anything, only two things matter of a token: how many characters it begins, and, if it closes the
//! string, what follows the quote. Tokens are kept by the one and by the other.

use super::strings::{Decoder, Escapes, StringState, Strings};
use crate::automaton::Automaton;
use crate::mask::TokenSet;
use crate::trie::Trie;

#[derive(Debug)]
pub(crate) struct StringClasses {
    /// `inside[n]`: tokens that do not close the string, begin at most `n` characters, and end between characters.
    inside: Vec<Box<[u32]>>,
    /// Tokens that end in the midst of a character or of its escape.
    partial: Vec<Partial>,
    /// What follows the closing quote of tokens that close the string.
    suffixes: Trie,
    /// The tokens by the number that they have in `suffixes`, with the characters that they begin before the quote.
    closing: Vec<Vec<Closing>>,
    /// Tokens that close the string and nothing more, with their characters.
    bare: Vec<Closing>,
}

/// A token that closes the string, and the characters that it begins before the quote.
type Closing = (u32, u32);

#[derive(Debug, Clone, Copy)]
struct Partial {
    token: u32,
    /// Characters begun.
    characters: u32,
    /// Least bytes that complete the last of them.
    tail: u32,
}

/// How many more characters a string may and must have, and how many bytes the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) bytes: u32,
}

impl StringClasses {
    /// `any` are all strings.
    pub(crate) fn new(any: &Strings, trie: &Trie, words: usize) -> StringClasses {
        let counted = Strings { min: 0, max: u32::MAX - 1, ..any.clone() };
        let start = StringState { decoder: Decoder::Body, ..counted.start() };
        let mut sorted = Sorted { inside: Vec::new(), partial: Vec::new(), closing: Vec::new() };
        sort(&counted, trie, 0, &start, &mut sorted);
        let mut inside: Vec<Box<[u32]>> = Vec::new();
        let mut set = TokenSet::new(words);
        for tokens in &sorted.inside {
            set.insert_all(tokens);
            inside.push(set.words().into());
        }
        let (mut suffixes, mut closing): (Vec<Option<Vec<u8>>>, Vec<Vec<Closing>>) = (Vec::new(), Vec::new());
        let mut bare = Vec::new();
        sorted.closing.sort();
        for (suffix, token, characters) in sorted.closing {
            match closing.last_mut() {
                _ if suffix.is_empty() => bare.push((token, characters)),
                Some(tokens) if suffixes.last().is_some_and(|last| last.as_ref() == Some(&suffix)) => {
                    tokens.push((token, characters));
                }
                _ => {
                    suffixes.push(Some(suffix));
                    closing.push(vec![(token, characters)]);
                }
            }
        }
        StringClasses { inside, partial: sorted.partial, suffixes: Trie::new(&suffixes), closing, bare }
    }

    /// Adds the tokens that do not close the string, of which `cost` is the cost so far. Returns the greatest cost after any
    /// of them.
    pub(crate) fn add_inside(&self, cost: u32, room: Room, set: &mut TokenSet) -> u32 {
        if let Some(words) = self.inside.get(room.most as usize).or(self.inside.last()) {
            set.union(words);
        }
        let mut reach = cost;
        for partial in &self.partial {
            let after = cost + partial.tail;
            if partial.characters <= room.most && after <= room.bytes {
                set.insert(partial.token);
                reach = reach.max(after);
            }
        }
        reach
    }

    /// Adds the tokens that close the string and of which the rest is allowed in `after`, the state after the quote.
    /// Returns the greatest cost after any of them.
    ///
    /// Tokens that lead beyond a state for which `stop` holds are not looked into; they are added to `deferred`.
    pub(crate) fn add_closing<A: Automaton>(
        &self,
        automaton: &A,
        after: &A::State,
        room: Room,
        stop: &impl Fn(&A::State) -> bool,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        if automaton.cost(after) <= room.bytes {
            for &(token, _) in self.bare.iter().filter(|closing| room.fits(closing)) {
                set.insert(token);
                reach = automaton.cost(after);
            }
        }
        self.walk_suffixes(automaton, 0, after, room, stop, deferred, set).max(reach)
    }

    #[allow(clippy::too_many_arguments, reason = "what the recursion carries")]
    fn walk_suffixes<A: Automaton>(
        &self,
        automaton: &A,
        node: u32,
        state: &A::State,
        room: Room,
        stop: &impl Fn(&A::State) -> bool,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        for child in self.suffixes.children(node) {
            let Some(next) = automaton.step(state, self.suffixes.byte(child)) else { continue };
            for &suffix in self.suffixes.own(child) {
                let tokens = &self.closing[suffix as usize];
                let mut fitting = tokens.iter().filter(|closing| room.fits(closing)).peekable();
                if fitting.peek().is_none() {
                    continue;
                }
                let cost = automaton.cost(&next);
                if cost <= room.bytes {
                    fitting.for_each(|&(token, _)| set.insert(token));
                    reach = reach.max(cost);
                }
            }
            if stop(&next) {
                let below = (child + 1..self.suffixes.end(child)).flat_map(|node| self.suffixes.own(node));
                deferred.extend(below.flat_map(|&suffix| &self.closing[suffix as usize]).map(|&(token, _)| token));
            } else {
                reach = reach.max(self.walk_suffixes(automaton, child, &next, room, stop, deferred, set));
            }
        }
        reach
    }
}

impl Room {
    fn fits(self, &(_, characters): &Closing) -> bool {
        (self.least..=self.most).contains(&characters)
    }
}

struct Sorted {
    /// By the number of characters begun.
    inside: Vec<Vec<u32>>,
    partial: Vec<Partial>,
    /// What follows the quote, the token, and the characters before the quote.
    closing: Vec<(Vec<u8>, u32, u32)>,
}

fn sort(strings: &Strings, trie: &Trie, node: u32, state: &StringState, sorted: &mut Sorted) {
    for child in trie.children(node) {
        let byte = trie.byte(child);
        if state.decoder == Decoder::Body && byte == b'"' {
            // Closed, unless in the midst of a character.
            if strings.characters.dfa.accepts_at(state.state) {
                collect(trie, child, &mut Vec::new(), state.count, sorted);
            }
        } else if let Some(next) = strings.step(state, byte) {
            let count = next.count as usize;
            let own = trie.own(child);
            // Without the closing quote.
            let tail = strings.cost(&next) - 1;
            if tail > 0 {
                let characters = next.count;
                sorted.partial.extend(own.iter().map(|&token| Partial { token, characters, tail }));
            } else if !own.is_empty() {
                if sorted.inside.len() <= count {
                    sorted.inside.resize(count + 1, Vec::new());
                }
                sorted.inside[count].extend(own);
            }
            sort(strings, trie, child, &next, sorted);
        }
    }
}

fn collect(trie: &Trie, node: u32, suffix: &mut Vec<u8>, characters: u32, sorted: &mut Sorted) {
    sorted.closing.extend(trie.own(node).iter().map(|&token| (suffix.clone(), token, characters)));
    for child in trie.children(node) {
        suffix.push(trie.byte(child));
        collect(trie, child, suffix, characters, sorted);
        suffix.pop();
    }
}

/// All strings, spelled with these escapes.
pub(crate) fn any_strings(escapes: Escapes) -> Option<Strings> {
    let any = super::strings::Characters::any().ok()?;
    let characters = std::sync::Arc::new(super::strings::Characters::new(any.clone(), &any));
    Some(Strings { characters, min: 0, max: u32::MAX, escapes })
}
