//! What every token does to a JSON string of any characters. Strings with patterns and bounds allow a part of it.
//!
//! A token either stays inside the string or closes it, and the quote then splits it into a prefix and a suffix:
//!
//! | token | what the frame keeps |
//! |---|---|
//! | `ab` | inside, 2 characters: one bit in the bitset for its length ([`ByLength`]) |
//! | the first byte of `é` | partial: 1 character, and 1 byte that completes it |
//! | `a"` | bare: prefix `a`, 1 character, nothing behind the quote |
//! | `", "x` | closing, in the list of the suffix `, "x`: prefix empty, 0 characters |
//!
//! The frame is built once for each trie node and kind of escapes, in one walk of the trie. Prefixes and suffixes are numbered and
//! kept in tries of their own, so that the two halves of a token are decided separately: a string's state decides once for each prefix
//! ([`classes`](super::classes)), the machine's state once for each suffix ([`Frame::after_quote`]). This is exact, as no state depends on
//! both halves, and fast, as many tokens share a prefix or a suffix and a trie shares the steps of their common beginnings.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::json::language::strings::{Characters, Decoder, Escapes, StringState, Strings};
use crate::json::tokens::alphabet::Alphabets;
use crate::json::tokens::alphabet_search::{Allowed, StatesAfter};
use crate::json::tokens::by_length::{ByLength, InsideTokens};
use crate::vocabulary::mask::{FEW_TOKENS, TokenSet, Tokens};
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// The node of the trie of suffixes right after the quote: its root.
pub(crate) const QUOTE: u32 = 0;

/// The tokens below a trie node by what they do to a string of any characters.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(super) inside: InsideTokens,
    /// Tokens that end inside a character or its escape.
    partial: Vec<Partial>,
    /// The prefixes of the tokens that close the string, numbered in order.
    pub(super) prefixes: Trie,
    pub(super) prefix_count: usize,
    /// The suffixes that are not empty, numbered in order.
    suffixes: Trie,
    /// By number of a suffix: the tokens that close the string and continue with it.
    closing: Vec<Vec<Closing>>,
    /// The tokens that end with the closing quote.
    pub(super) bare: Vec<Closing>,
    /// The tokens that do not close the string, by character. A small subtree has none: a walk of it is cheaper than the index.
    alphabets: Option<Alphabets>,
}

/// A token that closes the string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing {
    pub(super) token: u32,
    /// The number of characters before the quote.
    pub(super) characters: u32,
    /// The number of its prefix.
    pub(super) prefix: u32,
}

/// How [`Frame::after_quote`] treats a state in its walk along the suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Walk on.
    On,
    /// Suffixes that continue here depend on more than the suffix; each of their tokens has to be followed on its own.
    Stop,
    /// Walk on, and report the node: the value may be complete here.
    OnOrEnd,
    /// Report the node and stop: the value is complete here.
    End,
}

/// The suffixes that may follow a quote.
#[derive(Debug, Default)]
pub(crate) struct AfterQuote {
    /// The suffixes that are allowed, each with the difference of the cost after it to the cost at the quote. A difference holds wherever
    /// the quote stands, so that this is cached without the surroundings.
    allowed: Vec<(u32, i64)>,
    /// The suffixes that continue behind a [`Look::Stop`].
    beyond: Vec<u32>,
    /// The nodes of [`Look::OnOrEnd`] and [`Look::End`].
    ends: Vec<u32>,
}

impl AfterQuote {
    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        self.allowed.len() * 16 + (self.beyond.len() + self.ends.len()) * 4
    }

    /// The suffixes that are allowed, with the cost after each; `cost` is that at the quote.
    pub(super) fn allowed(&self, cost: Cost) -> impl Iterator<Item = (u32, Cost)> {
        self.allowed.iter().map(move |&(suffix, growth)| (suffix, cost.grown(growth)))
    }

    /// The suffixes that the walk left open.
    pub(super) fn beyond(&self) -> impl Iterator<Item = u32> {
        self.beyond.iter().copied()
    }

    /// The nodes at which a value may be complete while suffixes continue; [`Frame::after_quote`] goes on from them.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }
}

/// A token that ends inside a character or its escape.
#[derive(Debug, Clone, Copy)]
struct Partial {
    token: u32,
    /// The number of characters, the last one included.
    characters: u32,
    /// The least bytes that complete the last one.
    tail: Cost,
}

