//! The part of the frame that one state of a string's automaton allows: the equivalence classes of tokens for that state.
//!
//! The [frame](super::frame) says what a token does to a string of any characters. A state adds two facts, here for `^a+$` at its start:
//!
//! | token | what is kept |
//! |---|---|
//! | `ab` | inside, but dead: not in the set of tokens that stay inside |
//! | `aa` | in that set; the cost of the string after it counts for `reach` |
//! | `a"` | the state at the quote of the prefix `a`, which accepts |
//! | `", "x` | nothing: in the state at the quote of the empty prefix the string may not be closed |
//!
//! Tokens with one prefix and one suffix are equivalent for every output in this state, so that a mask asks once for each suffix and looks
//! the prefix up. A set is computed once for each state, trie node, kind of escapes and near bound on the length, by the cheapest of:
//!
//! 1. nothing, where every token of the frame is allowed: any continuation is accepted, or no token is long enough to reach a dead state;
//! 2. the [search by characters](super::alphabet_search);
//! 3. a walk of the trie with the state of the string alone. It passes over [subtrees](super::text_heights) with fewer characters than
//!    lead to a dead state.
//!
//! Near the greatest length of a string the set is a part of that without a bound: only tokens with more characters than certainly fit
//! are looked at again.

use crate::automaton::cost::Cost;
use crate::automaton::marks::GREATEST_OF_TEXT;
use crate::automaton::residual::Reach;
use crate::json::language::strings::{Decoder, StringState, Strings};
use crate::json::tokens::frame::{AfterQuote, Closing, Frame, Room};
use crate::json::tokens::text_heights::TextHeights;
use crate::vocabulary::mask::{TokenSet, Tokens};
use crate::vocabulary::shared_sets::SharedSets;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// The tokens below a trie node, and the number of words of their masks.
#[derive(Clone, Copy)]
pub(super) struct Subtree<'a> {
    pub(super) trie: &'a Trie,
    pub(super) node: u32,
    pub(super) words: usize,
    pub(super) heights: &'a TextHeights,
}

/// The suffixes that may follow a quote, and the cost at the quote.
#[derive(Clone, Copy)]
pub(crate) struct Following<'a> {
    pub(crate) after: &'a AfterQuote,
    pub(crate) cost: Cost,
}

/// The tokens below a trie node by what they do to a string in one state.
#[derive(Debug)]
pub(crate) struct StringClasses {
    frame: Arc<Frame>,
    inside: Inside,
    quotes: Quotes,
    /// The greatest cost of the string after a token that stays inside, the closing quote not counted.
    reach: Cost,
}

/// The tokens that stay inside the string.
#[derive(Debug)]
enum Inside {
    /// All of the frame.
    Frame,
    Tokens(Tokens),
}

/// The states of the automaton at the quote, by number of the prefix.
#[derive(Debug)]
enum Quotes {
    /// One for every prefix; 0 where the string may not be closed.
    All(Box<[u32]>),
    /// Where few prefixes may be closed: these with their states, sorted.
    Some(Vec<(u32, u32)>),
}

/// A bound on the number of characters that no token reaches.
pub(crate) const ROOM_FOR_ANY: u32 = u32::MAX - 1;

impl StringClasses {
    /// The classes for strings in `state` with room for so many characters; `u32::MAX` for no bound.
    pub(super) fn new(
        strings: &Strings,
        state: u32,
        room: u32,
        frame: Arc<Frame>,
        tokens: Subtree<'_>,
    ) -> StringClasses {
        let Subtree { trie, node, words, heights } = tokens;
        // Characters are counted from here.
        let strings = Strings { min: 0, max: room, ..strings.clone() };
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        let quotes = Quotes::new(&strings, &start, &frame);
        let (inside, reach) = match strings.characters.reach(state) {
            Reach::Universal => (Inside::Frame, frame.most_tail()),
            // No token has as many characters as the nearest dead state needs.
            Reach::Open | Reach::Bounded
                if room >= ROOM_FOR_ANY
                    && frame.most_characters().map_or(u32::MAX, |most| most + 1)
                        <= strings.characters.distance(state) =>
            {
                (Inside::Frame, strings.most_cost() + frame.most_tail())
            }
            _ if let Some((set, reach)) = frame.allowed(&strings, state) => {
                (Inside::Tokens(Tokens::Set(set.words().into())), reach)
            }
            _ => {
                let mut walk = InsideWalk { strings: &strings, trie, heights, inside: Vec::new(), reach: Cost::ZERO };
                if room < ROOM_FOR_ANY {
                    walk.add_below(node, &start);
                } else if walk.add_unbounded(node, state) {
                    walk.reach = walk.reach.max(strings.most_cost() + frame.most_tail());
                }
                (Inside::Tokens(Tokens::new(walk.inside, words)), walk.reach)
            }
        };
        StringClasses { frame, inside, quotes, reach }
    }

