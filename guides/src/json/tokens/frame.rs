//! The tokens that lie within a JSON string of any characters, worked out once: the frame that all other strings fill.
//!
//! Of a token it matters whether it stays inside the string (and how many characters it begins), and, if it closes the string,
//! what stands before the quote and what follows it. A string with a pattern differs only in which of these it allows.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::json::language::strings::{Characters, Decoder, Escapes, StringState, Strings};
use crate::json::tokens::alphabet::{Allowed, Alphabets};
use crate::json::tokens::by_length::{ByLength, InsideTokens};
use crate::vocabulary::mask::{FEW_TOKENS, TokenSet};
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// The node of the suffixes that is right after the quote.
pub(crate) const QUOTE: u32 = 0;

/// The tokens below a node of the trie by what they do to a string.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(super) inside: InsideTokens,
    /// Tokens that end in the midst of a character or of its escape.
    partial: Vec<Partial>,
    /// What stands before the quote of tokens that close the string, numbered in order.
    pub(crate) prefixes: Trie,
    pub(crate) prefix_count: usize,
    /// What follows the quote, numbered in order.
    suffixes: Trie,
    /// The tokens that close the string by the number of their suffix.
    closing: Vec<Vec<Closing>>,
    /// Tokens that close the string and nothing more.
    pub(crate) bare: Vec<Closing>,
    /// Those that do not close it, where they are many.
    alphabets: Option<Alphabets>,
}

/// A token that closes the string, the characters that it begins before the quote, and the number of what they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    pub(crate) token: u32,
    pub(crate) characters: u32,
    pub(crate) prefix: u32,
}

/// Whether to look into what follows a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    On,
    /// What leads beyond it is left to be looked at.
    Stop,
    /// As [`Look::On`], and something may be complete here.
    OnOrEnd,
    /// What follows does so after something that is complete here.
    End,
}

/// What may follow the quote of a string, of the suffixes of a frame.
#[derive(Debug, Default)]
pub(crate) struct AfterQuote {
    /// The suffixes that are allowed, and by how much the cost after each differs from that at the quote.
    allowed: Vec<(u32, i64)>,
    /// Suffixes that were not looked into.
    beyond: Vec<u32>,
    /// Where something is complete and more of a suffix follows.
    ends: Vec<u32>,
}

impl AfterQuote {
    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        self.allowed.len() * 16 + (self.beyond.len() + self.ends.len()) * 4
    }

    /// The suffixes that are allowed, and the cost after each, if it is `cost` at the quote.
    pub(crate) fn allowed(&self, cost: Cost) -> impl Iterator<Item = (u32, Cost)> {
        self.allowed.iter().map(move |&(suffix, growth)| (suffix, cost.grown(growth)))
    }

    /// The suffixes of which it is not known whether they are allowed.
    pub(crate) fn beyond(&self) -> impl Iterator<Item = u32> {
        self.beyond.iter().copied()
    }

    /// The nodes at which something is complete and more of a suffix follows, for [`Frame::after_quote`].
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }
}

#[derive(Debug, Clone, Copy)]
struct Partial {
    token: u32,
    /// Characters begun.
    characters: u32,
    /// Least bytes that complete the last of them.
    tail: Cost,
}

