//! The tokens inside a string by the characters that they are made of.
//!
//! In most states of a string's automaton nearly all characters lead to one state, and from there to itself: `[^/]+`, `\S*` and
//! the middle of a URI are so. Or they lead on along a chain, as in `\w{1,64}`. Every token that is made of those characters
//! alone is allowed, which is known without a walk through the automaton; what remains are the tokens in which another character
//! occurs, and those are few.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::collections::byte_set::ByteSet;
use crate::collections::cache::Cache;
use crate::json::language::strings::{Decoder, StringState, Strings};
use crate::json::tokens::by_length::InsideTokens;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use std::ops::Range;
use std::sync::Arc;

/// In states that allow fewer tokens, by their first bytes, a walk along them is fast.
const MANY_TOKENS: usize = 4096;

/// A walk is as fast if more of the tokens, in percent, have to be looked at one by one.
const MOST_OTHERS: usize = 60;

/// Where fewer characters lead nowhere, many tokens are longer.
const SHORT_DISTANCE: u32 = 8;

/// A chain of states is followed no further; few tokens have more characters.
const LONGEST_CHAIN: usize = 40;

/// So many sets of tokens are remembered, one for each set of characters.
const MOST_KNOWN: usize = 64;

/// The tokens below a node of the trie that do not close a string, in the order of their bytes.
#[derive(Debug)]
pub(crate) struct Alphabets {
    tokens: Vec<u32>,
    /// What they spell, one behind the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<u32>,
    /// How many characters begin in each.
    lengths: Vec<u32>,
    /// All tokens, the longest first, and how many have more characters than the index.
    by_length: Vec<u32>,
    longer: Vec<usize>,
    /// By the byte that begins a character: the tokens (as indices) that begin with it, and those in which it occurs.
    first: Vec<Range<u32>>,
    containing: Vec<Vec<u32>>,
    /// Those which occur in so many tokens that a set is faster.
    often: Vec<Option<Box<[u32]>>>,
    /// Tokens that end in the midst of a character.
    partial: Vec<u32>,
    /// The others.
    complete: Box<[u32]>,
    made: Cache<ByteSet, Arc<[u32]>>,
}

/// Where the characters that begin with some byte lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Dead,
    One(u32),
    Several,
}

/// How the tokens that are allowed in a state are found.
struct Search<'a> {
    /// Tokens that begin with a byte that is allowed.
    alive: usize,
    /// The states to which most characters lead one after the other.
    chain: Vec<u32>,
    /// To which of them the last one leads back.
    turn: Option<usize>,
    /// The characters that lead along the chain.
    alphabet: ByteSet,
    /// What has to be looked at: tokens in which another character occurs, and those that begin differently.
    others: Vec<&'a [u32]>,
    beginning: Vec<Range<u32>>,
    /// Tokens of the alphabet's characters that do not begin as they should.
    removed: Vec<Range<u32>>,
}

/// States that most characters lead along.
struct Chain {
    states: Vec<u32>,
    turn: Option<usize>,
    alphabet: ByteSet,
    /// The bytes with which characters begin that lead anywhere.
    leading_on: ByteSet,
}

impl Search<'_> {
    /// The state after so many characters of the alphabet, as far as the chain goes.
    fn after(&self, count: usize) -> Option<u32> {
        let (at, len) = (count - 1, self.chain.len());
        match self.turn {
            Some(turn) if at >= len => Some(self.chain[turn + (at - len) % (len - turn)]),
            _ => self.chain.get(at).copied(),
        }
    }

    /// Whether this is faster than a walk.
    fn pays(&self) -> bool {
        let others = self.others.iter().map(|indices| indices.len()).sum::<usize>();
        let beginning = self.beginning.iter().map(|range| range.len()).sum::<usize>();
        self.alive >= MANY_TOKENS && (others + beginning) * 100 <= self.alive * MOST_OTHERS
    }
}

/// The tokens that stay inside a string, and the greatest cost of the string after one of them.
pub(crate) type Allowed = (TokenSet, Cost);