    /// The classes of the same state, where there is room for fewer characters than the longest token has.
    pub(super) fn narrowed(&self, strings: &Strings, state: u32, room: u32) -> StringClasses {
        let strings = Strings { min: 0, max: room, ..strings.clone() };
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        let frame = self.frame.clone();
        let quotes = Quotes::new(&strings, &start, &frame);
        let own = match &self.inside {
            Inside::Frame => None,
            Inside::Tokens(tokens) => Some(tokens),
        };
        let (set, reach) = frame.narrowed(&strings, state, own);
        StringClasses { frame, inside: Inside::Tokens(Tokens::of_set(&set)), quotes, reach }
    }

    /// The classes with their set of tokens shared.
    pub(super) fn shared(mut self, sets: &SharedSets) -> StringClasses {
        if let Inside::Tokens(Tokens::Set(words)) = &mut self.inside {
            *words = sets.words(words);
        }
        self
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        let inside = match &self.inside {
            Inside::Frame => 0,
            Inside::Tokens(tokens) => tokens.size(),
        };
        let quotes = match &self.quotes {
            Quotes::All(states) => states.len() * 4,
            Quotes::Some(states) => states.len() * 8,
        };
        inside + quotes + 200
    }

    /// The greatest cost of the string after a token that stays inside, the closing quote not counted.
    pub(crate) fn reach(&self) -> Cost {
        self.reach
    }

    /// Adds the tokens that stay inside the string. Where the whole frame is allowed, `cost` is that of the output before the token, and each
    /// token is checked against the room. Else `cost` is a bound of the cost after any of the tokens, which the caller has checked. Returns a
    /// bound of the cost after any of them.
    pub(crate) fn add_inside(&self, cost: Cost, room: Room, set: &mut TokenSet) -> Cost {
        match &self.inside {
            Inside::Frame => return self.frame.add_inside(cost, room, set),
            Inside::Tokens(tokens) => tokens.add_to(set),
        }
        cost
    }

    /// Adds the tokens that stay inside a string of any characters which lacks so many of them that it does not fit as it is: the tokens that
    /// bring it near enough to its end. `cost` is that of the output before the token, `room.least` the number of characters that it lacks.
    /// Returns a bound of the cost after any of them.
    pub(crate) fn add_lacking(&self, cost: Cost, room: Room, set: &mut TokenSet) -> Cost {
        debug_assert!(matches!(self.inside, Inside::Frame), "any characters may follow");
        self.frame.add_lacking(cost, room, set)
    }

    /// The frame that these classes are a part of.
    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether no token closes the string.
    pub(crate) fn closes_nowhere(&self) -> bool {
        matches!(&self.quotes, Quotes::Some(states) if states.is_empty())
    }

    /// Adds the tokens that end with the closing quote, in a state for which `closes` holds. `cost` is that after the quote. Returns the
    /// greatest cost after any of them.
    pub(crate) fn add_bare(&self, cost: Cost, room: Room, closes: impl Fn(u32) -> bool, set: &mut TokenSet) -> Cost {
        self.add_fitting([(&*self.frame.bare, cost)].into_iter(), room, closes, set)
    }