impl Frame {
    /// Of the tokens below `node`, in a mask of so many words. Characters may be spelled with these escapes.
    pub(crate) fn new(any: Arc<Characters>, escapes: Escapes, node: u32, trie: &Trie, words: usize) -> Frame {
        let start = StringState { state: any.dfa.start(), count: 0, decoder: Decoder::Body };
        // A bound that no token meets: with it characters are counted.
        let strings = Strings { characters: any, min: 0, max: u32::MAX - 1, escapes };
        let mut sorting =
            Sorting { strings, trie, inside: Vec::new(), partial: Vec::new(), closing: Vec::new(), path: Vec::new() };
        sorting.sort(node, &start);
        let Sorting { strings, inside, partial, mut closing, .. } = sorting;
        let many = inside.iter().map(Vec::len).sum::<usize>() >= FEW_TOKENS;
        closing.sort_unstable();
        let mut frame = Frame {
            inside: InsideTokens {
                whole: ByLength::new(&inside, words),
                most_tail: Cost::greatest(partial.iter().map(|partial| partial.tail)),
            },
            partial,
            prefixes: Trie::new(&[]),
            prefix_count: 0,
            suffixes: Trie::new(&[]),
            closing: Vec::new(),
            bare: Vec::new(),
            alphabets: many.then(|| Alphabets::new(&strings, node, trie, words)),
        };
        let mut prefixes: Vec<Option<Vec<u8>>> = closing.iter().map(|(_, prefix, ..)| Some(prefix.clone())).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let mut suffixes: Vec<Option<Vec<u8>>> = Vec::new();
        for (suffix, prefix, characters, token) in closing {
            let number = prefixes.partition_point(|other| other.as_ref() < Some(&prefix));
            let one = Closing { token, characters, prefix: number as u32 };
            match frame.closing.last_mut() {
                _ if suffix.is_empty() => frame.bare.push(one),
                Some(tokens) if suffixes.last().is_some_and(|last| last.as_ref() == Some(&suffix)) => tokens.push(one),
                _ => {
                    suffixes.push(Some(suffix));
                    frame.closing.push(vec![one]);
                }
            }
        }
        frame.prefix_count = prefixes.len();
        (frame.prefixes, frame.suffixes) = (Trie::new(&prefixes), Trie::new(&suffixes));
        frame
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        let inside = self.inside.whole.size();
        let closing = self.closing.iter().map(|tokens| tokens.len() * 12 + 24).sum::<usize>();
        let tries = (self.prefixes.len() + self.suffixes.len()) * 20;
        let alphabets = self.alphabets.as_ref().map_or(0, Alphabets::size);
        inside + self.partial.len() * 12 + tries + closing + self.bare.len() * 12 + alphabets + 200
    }

    /// The tokens that do not close a string in `state`, where they are found by the characters that they are made of.
    pub(crate) fn allowed(&self, strings: &Strings, state: u32) -> Option<Allowed> {
        self.alphabets.as_ref()?.allowed(strings, state, &self.inside)
    }

    /// Most characters that a token begins, where those are known.
    pub(crate) fn most_characters(&self) -> Option<u32> {
        self.alphabets.as_ref().map(Alphabets::most_characters)
    }

    /// The tokens that close the string and go on with this suffix.
    pub(crate) fn closing(&self, suffix: u32) -> &[Closing] {
        &self.closing[suffix as usize]
    }

    /// What may follow the quote where `state` is that after each of these nodes, [`QUOTE`] or some of [`AfterQuote::ends`]. `look` says
    /// of a state whether what follows it is looked into.
    pub(crate) fn after_quote<A: Automaton>(
        &self,
        automaton: &A,
        nodes: &[u32],
        state: &A::State,
        look: impl Fn(&A::State) -> Look,
    ) -> AfterQuote {
        let suffixes = &self.suffixes;
        let mut after = AfterQuote::default();
        let cost = automaton.cost(state);
        let mut open = vec![(nodes.to_vec(), state.clone())];
        while let Some((nodes, state)) = open.pop() {
            let possible = automaton.next_bytes(&state);
            let mut children: Vec<u32> =
                nodes.iter().flat_map(|&node| suffixes.children_along(node, possible)).collect();
            if nodes.len() > 1 {
                children.sort_by_key(|&child| suffixes.byte(child));
            }
            for same in children.chunk_by(|&one, &other| suffixes.byte(one) == suffixes.byte(other)) {
                let Some(next) = automaton.step(&state, suffixes.byte(same[0])) else { continue };
                let mut own = same.iter().flat_map(|&child| suffixes.own(child)).peekable();
                let whole = if own.peek().is_some() { automaton.cost(&next) } else { Cost::NEVER };
                if !whole.is_never() {
                    let growth = cost.growth_to(whole);
                    after.allowed.extend(own.map(|&suffix| (suffix, growth)));
                }
                let longer: Vec<u32> = same.iter().copied().filter(|&child| suffixes.end(child) > child + 1).collect();
                if longer.is_empty() {
                    continue;
                }
                let look = look(&next);
                match look {
                    Look::Stop => {
                        let beyond = longer.iter().flat_map(|&child| child + 1..suffixes.end(child));
                        after.beyond.extend(beyond.flat_map(|node| suffixes.own(node)));
                    }
                    Look::OnOrEnd | Look::End => after.ends.extend(&longer),
                    Look::On => {}
                }
                if matches!(look, Look::On | Look::OnOrEnd) {
                    open.push((longer, next));
                }
            }
        }
        after
    }