impl Alphabets {
    /// Of the tokens below `node` along which a string of any characters stays open; `strings` are those.
    pub(crate) fn new(strings: &Strings, node: u32, trie: &Trie, words: usize) -> Alphabets {
        let mut alphabets = Alphabets {
            tokens: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
            lengths: Vec::new(),
            by_length: Vec::new(),
            longer: Vec::new(),
            first: vec![0..0; 256],
            containing: vec![Vec::new(); 256],
            often: Vec::new(),
            partial: Vec::new(),
            complete: Box::default(),
            made: Cache::new(MOST_KNOWN * words * 4),
        };
        let start = StringState { state: strings.characters.dfa.start(), count: 0, decoder: Decoder::Body };
        let complete = TokenSet::new(words);
        let mut sorting = AlphabetSorting { alphabets: &mut alphabets, strings, trie, path: Vec::new(), complete };
        sorting.sort(node, &start);
        alphabets.complete = sorting.complete.words().into();
        alphabets.by_length = (0..alphabets.tokens.len() as u32).collect();
        let lengths = &alphabets.lengths;
        alphabets.by_length.sort_unstable_by_key(|&index| std::cmp::Reverse(lengths[index as usize]));
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let more = |count| alphabets.by_length.partition_point(|&index| lengths[index as usize] > count);
        alphabets.longer = (0..=longest).map(more).collect();
        for index in 0..alphabets.tokens.len() as u32 {
            let byte = alphabets.text_of(index).first().map_or(0, |&byte| usize::from(byte));
            let range = &mut alphabets.first[byte];
            *range = if range.end == 0 { index } else { range.start }..index + 1;
        }
        let often = alphabets.containing.iter().map(|indices| {
            (indices.len() > words).then(|| {
                let mut set = TokenSet::new(words);
                indices.iter().for_each(|&index| set.insert(alphabets.tokens[index as usize]));
                set.words().into()
            })
        });
        alphabets.often = often.collect();
        alphabets
    }