    /// Adds the tokens that close the string, in a state for which `closes` holds, and continue with an allowed suffix. Returns the greatest
    /// cost after any of them. Tokens whose suffix was left open go to `deferred`.
    pub(crate) fn add_closing(
        &self,
        following: Following<'_>,
        room: Room,
        closes: impl Fn(u32) -> bool,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> Cost {
        let Following { after, cost } = following;
        let longer = after.allowed(cost).map(|(suffix, cost)| (self.frame.closing(suffix), cost));
        let reach = self.add_fitting(longer, room, &closes, set);
        let beyond = after.beyond().flat_map(|suffix| self.frame.closing(suffix));
        deferred.extend(beyond.filter(|one| self.fits(one, room, &closes)).map(|one| one.token));
        reach
    }

    fn add_fitting<'a>(
        &self,
        closing: impl Iterator<Item = (&'a [Closing], Cost)>,
        room: Room,
        closes: impl Fn(u32) -> bool,
        set: &mut TokenSet,
    ) -> Cost {
        let mut reach = Cost::ZERO;
        for (tokens, cost) in closing.filter(|(_, cost)| *cost <= room.bytes) {
            for one in tokens.iter().filter(|one| self.fits(one, room, &closes)) {
                set.insert(one.token);
                reach = reach.max(cost);
            }
        }
        reach
    }

    /// Whether the string may be closed by this token's quote.
    fn fits(&self, one: &Closing, room: Room, closes: impl Fn(u32) -> bool) -> bool {
        let state = self.quotes.state(one.prefix);
        state != 0 && room.fits(one.characters) && closes(state)
    }
}

impl Quotes {
    fn new(strings: &Strings, start: &StringState, frame: &Frame) -> Quotes {
        let mut found = Vec::new();
        find_quotes(strings, &frame.prefixes, 0, start, &mut found);
        if found.len() < frame.prefix_count / 4 {
            found.sort_unstable();
            return Quotes::Some(found);
        }
        let mut states = vec![0; frame.prefix_count];
        for (prefix, state) in found {
            states[prefix as usize] = state;
        }
        Quotes::All(states.into())
    }

    /// The state at the quote behind a prefix; 0 where the string may not be closed.
    fn state(&self, prefix: u32) -> u32 {
        match self {
            Quotes::All(states) => states[prefix as usize],
            Quotes::Some(states) => {
                states.binary_search_by_key(&prefix, |&(prefix, _)| prefix).map_or(0, |place| states[place].1)
            }
        }
    }
}

fn find_quotes(strings: &Strings, prefixes: &Trie, node: u32, state: &StringState, found: &mut Vec<(u32, u32)>) {
    if state.decoder == Decoder::Body && strings.characters.dfa.accepts_at(state.state) {
        found.extend(prefixes.own(node).iter().map(|&prefix| (prefix, state.state)));
    }
    for child in prefixes.children(node) {
        if let Some(next) = strings.step(state, prefixes.byte(child)) {
            find_quotes(strings, prefixes, child, &next, found);
        }
    }
}

/// A trie walk with the state of the string alone.
struct InsideWalk<'a> {
    strings: &'a Strings,
    trie: &'a Trie,
    heights: &'a TextHeights,
    inside: Vec<u32>,
    reach: Cost,
}