    /// Most bytes that complete the character in whose midst a token ends.
    pub(crate) fn most_tail(&self) -> Cost {
        self.inside.most_tail
    }

    /// Adds the tokens that do not close the string, of which `cost` is the cost so far. Returns the greatest cost after any
    /// of them, where only the midst of characters adds to it.
    pub(crate) fn add_inside(&self, cost: Cost, room: Room, set: &mut TokenSet) -> Cost {
        let most = room.most as usize;
        match &self.inside.whole {
            ByLength::Sets(sets) => {
                if let Some(words) = sets.get(most).or(sets.last()) {
                    set.union(words);
                }
            }
            ByLength::List { tokens, ends } => {
                let end = ends.get(most).or(ends.last()).copied().unwrap_or(0);
                set.insert_all(&tokens[..end as usize]);
            }
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
}

/// The tokens of a frame that is being made.
struct Sorting<'a> {
    strings: Strings,
    trie: &'a Trie,
    /// By the number of characters begun.
    inside: Vec<Vec<u32>>,
    partial: Vec<Partial>,
    /// What follows the quote, what stands before it, the characters of that, and the token.
    closing: Vec<(Vec<u8>, Vec<u8>, u32, u32)>,
    /// What leads to the node that is looked at.
    path: Vec<u8>,
}

impl Sorting<'_> {
    fn sort(&mut self, node: u32, state: &StringState) {
        let trie = self.trie;
        for child in trie.children(node) {
            let byte = trie.byte(child);
            if state.decoder == Decoder::Body && byte == b'"' {
                // Closed, unless in the midst of a character.
                if self.strings.characters.dfa.accepts_at(state.state) {
                    self.collect(child, &mut Vec::new(), state.count);
                }
                continue;
            }
            let Some(next) = self.strings.step(state, byte) else { continue };
            let own = trie.own(child);
            if !own.is_empty() {
                self.add(own, &next);
            }
            if trie.end(child) > child + 1 {
                self.path.push(byte);
                self.sort(child, &next);
                self.path.pop();
            }
        }
    }

    fn add(&mut self, tokens: &[u32], state: &StringState) {
        // Without the closing quote.
        let tail = self.strings.cost(state).without(1);
        if tail == 0 {
            let count = state.count as usize;
            if self.inside.len() <= count {
                self.inside.resize(count + 1, Vec::new());
            }
            self.inside[count].extend(tokens);
        } else {
            let characters = state.count;
            self.partial.extend(tokens.iter().map(|&token| Partial { token, characters, tail }));
        }
    }

    /// The tokens that end at the node, which is a closing quote or comes after one, or below it.
    fn collect(&mut self, node: u32, suffix: &mut Vec<u8>, characters: u32) {
        let trie = self.trie;
        let prefix = &self.path;
        self.closing.extend(trie.own(node).iter().map(|&token| (suffix.clone(), prefix.clone(), characters, token)));
        for child in trie.children(node) {
            suffix.push(trie.byte(child));
            self.collect(child, suffix, characters);
            suffix.pop();
        }
    }
}

/// How many more characters a string may and must have, and how many bytes the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) bytes: u32,
}

impl Room {
    pub(super) fn fits(self, characters: u32) -> bool {
        (self.least..=self.most).contains(&characters)
    }
}