    fn text_of(&self, index: u32) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.text[begin as usize..self.ends[index as usize] as usize]
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        let containing = self.containing.iter().map(|indices| indices.len() * 4).sum::<usize>();
        let often = self.often.iter().flatten().count() + MOST_KNOWN + 1;
        self.tokens.len() * 16 + self.text.len() + containing + often * self.complete.len() * 4
    }

    /// The tokens along which a string stays open, from a state between characters; `None` where a walk finds them as fast.
    /// Characters are counted up to the bound of `strings`.
    pub(crate) fn allowed(&self, strings: &Strings, state: u32, inside: &InsideTokens) -> Option<Allowed> {
        let shorter = strings.characters.distance(state).saturating_sub(1).min(strings.surely_fitting());
        if shorter >= SHORT_DISTANCE {
            return Some(self.short_or_looked_at(shorter, strings, state, inside));
        }
        let plan = self.plan(strings, state).filter(Search::pays)?;
        Some(self.find(&plan, strings, state, inside))
    }

    /// Most characters that a token begins.
    pub(crate) fn most_characters(&self) -> u32 {
        self.by_length.first().map_or(0, |&index| self.lengths[index as usize])
    }

    /// All tokens with at most so many characters, of the longer ones those along which the string stays open.
    fn short_or_looked_at(&self, shorter: u32, strings: &Strings, state: u32, inside: &InsideTokens) -> Allowed {
        let mut set = TokenSet::new(self.complete.len());
        set.union(&self.complete);
        inside.whole.keep_short(shorter, &mut set);
        let longer = self.longer.get(shorter as usize).copied().unwrap_or(0);
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        for &index in self.by_length[..longer].iter().chain(&self.partial) {
            if self.follow(index, strings, start).is_some() {
                set.insert(self.tokens[index as usize]);
            }
        }
        (set, strings.most_cost() + inside.most_tail)
    }

    fn plan(&self, strings: &Strings, state: u32) -> Option<Search<'_>> {
        let targets = Destinations::new(&strings.characters.dfa);
        let here = targets.of(state);
        let (alive, main) = self.main_target(&here);
        let Chain { states: chain, turn, alphabet, leading_on } = self.chain(&targets, main?);
        let longer = self.longer.get(chain.len()).copied().filter(|_| turn.is_none()).unwrap_or(0);
        let others = vec![&*self.partial, &self.by_length[..longer]];
        let mut plan = Search { alive, chain, turn, alphabet, others, beginning: Vec::new(), removed: Vec::new() };
        for byte in 0..=255u8 {
            let at = usize::from(byte);
            let stays = alphabet.contains(byte);
            if !stays && leading_on.contains(byte) {
                plan.others.push(&self.containing[at]);
            }
            if !stays || here[at] != Destination::One(plan.chain[0]) {
                if here[at] != Destination::Dead {
                    plan.beginning.push(self.first[at].clone());
                }
                if stays {
                    plan.removed.push(self.first[at].clone());
                }
            }
        }
        Some(plan)
    }

    /// Follows what most characters do, as long as they are the same ones.
    fn chain(&self, targets: &Destinations, first: u32) -> Chain {
        let mut chain =
            Chain { states: vec![first], turn: None, alphabet: ByteSet::ALL, leading_on: ByteSet::default() };
        loop {
            let from = targets.of(chain.states[chain.states.len() - 1]);
            let (_, Some(next)) = self.main_target(&from) else { return chain };
            let mut alphabet = ByteSet::default();
            let along = |&byte: &u8| from[usize::from(byte)] == Destination::One(next) && chain.alphabet.contains(byte);
            alphabet.add_all((0..=255u8).filter(along));
            if chain.states.len() > 1 && alphabet != chain.alphabet {
                return chain;
            }
            chain.alphabet = alphabet;
            chain.leading_on.add_all((0..=255u8).filter(|&byte| from[usize::from(byte)] != Destination::Dead));
            chain.turn = chain.states.iter().position(|&state| state == next);
            if chain.turn.is_some() || chain.states.len() == LONGEST_CHAIN {
                return chain;
            }
            chain.states.push(next);
        }
    }

    fn find(&self, plan: &Search, strings: &Strings, state: u32, inside: &InsideTokens) -> Allowed {
        let mut set = TokenSet::new(self.complete.len());
        let mut reach = Cost::ZERO;
        // How many characters a token may have so that enough are left. What the whole needs only grows with them.
        let fits =
            |count: &usize| plan.after(*count).is_some_and(|state| !strings.rest(state, *count as u32).is_never());
        let most = (1..self.longer.len()).take_while(fits).count();
        if most > 0 {
            set.union(&self.made_of(plan.alphabet));
            plan.removed.iter().cloned().flatten().for_each(|index| set.remove(self.tokens[index as usize]));
            inside.whole.keep_short(most as u32, &mut set);
            let costs = plan.chain.iter().map(|&state| strings.cost_between(state).without(1));
            reach = Cost::greatest(costs);
        }
        let mut looked_at = TokenSet::new(self.complete.len());
        let others = plan.others.iter().copied().flatten().copied();
        for index in others.chain(plan.beginning.iter().cloned().flatten()) {
            let token = self.tokens[index as usize];
            if looked_at.contains(token) {
                continue;
            }
            looked_at.insert(token);
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

    /// The state after a token, escapes and all.
    fn follow(&self, index: u32, strings: &Strings, start: StringState) -> Option<StringState> {
        self.text_of(index).iter().try_fold(start, |at, &byte| strings.step(&at, byte))
    }

    /// As [`Self::follow`] of a token without escapes, which is faster: the cost of the string after it, the closing quote not counted.
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

    /// How many tokens may be allowed, and the state to which the first character of most of them leads.
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

    /// The tokens in which no other characters occur than those that begin with these bytes.
    fn made_of(&self, alphabet: ByteSet) -> Arc<[u32]> {
        let make = || {
            let mut set = TokenSet::new(self.complete.len());
            set.union(&self.complete);
            for byte in (0..=255u8).filter(|&byte| !alphabet.contains(byte)) {
                match &self.often[usize::from(byte)] {
                    Some(words) => set.subtract(words),
                    None => {
                        let indices = &self.containing[usize::from(byte)];
                        indices.iter().for_each(|&index| set.remove(self.tokens[index as usize]));
                    }
                }
            }
            set.words().into()
        };
        self.made.get_or_make(alphabet, |_, words: &Arc<[u32]>| words.len() * 4, make)
    }
}

/// The tokens that are being sorted by their characters.
struct AlphabetSorting<'a> {
    alphabets: &'a mut Alphabets,
    strings: &'a Strings,
    trie: &'a Trie,
    /// What leads to the node that is looked at.
    path: Vec<u8>,
    /// The tokens that end between characters.
    complete: TokenSet,
}