impl InsideWalk<'_> {
    fn add_below(&mut self, node: u32, state: &StringState) {
        let trie = self.trie;
        for child in trie.children(node) {
            let byte = trie.byte(child);
            if state.decoder == Decoder::Body && byte == b'"' {
                continue;
            }
            let Some(next) = self.strings.step(state, byte) else { continue };
            self.add(child, || self.strings.cost(&next).without(1));
            if trie.end(child) > child + 1 {
                self.add_below(child, &next);
            }
        }
    }

    /// Adds the tokens that end at a node. The cost is asked for only if there are any: in a bounded or escaped string it is a search.
    fn add(&mut self, node: u32, cost: impl FnOnce() -> Cost) {
        let own = self.trie.own(node);
        if !own.is_empty() {
            self.reach = self.reach.max(cost());
            self.inside.extend_from_slice(own);
        }
    }

    /// As [`Self::add_below`] where the number of characters is not bounded. A character that stands for itself is then a step of the
    /// automaton and nothing more, so one pass over the nodes in memory order replaces the recursion. Returns whether tokens were added
    /// whose cost was not asked for.
    fn add_unbounded(&mut self, node: u32, start: u32) -> bool {
        let (strings, trie) = (self.strings, self.trie);
        let dfa = &strings.characters.dfa;
        let mut passed_over = false;
        // The open nodes above the current one: the state after each, and the end of its subtree.
        let mut above: Vec<(u32, u32)> = vec![(start, trie.end(node))];
        let mut next = node + 1;
        while let Some(&(state, end)) = above.last() {
            if next >= end {
                above.pop();
                continue;
            }
            let (child, byte, child_end) = (next, trie.byte(next), trie.end(next));
            next = child_end;
            match byte {
                b'"' => {}
                b'\\' => {
                    let at = StringState { state, count: 0, decoder: Decoder::Body };
                    let Some(escape) = strings.step(&at, byte) else { continue };
                    self.add(child, || strings.cost(&escape).without(1));
                    self.add_below(child, &escape);
                }
                0x20..=GREATEST_OF_TEXT => {
                    let after = dfa.next(state, byte);
                    if after == 0 {
                        continue;
                    }
                    let is_leaf = child_end == child + 1;
                    let height = if is_leaf { None } else { self.heights.of(child) };
                    if height.is_some_and(|height| height < strings.characters.distance(after)) {
                        self.inside.extend_from_slice(trie.below(child));
                        passed_over = true;
                        continue;
                    }
                    self.add(child, || strings.cost_between(after).without(1));
                    if !is_leaf {
                        above.push((after, child_end));
                        next = child + 1;
                    }
                }
                _ => {}
            }
        }
        passed_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::json::language::strings::{Characters, Escapes, any_strings};
    use crate::regex::{self, Dialect};

    const PIECES: [&str; 7] = ["a", "ma", "ke", "r", "é", "中", "\u{80}"];

    /// All sequences of up to four pieces, the same behind an escape and a quote, and some that are no text.
    fn words() -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = vec![vec![0x80], b"a\xC3".to_vec(), b"ma\xA9".to_vec()];
        let mut longest: Vec<Vec<u8>> = vec![Vec::new()];
        for _ in 0..4 {
            let longer = |word: &Vec<u8>| PIECES.map(|piece| [word, piece.as_bytes()].concat());
            longest = longest.iter().flat_map(longer).collect();
            words.extend(
                longest.iter().flat_map(|word| ["", "\\n", "e\""].map(|before| [before.as_bytes(), word].concat())),
            );
        }
        words.sort_unstable();
        words.dedup();
        words
    }

    #[test]
    fn a_walk_that_passes_over_subtrees_finds_the_tokens_that_the_string_allows() {
        let words = words();
        let tokens: Vec<Option<Vec<u8>>> = words.iter().cloned().map(Some).collect();
        let (trie, size) = (Trie::new(&tokens), tokens.len().div_ceil(32));
        let any = Characters::any().expect("small");
        let (heights, none) = (TextHeights::new(&trie, &any.dfa), TextHeights::default());
        let frame = Arc::new(Frame::new(any.clone(), Escapes::Usual, 0, &trie, size));
        let mut fewer = 0;
        for pattern in ["^((?!maker).)*$", "^(?!.*ake).*$", "a", "^[^é]{0,7}$", "^(..)*$"] {
            let dfa = regex::anywhere(pattern, Dialect::Ecma, DfaLimits { states: 9999, bytes: 1 << 22 });
            let characters = Arc::new(Characters::new(dfa.expect("a regex"), &any.dfa));
            for state in (1..characters.dfa.len() as u32).filter(|&state| characters.reach(state) != Reach::Within) {
                let strings = any_strings(characters.clone(), 0, u32::MAX);
                let walk = |heights| {
                    let mut walk =
                        InsideWalk { strings: &strings, trie: &trie, heights, inside: Vec::new(), reach: Cost::ZERO };
                    let passed_over = walk.add_unbounded(0, state);
                    walk.inside.sort_unstable();
                    (walk.inside, passed_over)
                };
                let (found, passed_over) = walk(&heights);
                assert_eq!((&found, false), (&walk(&none).0, walk(&none).1), "{pattern} {state}");
                fewer += u32::from(passed_over);
                let start = StringState { state, count: 0, decoder: Decoder::Body };
                for (id, word) in (0u32..).zip(&words) {
                    let end = word.iter().try_fold(start, |at, &byte| strings.step(&at, byte));
                    let stays = end.is_some_and(|end| end.decoder != Decoder::Closed);
                    assert_eq!(found.binary_search(&id).is_ok(), stays, "{pattern} {state} {word:?}");
                }
                let subtree = Subtree { trie: &trie, node: 0, words: size, heights: &heights };
                for room in [0, 1, 3, 5] {
                    let all = StringClasses::new(&strings, state, ROOM_FOR_ANY, frame.clone(), subtree);
                    let bounded = StringClasses::new(&strings, state, room, frame.clone(), subtree);
                    assert!(all.frame.has_index());
                    let set = |classes: StringClasses| {
                        let mut set = TokenSet::new(size);
                        classes.add_inside(Cost::ZERO, Room { least: 0, most: room, bytes: u32::MAX }, &mut set);
                        set.words().to_vec()
                    };
                    let narrowed = all.narrowed(&strings, state, room);
                    assert_eq!(set(narrowed), set(bounded), "{pattern} {state} {room}");
                }
            }
        }
        assert_eq!(fewer, 2);
    }
}
