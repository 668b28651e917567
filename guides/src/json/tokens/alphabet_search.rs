//! Finds the tokens along which a string stays open, by the characters that they contain instead of by a walk.
//!
//! In most states of a string's automaton nearly all characters lead to one state, and from there to itself: `[^/]+`, `\S*` and the
//! middle of a URI are examples. In others they lead along a chain, as in `\w{1,64}`. The search follows the characters of most tokens
//! along that chain; the characters that stay on it are the chain's *alphabet*. For `[^/]+`:
//!
//! | token | how it is decided |
//! |---|---|
//! | `ab` | consists of the alphabet: allowed by one union with [`Alphabets::made_of`] |
//! | `a/b` | contains another character: followed through the automaton, byte by byte |
//! | `\n`, or a token that ends inside a character | followed byte by byte |
//! | `a"`, `", "x` | not in the index: they close the string, see [`frame`](super::frame) |
//!
//! The first case is exact, not an estimate: a token of `n` characters of the alphabet ends in the `n`-th state of the chain, which is
//! alive. Every other token is followed through the automaton, so nothing is guessed.
//!
//! Cost: the chain takes about a hundred transitions for each of its states, at most [`LONGEST_CHAIN`]; the union one pass over a bitset;
//! the rest is proportional to the bytes of the tokens that are followed. A search runs once for each state, as its result is kept in
//! [`classes`](super::classes).

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::language::strings::{Decoder, StringState, Strings};
use crate::json::tokens::alphabet::Alphabets;
use crate::json::tokens::by_length::InsideTokens;
use crate::json::tokens::destinations::{Destination, Destinations};
use crate::vocabulary::mask::{TokenSet, Tokens};
use std::ops::Range;

/// Below this many tokens that may be allowed, judged by their first bytes, a walk is faster.
const MANY_TOKENS: usize = 4096;

/// Above this percentage of tokens to follow one by one, a walk is as fast, since it shares the steps of common prefixes.
const MOST_OTHERS: usize = 60;

/// Up to so many characters to a dead end most tokens overshoot. From further away a walk passes over most of the trie.
const SHORT_DISTANCE: u32 = 8;

/// Few tokens have more characters, so a longer chain decides no more of them.
const LONGEST_CHAIN: usize = 40;

/// The tokens that stay inside a string, and the greatest cost of the string after one of them.
pub(super) type Allowed = (TokenSet, Cost);

/// The tokens that stay inside a string, by the state after each.
#[derive(Default)]
pub(super) struct StatesAfter {
    /// By state of the automaton, between characters.
    pub(super) sets: Vec<(u32, TokenSet)>,
    pub(super) others: Vec<Followed>,
}

/// A token that was followed byte by byte, behind the state after it.
pub(super) type Followed = (StringState, u32);

/// The tokens to add, to take out and to follow one by one.
struct Search<'a> {
    chain: Chain,
    /// The number of tokens that begin with a live byte.
    alive: usize,
    /// Lists of tokens to follow, by index: with a character outside the alphabet, partial, or longer than the chain.
    others: Vec<&'a [u32]>,
    /// Ranges of tokens to follow: their first character is alive, but does not lead to the start of the chain.
    beginning: Vec<Range<u32>>,
    /// Tokens that consist of the alphabet, but whose first character does not lead to the start of the chain.
    removed: Vec<Range<u32>>,
}

/// The states that most tokens pass, one for each character.
struct Chain {
    states: Vec<u32>,
    /// The place of the state to which the last one leads back; `None` where the chain ends.
    turn: Option<usize>,
    /// The first bytes of the characters that lead along the whole chain.
    alphabet: ByteSet,
    /// The first bytes of the characters that are not dead in some state of the chain.
    live: ByteSet,
}

impl Chain {
    /// The state after `count` characters of the alphabet, one at least; `None` behind the chain's end.
    fn after(&self, count: usize) -> Option<u32> {
        let (at, len) = (count - 1, self.states.len());
        match self.turn {
            Some(turn) if at >= len => Some(self.states[turn + (at - len) % (len - turn)]),
            _ => self.states.get(at).copied(),
        }
    }
}