impl AlphabetSorting<'_> {
    fn sort(&mut self, node: u32, state: &StringState) {
        let (strings, trie) = (self.strings, self.trie);
        for child in trie.children(node) {
            let byte = trie.byte(child);
            let closes = state.decoder == Decoder::Body && byte == b'"';
            let Some(next) = strings.step(state, byte).filter(|_| !closes) else { continue };
            self.path.push(byte);
            self.add(trie.own(child), &next);
            self.sort(child, &next);
            self.path.pop();
        }
    }

    /// The tokens that end at the node, in this state.
    fn add(&mut self, tokens: &[u32], state: &StringState) {
        let (alphabets, path) = (&mut *self.alphabets, &self.path);
        let mut bytes = ByteSet::default();
        // The backslash stands for all that it may begin.
        bytes.add_all(path.iter().copied().filter(|byte| byte & 0xC0 != 0x80));
        for &token in tokens {
            let index = alphabets.tokens.len() as u32;
            alphabets.tokens.push(token);
            alphabets.text.extend_from_slice(path);
            alphabets.ends.push(alphabets.text.len() as u32);
            alphabets.lengths.push(state.count);
            bytes.iter().for_each(|byte| alphabets.containing[usize::from(byte)].push(index));
            if self.strings.cost(state) == 1 {
                self.complete.insert(token);
            } else {
                alphabets.partial.push(index);
            }
        }
    }
}

/// The bytes that may follow the first byte of a character, by what they do to the second one: RFC 3629, section 4.
const SECOND: [(Range<u8>, u8, u8, usize); 8] = [
    (0xC2..0xE0, 0x80, 0xBF, 1),
    (0xE0..0xE1, 0xA0, 0xBF, 2),
    (0xE1..0xED, 0x80, 0xBF, 2),
    (0xED..0xEE, 0x80, 0x9F, 2),
    (0xEE..0xF0, 0x80, 0xBF, 2),
    (0xF0..0xF1, 0x90, 0xBF, 3),
    (0xF1..0xF4, 0x80, 0xBF, 3),
    (0xF4..0xF5, 0x80, 0x8F, 3),
];

/// Where characters lead in an automaton over UTF-8.
struct Destinations<'a> {
    dfa: &'a Dfa,
    /// For each row of [`SECOND`] the bytes that come second, one of each kind.
    second: Vec<Vec<u8>>,
    /// The bytes that come later, one of each kind.
    later: Vec<u8>,
}