impl Frame {
    /// The frame of the tokens below `node`, for masks of so many words. `any` are the strings of any characters.
    pub(super) fn new(any: Arc<Characters>, escapes: Escapes, node: u32, trie: &Trie, words: usize) -> Frame {
        let start = StringState { state: any.dfa.start(), count: 0, decoder: Decoder::Body };
        // Characters are counted only below a bound, so this is one that no token reaches.
        let strings = Strings { characters: any, min: 0, max: u32::MAX - 1, escapes };
        let mut builder = FrameBuilder {
            strings,
            trie,
            inside: Vec::new(),
            partial: Vec::new(),
            closing: Vec::new(),
            path: Vec::new(),
        };
        builder.add_below(node, &start);
        let FrameBuilder { strings, inside, partial, mut closing, .. } = builder;
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
    pub(super) fn size(&self) -> usize {
        let inside = self.inside.whole.size();
        let closing = self.closing.iter().map(|tokens| tokens.len() * 12 + 24).sum::<usize>();
        let tries = (self.prefixes.len() + self.suffixes.len()) * 20;
        let alphabets = self.alphabets.as_ref().map_or(0, Alphabets::size);
        inside + self.partial.len() * 12 + tries + closing + self.bare.len() * 12 + alphabets + 200
    }

    /// Whether the tokens are indexed by their characters and lengths.
    pub(super) fn has_index(&self) -> bool {
        self.alphabets.is_some()
    }

    /// Of tokens along which a string stays open as long as no bound is near, `None` for all of the frame, those within the bound of
    /// `strings`. A frame with an index has them.
    pub(super) fn narrowed(&self, strings: &Strings, state: u32, tokens: Option<&Tokens>) -> Allowed {
        let Some(alphabets) = &self.alphabets else { return (TokenSet::new(0), Cost::ZERO) };
        alphabets.narrowed(strings, state, tokens, &self.inside)
    }

    /// The tokens along which a string stays open, where the search by characters is faster than a walk.
    pub(super) fn allowed(&self, strings: &Strings, state: u32) -> Option<Allowed> {
        self.alphabets.as_ref()?.allowed(strings, state, &self.inside)
    }

    /// The same by the state after each token. The number of characters is not bounded.
    pub(super) fn by_state(&self, strings: &Strings, state: u32) -> Option<StatesAfter> {
        self.alphabets.as_ref()?.by_state(strings, state, &self.inside)
    }

    /// The number of characters of the longest token inside the string, if there is an index that knows it.
    pub(super) fn most_characters(&self) -> Option<u32> {
        self.alphabets.as_ref().map(Alphabets::most_characters)
    }

    /// The tokens that close the string and continue with this suffix.
    pub(super) fn closing(&self, suffix: u32) -> &[Closing] {
        &self.closing[suffix as usize]
    }

    /// The suffixes that may follow, from `nodes` on, all of which lead to `state`: [`QUOTE`] or [`AfterQuote::ends`]. Several nodes are
    /// walked side by side, so that a byte that continues more than one of them costs a single step of the automaton.
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

    /// The most bytes that complete the last character of a token that ends inside one.
    pub(crate) fn most_tail(&self) -> Cost {
        self.inside.most_tail
    }

    /// Adds the tokens that stay inside the string and have room. `cost` is that of the output before the token. Returns the greatest cost
    /// after one of them: of a string of any characters it grows only with a character that is not complete.
    pub(super) fn add_inside(&self, cost: Cost, room: Room, set: &mut TokenSet) -> Cost {
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

impl Frame {
    /// As [`Frame::add_inside`], where `cost` exceeds the room and each of the first `room.least` characters of a token makes up for one byte.
    pub(super) fn add_lacking(&self, cost: Cost, room: Room, set: &mut TokenSet) -> Cost {
        let needed = cost.beyond(Cost::bytes(room.bytes));
        if needed > room.least {
            return Cost::ZERO;
        }
        self.inside.whole.add_between(needed, room.most, set);
        for partial in self.partial.iter().filter(|partial| partial.characters <= room.most) {
            if cost.without(partial.characters.min(room.least)) + partial.tail <= room.bytes {
                set.insert(partial.token);
            }
        }
        Cost::bytes(room.bytes)
    }
}

struct FrameBuilder<'a> {
    strings: Strings,
    trie: &'a Trie,
    /// By number of characters.
    inside: Vec<Vec<u32>>,
    partial: Vec<Partial>,
    /// Suffix, prefix, number of characters of the prefix, token: sorted, the tokens with one suffix lie side by side.
    closing: Vec<(Vec<u8>, Vec<u8>, u32, u32)>,
    /// The bytes from the first node to the current one.
    path: Vec<u8>,
}

impl FrameBuilder<'_> {
    /// Adds the tokens below a node of the string.
    fn add_below(&mut self, node: u32, state: &StringState) {
        let trie = self.trie;
        for child in trie.children(node) {
            let byte = trie.byte(child);
            if state.decoder == Decoder::Body && byte == b'"' {
                // Inside a character there is no quote.
                if self.strings.characters.dfa.accepts_at(state.state) {
                    self.add_closing(child, &mut Vec::new(), state.count);
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
                self.add_below(child, &next);
                self.path.pop();
            }
        }
    }

    /// Adds the tokens that end at a node of the string, `state` being the state there.
    fn add(&mut self, tokens: &[u32], state: &StringState) {
        // The cost counts the closing quote.
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

    /// Adds the tokens at and below a node that is the closing quote, or lies behind it along `suffix`.
    fn add_closing(&mut self, node: u32, suffix: &mut Vec<u8>, characters: u32) {
        let trie = self.trie;
        let prefix = &self.path;
        self.closing.extend(trie.own(node).iter().map(|&token| (suffix.clone(), prefix.clone(), characters, token)));
        for child in trie.children(node) {
            suffix.push(trie.byte(child));
            self.add_closing(child, suffix, characters);
            suffix.pop();
        }
    }
}

/// What a token must keep to: the least and the most characters that the string still takes, and the bytes left for the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) bytes: u32,
}

impl Room {
    /// Whether a token may close the string after so many characters.
    pub(super) fn fits(self, characters: u32) -> bool {
        (self.least..=self.most).contains(&characters)
    }
}