impl Search<'_> {
    /// Whether this is faster than a walk.
    fn pays(&self) -> bool {
        let others = self.others.iter().map(|indices| indices.len()).sum::<usize>();
        let beginning = self.beginning.iter().map(|range| range.len()).sum::<usize>();
        self.alive >= MANY_TOKENS && (others + beginning) * 100 <= self.alive * MOST_OTHERS
    }
}

impl Alphabets {
    /// The tokens along which a string stays open, from a state between characters; `None` where a walk finds them as fast.
    /// Characters are counted from this state up to the bound of `strings`.
    pub(super) fn allowed(&self, strings: &Strings, state: u32, inside: &InsideTokens) -> Option<Allowed> {
        if strings.characters.distance(state) > SHORT_DISTANCE {
            return None;
        }
        let search = self.search(strings, state).filter(Search::pays)?;
        Some(self.run(&search, strings, state, inside))
    }

    /// Of tokens along which a string stays open as long as no bound is near, `None` for all, those within the bound of `strings`. Tokens
    /// with few characters leave room for any rest, so only longer ones are followed, and those that end inside a character.
    pub(super) fn narrowed(
        &self,
        strings: &Strings,
        state: u32,
        tokens: Option<&Tokens>,
        inside: &InsideTokens,
    ) -> Allowed {
        let mut set = TokenSet::new(self.complete.len());
        match tokens {
            Some(tokens) => tokens.add_to(&mut set),
            None => set.union(&self.complete),
        }
        inside.whole.keep_short(strings.max, &mut set);
        let longer = |most: u32| self.longer.get(most as usize).copied().unwrap_or(0);
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        for &index in &self.by_length[longer(strings.max)..longer(strings.surely_fitting())] {
            let token = self.tokens[index as usize];
            let fits = || match self.text_of(index).contains(&b'\\') {
                true => self.follow(index, strings, start).is_some(),
                false => !self.rest_after(index, strings, state).is_never(),
            };
            if set.contains(token) && !fits() {
                set.remove(token);
            }
        }
        let mut reach = strings.most_cost();
        for &index in &self.partial {
            let token = self.tokens[index as usize];
            match self.follow(index, strings, start) {
                Some(end) => {
                    set.insert(token);
                    reach = reach.max(strings.cost(&end).without(1));
                }
                None => set.remove(token),
            }
        }
        (set, reach)
    }