impl Destinations<'_> {
    fn new(dfa: &Dfa) -> Destinations<'_> {
        let second = SECOND.iter().map(|&(_, low, high, _)| dfa.kinds_among(low..=high)).collect();
        Destinations { dfa, second, later: dfa.kinds_among(0x80..=0xBF) }
    }

    /// By the byte that begins a character. Quotes and backslashes are not characters here, and lead nowhere.
    fn of(&self, state: u32) -> [Destination; 256] {
        let mut targets = [Destination::Dead; 256];
        for byte in (0x20..0x80u8).filter(|byte| !matches!(byte, b'"' | b'\\')) {
            let next = self.dfa.next(state, byte);
            targets[usize::from(byte)] = if next == 0 { Destination::Dead } else { Destination::One(next) };
        }
        for ((leads, _, _, rest), second) in SECOND.iter().zip(&self.second) {
            let mut before = None;
            for lead in leads.clone() {
                let next = self.dfa.next(state, lead);
                let target = match before {
                    Some((other, target)) if other == next => target,
                    _ => self.after(next, second, *rest),
                };
                before = Some((next, target));
                targets[usize::from(lead)] = target;
            }
        }
        targets
    }

    /// Where all ways to complete a character lead.
    fn after(&self, state: u32, bytes: &[u8], rest: usize) -> Destination {
        let mut found = None;
        for &byte in bytes {
            let next = self.dfa.next(state, byte);
            let target = match (next, rest) {
                (0, _) => Destination::Dead,
                (next, 1) => Destination::One(next),
                _ => self.after(next, &self.later, rest - 1),
            };
            if target == Destination::Several || found.is_some_and(|found| found != target) {
                return Destination::Several;
            }
            found = Some(target);
        }
        found.unwrap_or(Destination::Dead)
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

    /// What is found by characters is what is found token by token, in all states that are near, for all bounds.
    #[test]
    fn tokens_by_their_characters_are_those_that_a_walk_finds() {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let pieces: [&[u8]; 14] = [
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
        for a in pieces {
            for b in pieces {
                words.push([a, b].concat());
                words.extend(pieces.iter().flat_map(|c| [&b""[..], b"/"].map(|d| [a, b, c, d].concat())));
            }
        }
        words.sort_unstable();
        words.dedup();
        let tokens: Vec<Option<Vec<u8>>> = words.iter().cloned().map(Some).collect();
        let (trie, size) = (Trie::new(&tokens), tokens.len().div_ceil(32));
        let any = any_strings(Characters::any().expect("small"), 0, u32::MAX - 1);
        let frame = Frame::new(any.characters.clone(), Escapes::Usual, 0, &trie, size);
        let alphabets = Alphabets::new(&any, 0, &trie, size);
        let mut compared = 0;
        for pattern in [
            "^.+$",
            "^[^/]+(/[^/]+)*$",
            r"^\S+@\S+$",
            "^-.*$",
            "^[aZ é]*$",
            "^(..)*$",
            "^[^0]{3}[^a]*$",
            "^[a0-]{1,9}$",
            "^(.{3})*a?$",
        ] {
            let limits = DfaLimits { states: 9999, bytes: 1 << 22 };
            let dfa = regex::anywhere(pattern, Dialect::Ecma, limits).expect("a regex");
            let characters = Arc::new(Characters::new(dfa, &any.characters.dfa));
            for max in [u32::MAX, u32::MAX - 1, 0, 2, 5] {
                let strings = any_strings(characters.clone(), 0, max);
                for state in 1..characters.dfa.len() as u32 {
                    if strings.characters.reach(state) == Reach::Within {
                        continue;
                    }
                    let found = alphabets
                        .plan(&strings, state)
                        .map(|plan| alphabets.find(&plan, &strings, state, &frame.inside));
                    let distance = strings.characters.distance(state);
                    let shorter = distance.saturating_sub(1).min(strings.surely_fitting());
                    let short = (1..6)
                        .contains(&shorter)
                        .then(|| alphabets.short_or_looked_at(shorter, &strings, state, &frame.inside));
                    for (set, reach) in found.into_iter().chain(short) {
                        compared += 1;
                        let start = StringState { state, count: 0, decoder: Decoder::Body };
                        let mut most = Cost::ZERO;
                        for (id, word) in (0u32..).zip(&words) {
                            let end = word.iter().try_fold(start, |at, &byte| strings.step(&at, byte));
                            most = most.max(end.map_or(Cost::ZERO, |end| strings.cost(&end).without(1)));
                            let text = String::from_utf8_lossy(word);
                            assert_eq!(set.contains(id), end.is_some(), "{pattern} {max} {state} {text:?}");
                        }
                        assert!(reach >= most, "{pattern} {max} {state}: {reach:?} {most:?}");
                    }
                }
            }
        }
        assert!(compared > 20, "{compared}");
    }
}