    /// Prepares a search; `None` where every first character is dead or ambiguous.
    fn search(&self, strings: &Strings, state: u32) -> Option<Search<'_>> {
        let targets = Destinations::new(&strings.characters.dfa);
        let here = targets.of(state);
        let (alive, main) = self.main_target(&here);
        let chain = self.chain(&targets, main?);
        let longer = self.longer.get(chain.states.len()).copied().filter(|_| chain.turn.is_none()).unwrap_or(0);
        let others = vec![&*self.partial, &self.by_length[..longer]];
        let mut search = Search { alive, chain, others, beginning: Vec::new(), removed: Vec::new() };
        for byte in 0..=255u8 {
            let at = usize::from(byte);
            let stays = search.chain.alphabet.contains(byte);
            // A token that leaves the chain at a dead character is dead. One that leaves it elsewhere has to be followed.
            if !stays && search.chain.live.contains(byte) {
                search.others.push(&self.containing[at]);
            }
            if !stays || here[at] != Destination::One(search.chain.states[0]) {
                if here[at] != Destination::Dead {
                    search.beginning.push(self.first[at].clone());
                }
                if stays {
                    search.removed.push(self.first[at].clone());
                }
            }
        }
        Some(search)
    }

    /// Follows the characters of most tokens while these remain the same characters.
    fn chain(&self, targets: &Destinations, first: u32) -> Chain {
        let mut chain = Chain { states: vec![first], turn: None, alphabet: ByteSet::ALL, live: ByteSet::default() };
        loop {
            let from = targets.of(chain.states[chain.states.len() - 1]);
            let (_, Some(next)) = self.main_target(&from) else { return chain };
            let mut alphabet = ByteSet::default();
            let along = |&byte: &u8| from[usize::from(byte)] == Destination::One(next) && chain.alphabet.contains(byte);
            alphabet.add_all((0..=255u8).filter(along));
            // A smaller alphabet would leave more tokens to follow one by one.
            if chain.states.len() > 1 && alphabet != chain.alphabet {
                return chain;
            }
            chain.alphabet = alphabet;
            chain.live.add_all((0..=255u8).filter(|&byte| from[usize::from(byte)] != Destination::Dead));
            chain.turn = chain.states.iter().position(|&state| state == next);
            if chain.turn.is_some() || chain.states.len() == LONGEST_CHAIN {
                return chain;
            }
            chain.states.push(next);
        }
    }

    /// The number of tokens that begin with a live byte, and the state to which the first character of most of them leads.
    fn main_target(&self, targets: &[Destination; 256]) -> (usize, Option<u32>) {
        let mut alive = 0;
        let mut weights: Vec<(u32, usize)> = Vec::new();
        for (target, first) in targets.iter().zip(&self.first) {
            if *target != Destination::Dead {
                alive += first.len();
            }
            if let Destination::One(state) = *target {
                match weights.iter_mut().find(|(other, _)| *other == state) {
                    Some((_, weight)) => *weight += first.len(),
                    None => weights.push((state, first.len())),
                }
            }
        }
        (alive, weights.into_iter().max_by_key(|(_, weight)| *weight).map(|(state, _)| state))
    }

    fn run(&self, search: &Search, strings: &Strings, state: u32, inside: &InsideTokens) -> Allowed {
        let mut set = TokenSet::new(self.complete.len());
        let mut reach = Cost::ZERO;
        let fits = |count: &usize| {
            search.chain.after(*count).is_some_and(|state| !strings.rest(state, *count as u32).is_never())
        };
        // The characters that the string needs in all only grow along the chain, so the counts that fit are the first ones.
        let most = (1..self.longer.len()).take_while(fits).count();
        if most > 0 {
            set.union(&self.made_of(search.chain.alphabet));
            search.removed.iter().cloned().flatten().for_each(|index| set.remove(self.tokens[index as usize]));
            inside.whole.keep_short(most as u32, &mut set);
            let costs = search.chain.states.iter().map(|&state| strings.cost_between(state).without(1));
            reach = Cost::greatest(costs);
        }
        // A token is in a list for each of its characters; this keeps it from being followed again.
        let mut followed = TokenSet::new(self.complete.len());
        let others = search.others.iter().copied().flatten().copied();
        for index in others.chain(search.beginning.iter().cloned().flatten()) {
            let token = self.tokens[index as usize];
            if followed.contains(token) {
                continue;
            }
            followed.insert(token);
            let rest = self.rest_after(index, strings, state);
            if !rest.is_never() {
                set.insert(token);
                reach = reach.max(rest);
            }
        }
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        for &index in &self.containing[usize::from(b'\\')] {
            if let Some(end) = self.follow(index, strings, start) {
                set.insert(self.tokens[index as usize]);
                reach = reach.max(strings.cost(&end).without(1));
            }
        }
        (set, reach)
    }

    /// The tokens along which a string stays open, by the state after each, from a state between characters; `None` where a walk finds them
    /// as fast. The number of characters is not bounded.
    pub(super) fn by_state(&self, strings: &Strings, state: u32, inside: &InsideTokens) -> Option<StatesAfter> {
        let search = self.search(strings, state).filter(Search::pays)?;
        Some(self.states_after(&search, strings, state, inside))
    }

    fn states_after(&self, search: &Search, strings: &Strings, state: u32, inside: &InsideTokens) -> StatesAfter {
        let mut found = StatesAfter::default();
        let mut set = TokenSet::new(self.complete.len());
        set.union(&self.made_of(search.chain.alphabet));
        search.removed.iter().cloned().flatten().for_each(|index| set.remove(self.tokens[index as usize]));
        if let (&[only], Some(_)) = (&*search.chain.states, search.chain.turn) {
            found.sets.push((only, set));
        } else {
            for count in 1..self.longer.len() {
                let Some(state) = search.chain.after(count) else { break };
                let mut own = TokenSet::new(self.complete.len());
                inside.whole.add_between(count as u32, count as u32, &mut own);
                own.intersect(set.words());
                match found.sets.iter_mut().find(|(known, _)| *known == state) {
                    Some((_, known)) => known.union(own.words()),
                    None => found.sets.push((state, own)),
                }
            }
        }
        // As for the set of all: a token is in a list for each of its characters.
        let mut followed = TokenSet::new(self.complete.len());
        let others = search.others.iter().copied().flatten().copied();
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        let escaped = &self.containing[usize::from(b'\\')];
        for index in others.chain(search.beginning.iter().cloned().flatten()).chain(escaped.iter().copied()) {
            let token = self.tokens[index as usize];
            if followed.contains(token) {
                continue;
            }
            followed.insert(token);
            if let Some(end) = self.follow(index, strings, start) {
                found.others.push((end, token));
            }
        }
        found
    }

    /// The state after a token, which may contain escapes.
    fn follow(&self, index: u32, strings: &Strings, start: StringState) -> Option<StringState> {
        self.text_of(index).iter().try_fold(start, |at, &byte| strings.step(&at, byte))
    }

    /// The cost of the string after a token without escapes, the closing quote not counted. It is faster than [`Self::follow`], which has
    /// to count characters and decode escapes at each byte.
    fn rest_after(&self, index: u32, strings: &Strings, mut state: u32) -> Cost {
        for &byte in self.text_of(index) {
            if byte == b'\\' {
                return Cost::NEVER;
            }
            state = strings.characters.dfa.next(state, byte);
            if state == 0 {
                return Cost::NEVER;
            }
        }
        strings.rest(state, self.lengths[index as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::automaton::residual::Reach;
    use crate::json::language::strings::any_strings;
    use crate::json::language::strings::{Characters, Escapes};
    use crate::json::tokens::frame::Frame;
    use crate::regex;
    use crate::regex::Dialect;
    use crate::vocabulary::trie::Trie;
    use std::sync::Arc;

    const PIECES: [&[u8]; 14] = [
        b"a",
        b"Z",
        b"0",
        b"-",
        b"/",
        b" ",
        b"@",
        b"\\n",
        b"\\u00e9",
        b"\\",
        "é".as_bytes(),
        "\u{2028}".as_bytes(),
        "😀".as_bytes(),
        b"\xE2\x80",
    ];

    const PATTERNS: [&str; 9] = [
        "^.+$",
        "^[^/]+(/[^/]+)*$",
        r"^\S+@\S+$",
        "^-.*$",
        "^[aZ é]*$",
        "^(..)*$",
        "^[^0]{3}[^a]*$",
        "^[a0-]{1,9}$",
        "^(.{3})*a?$",
    ];

    /// All sequences of two or three pieces, the latter with a slash behind them too.
    fn words() -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        for a in PIECES {
            for b in PIECES {
                words.push([a, b].concat());
                words.extend(PIECES.iter().flat_map(|c| [&b""[..], b"/"].map(|d| [a, b, c, d].concat())));
            }
        }
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Asserts that the set has the words along which a string stays open, and that the cost bounds that after each of them.
    fn check(words: &[Vec<u8>], (set, reach): Allowed, strings: &Strings, state: u32, context: &str) {
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        let mut most = Cost::ZERO;
        for (id, word) in (0u32..).zip(words) {
            let end = word.iter().try_fold(start, |at, &byte| strings.step(&at, byte));
            most = most.max(end.map_or(Cost::ZERO, |end| strings.cost(&end).without(1)));
            assert_eq!(set.contains(id), end.is_some(), "{context}: {:?}", String::from_utf8_lossy(word));
        }
        assert!(reach >= most, "{context}: {reach:?} {most:?}");
    }

    #[test]
    fn the_search_by_state_finds_the_state_after_each_token_of_a_walk() {
        let words = words();
        let tokens: Vec<Option<Vec<u8>>> = words.iter().cloned().map(Some).collect();
        let (trie, size) = (Trie::new(&tokens), tokens.len().div_ceil(32));
        let any = any_strings(Characters::any().expect("small"), 0, u32::MAX - 1);
        let frame = Frame::new(any.characters.clone(), Escapes::Usual, 0, &trie, size);
        let alphabets = Alphabets::new(&any, 0, &trie, size);
        let mut searched = 0;
        for pattern in PATTERNS {
            let limits = DfaLimits { states: 9999, bytes: 1 << 22 };
            let dfa = regex::anywhere(pattern, Dialect::Ecma, limits).expect("a regex");
            let characters = Arc::new(Characters::new(dfa, &any.characters.dfa));
            let strings = any_strings(characters.clone(), 0, u32::MAX);
            let between = |state: &u32| strings.characters.reach(*state) != Reach::Within;
            for state in (1..characters.dfa.len() as u32).filter(between) {
                let Some(search) = alphabets.search(&strings, state) else { continue };
                let found = alphabets.states_after(&search, &strings, state, &frame.inside);
                searched += 1;
                let start = StringState { state, count: 0, decoder: Decoder::Body };
                for (id, word) in (0u32..).zip(&words) {
                    let end = word.iter().try_fold(start, |at, &byte| strings.step(&at, byte));
                    let in_sets =
                        found.sets.iter().filter(|(_, set)| set.contains(id)).map(|&(state, _)| (state, Decoder::Body));
                    let others = found.others.iter().filter(|(_, token)| *token == id);
                    let all: Vec<_> = in_sets.chain(others.map(|(end, _)| (end.state, end.decoder))).collect();
                    let expected: Vec<_> = end.iter().map(|end| (end.state, end.decoder)).collect();
                    assert_eq!(all, expected, "{pattern} {state}: {:?}", String::from_utf8_lossy(word));
                }
            }
        }
        assert!(searched > 20, "{searched}");
    }

    #[test]
    fn the_search_finds_the_tokens_of_a_walk_in_every_state_and_is_narrowed_to_every_bound() {
        let words = words();
        let tokens: Vec<Option<Vec<u8>>> = words.iter().cloned().map(Some).collect();
        let (trie, size) = (Trie::new(&tokens), tokens.len().div_ceil(32));
        let any = any_strings(Characters::any().expect("small"), 0, u32::MAX - 1);
        let frame = Frame::new(any.characters.clone(), Escapes::Usual, 0, &trie, size);
        let alphabets = Alphabets::new(&any, 0, &trie, size);
        let (mut searched, mut narrowed) = (0, 0);
        for pattern in PATTERNS {
            let limits = DfaLimits { states: 9999, bytes: 1 << 22 };
            let dfa = regex::anywhere(pattern, Dialect::Ecma, limits).expect("a regex");
            let characters = Arc::new(Characters::new(dfa, &any.characters.dfa));
            for max in [u32::MAX, u32::MAX - 1, 0, 2, 5] {
                let strings = any_strings(characters.clone(), 0, max);
                let between = |state: &u32| strings.characters.reach(*state) != Reach::Within;
                for state in (1..characters.dfa.len() as u32).filter(between) {
                    let context = format!("{pattern} {max} {state}");
                    if let Some(search) = alphabets.search(&strings, state) {
                        searched += 1;
                        check(
                            &words,
                            alphabets.run(&search, &strings, state, &frame.inside),
                            &strings,
                            state,
                            &context,
                        );
                    }
                    if max > 5 {
                        continue;
                    }
                    let unbounded = any_strings(characters.clone(), 0, u32::MAX - 1);
                    let start = StringState { state, count: 0, decoder: Decoder::Body };
                    let mut all = TokenSet::new(size);
                    for (id, word) in (0u32..).zip(&words) {
                        if word.iter().try_fold(start, |at, &byte| unbounded.step(&at, byte)).is_some() {
                            all.insert(id);
                        }
                    }
                    narrowed += 1;
                    let found = alphabets.narrowed(&strings, state, Some(&Tokens::of_set(&all)), &frame.inside);
                    check(&words, found, &strings, state, &context);
                }
            }
        }
        assert_eq!((searched, narrowed), (160, 99));
    }
}
