//! The tokens that lie within a JSON string, worked out once for each state of the string's automaton.
//!
//! Inside a string a great many tokens are allowed, so walking the trie of the vocabulary there with the whole state of the
//! output would cost milliseconds. Only two things matter of a token: whether it stays inside (and how many characters it
//! begins), and, if it closes the string, what follows the quote. Tokens are kept by the one and by the other. Where every
//! character is allowed the number of characters is all that bounds matter to, so one set serves all lengths.

use super::strings::{Decoder, Escapes, StringState, Strings};
use crate::automaton::Automaton;
use crate::mask::TokenSet;
use crate::trie::Trie;
use foldhash::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Below this number of tokens a list takes less than a set.
const FEW_TOKENS: usize = 4096;

/// The tokens below a node of the trie by what they do to a string in some state.
#[derive(Debug)]
pub(crate) struct StringClasses {
    inside: Inside,
    /// Tokens that end in the midst of a character or of its escape.
    partial: Vec<Partial>,
    /// What follows the closing quote of tokens that close the string.
    suffixes: Trie,
    /// The tokens by the number that they have in `suffixes`.
    closing: Vec<Vec<Closing>>,
    /// Tokens that close the string and nothing more.
    bare: Vec<Closing>,
    /// Greatest cost of the string after a token that does not close it, the closing quote not counted.
    reach: u32,
}

/// Tokens that do not close the string and end between characters, by the characters that they begin.
#[derive(Debug)]
enum Inside {
    /// With at most `n` characters, as a set.
    Sets(Vec<Box<[u32]>>),
    /// Ordered by their characters; those with at most `n` end at `ends[n]`.
    List { tokens: Vec<u32>, ends: Vec<u32> },
}

/// A token that closes the string, the characters that it begins before the quote, and the state of the automaton there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Closing {
    token: u32,
    characters: u32,
    state: u32,
}

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

/// What a set of classes is for: the automaton, its state, the node of the trie, the spelling, and how many characters
/// there is room for.
type ClassesKey = (u64, u32, u32, Escapes, u32);

/// Classes that were worked out, for all guides of a vocabulary. Emptied when full: what is in use soon comes back.
#[derive(Debug)]
pub(crate) struct ClassesCache {
    known: Mutex<(HashMap<ClassesKey, Arc<StringClasses>>, usize)>,
    limit: usize,
}

impl ClassesCache {
    pub(crate) fn new(limit: usize) -> ClassesCache {
        ClassesCache { known: Mutex::default(), limit }
    }

    /// The classes of the tokens below `node`, for a string in a state between characters.
    pub(crate) fn get(
        &self,
        strings: &Strings,
        at: &StringState,
        node: u32,
        trie: &Trie,
        words: usize,
    ) -> Arc<StringClasses> {
        let universal = strings.characters.is_universal(at.state);
        let longest = trie.depth() + strings.characters.most_needed();
        let room = if universal || strings.max == u32::MAX { u32::MAX } else { strings.max - at.count };
        let room = if room >= longest { u32::MAX } else { room };
        let key = (strings.characters.id(), at.state, node, strings.escapes, room);
        if let Some(found) = self.known.lock().unwrap_or_else(PoisonError::into_inner).0.get(&key) {
            return found.clone();
        }
        let classes = Arc::new(StringClasses::new(strings, at.state, room, node, trie, words));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, bytes) = &mut *known;
        let size = classes.size();
        if *bytes + size > self.limit {
            known.clear();
            *bytes = 0;
        }
        *bytes += size;
        known.insert(key, classes.clone());
        classes
    }
}

impl StringClasses {
    /// For strings in `state` that have room for so many characters (`u32::MAX`: the number does not matter).
    fn new(strings: &Strings, state: u32, room: u32, node: u32, trie: &Trie, words: usize) -> StringClasses {
        // Characters are counted from here.
        let counted = Strings { min: 0, max: if room == u32::MAX { u32::MAX - 1 } else { room }, ..strings.clone() };
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        let universal = strings.characters.is_universal(state);
        let mut sorted = Sorted { inside: Vec::new(), partial: Vec::new(), closing: Vec::new(), reach: 0, universal };
        sorted.sort(&counted, trie, node, &start, room == u32::MAX);
        let number: usize = sorted.inside.iter().map(Vec::len).sum();
        let inside = if number < FEW_TOKENS {
            let mut ends = Vec::with_capacity(sorted.inside.len());
            let mut tokens = Vec::with_capacity(number);
            for level in &sorted.inside {
                tokens.extend_from_slice(level);
                ends.push(tokens.len() as u32);
            }
            Inside::List { tokens, ends }
        } else {
            let (mut sets, mut set): (Vec<Box<[u32]>>, _) = (Vec::new(), TokenSet::new(words));
            for (i, tokens) in sorted.inside.iter().enumerate() {
                set.insert_all(tokens);
                // Where bounds are built in, all tokens fit.
                if universal || i + 1 == sorted.inside.len() {
                    sets.push(set.words().into());
                }
            }
            Inside::Sets(sets)
        };
        let (mut suffixes, mut closing): (Vec<Option<Vec<u8>>>, Vec<Vec<Closing>>) = (Vec::new(), Vec::new());
        let mut bare = Vec::new();
        sorted.closing.sort();
        for (suffix, one) in sorted.closing {
            match closing.last_mut() {
                _ if suffix.is_empty() => bare.push(one),
                Some(tokens) if suffixes.last().is_some_and(|last| last.as_ref() == Some(&suffix)) => tokens.push(one),
                _ => {
                    suffixes.push(Some(suffix));
                    closing.push(vec![one]);
                }
            }
        }
        let suffixes = Trie::new(&suffixes);
        StringClasses { inside, partial: sorted.partial, suffixes, closing, bare, reach: sorted.reach }
    }

    /// Memory in bytes.
    fn size(&self) -> usize {
        let inside = match &self.inside {
            Inside::Sets(sets) => sets.iter().map(|set| set.len() * 4).sum(),
            Inside::List { tokens, ends } => (tokens.len() + ends.len()) * 4,
        };
        let closing = self.closing.iter().map(|tokens| tokens.len() * 12 + 24).sum::<usize>();
        inside + self.partial.len() * 12 + self.suffixes.len() * 20 + closing + self.bare.len() * 12 + 200
    }

    /// Greatest cost of the string after a token that does not close it, the closing quote not counted.
    pub(crate) fn reach(&self) -> u32 {
        self.reach
    }

    /// Adds the tokens that do not close the string, of which `cost` is the cost so far. Returns the greatest cost after any
    /// of them, where only the midst of characters adds to it.
    pub(crate) fn add_inside(&self, cost: u32, room: Room, set: &mut TokenSet) -> u32 {
        let most = room.most as usize;
        match &self.inside {
            Inside::Sets(sets) => {
                if let Some(words) = sets.get(most).or(sets.last()) {
                    set.union(words);
                }
            }
            Inside::List { tokens, ends } => {
                let end = ends.get(most).or(ends.last()).copied().unwrap_or(0);
                set.insert_all(&tokens[..end as usize]);
            }
        }
        let mut reach = cost;
        for partial in &self.partial {
            let after = cost.saturating_add(partial.tail);
            if partial.characters <= room.most && after <= room.bytes {
                set.insert(partial.token);
                reach = reach.max(after);
            }
        }
        reach
    }

    /// Adds the tokens that close the string in one of the states for which `closes` holds, and of which the rest is
    /// allowed in `after`, the state after the quote. Returns the greatest cost after any of them.
    ///
    /// Tokens that lead beyond a state for which `stop` holds are not looked into; they are added to `deferred`.
    pub(crate) fn add_closing<A: Automaton>(
        &self,
        automaton: &A,
        after: &A::State,
        room: Room,
        rules: &Rules<impl Fn(u32) -> bool, impl Fn(&A::State) -> bool>,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        let cost = automaton.cost(after);
        if cost <= room.bytes {
            for one in self.bare.iter().filter(|one| room.fits(one) && (rules.closes)(one.state)) {
                set.insert(one.token);
                reach = cost;
            }
        }
        self.walk_suffixes(automaton, (0, after), room, rules, deferred, set).max(reach)
    }

    fn walk_suffixes<A: Automaton>(
        &self,
        automaton: &A,
        (node, state): (u32, &A::State),
        room: Room,
        rules: &Rules<impl Fn(u32) -> bool, impl Fn(&A::State) -> bool>,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> u32 {
        let fits = |one: &&Closing| room.fits(one) && (rules.closes)(one.state);
        let mut reach = 0;
        for child in self.suffixes.children(node) {
            let Some(next) = automaton.step(state, self.suffixes.byte(child)) else { continue };
            for &suffix in self.suffixes.own(child) {
                let mut fitting = self.closing[suffix as usize].iter().filter(fits).peekable();
                if fitting.peek().is_none() {
                    continue;
                }
                let cost = automaton.cost(&next);
                if cost <= room.bytes {
                    fitting.for_each(|one| set.insert(one.token));
                    reach = reach.max(cost);
                }
            }
            if (rules.stop)(&next) {
                let below = (child + 1..self.suffixes.end(child)).flat_map(|node| self.suffixes.own(node));
                let tokens = below.flat_map(|&suffix| &self.closing[suffix as usize]).filter(fits);
                deferred.extend(tokens.map(|one| one.token));
            } else {
                reach = reach.max(self.walk_suffixes(automaton, (child, &next), room, rules, deferred, set));
            }
        }
        reach
    }
}

/// In which states of the string's automaton the quote counts, and where the walk after it stops.
pub(crate) struct Rules<C, S> {
    pub(crate) closes: C,
    pub(crate) stop: S,
}

impl Room {
    fn fits(self, one: &Closing) -> bool {
        (self.least..=self.most).contains(&one.characters)
    }
}

struct Sorted {
    /// By the number of characters begun.
    inside: Vec<Vec<u32>>,
    partial: Vec<Partial>,
    /// What follows the quote, and the token.
    closing: Vec<(Vec<u8>, Closing)>,
    reach: u32,
    /// Whether every character is allowed from where the tokens begin.
    universal: bool,
}

impl Sorted {
    fn sort(&mut self, strings: &Strings, trie: &Trie, node: u32, state: &StringState, unbounded: bool) {
        for child in trie.children(node) {
            let byte = trie.byte(child);
            if state.decoder == Decoder::Body && byte == b'"' {
                // Closed, unless in the midst of a character.
                if strings.characters.dfa.accepts_at(state.state) {
                    self.collect(trie, child, &mut Vec::new(), state);
                }
                continue;
            }
            let next = match (state.decoder, byte) {
                // Without bounds what stands for itself is a step of the automaton and nothing more.
                (Decoder::Body, 0x20..) if unbounded && byte != b'\\' => {
                    let count = state.count + u32::from(byte & 0xC0 != 0x80);
                    let next = strings.characters.dfa.next(state.state, byte);
                    StringState { state: next, count, decoder: Decoder::Body }
                }
                _ => match strings.step(state, byte) {
                    Some(next) => next,
                    None => continue,
                },
            };
            if next.state == 0 {
                continue;
            }
            let own = trie.own(child);
            if !own.is_empty() {
                self.add(strings, own, &next);
            }
            if trie.end(child) > child + 1 {
                self.sort(strings, trie, child, &next, unbounded);
            }
        }
    }

    fn add(&mut self, strings: &Strings, tokens: &[u32], state: &StringState) {
        let count = state.count as usize;
        // Without the closing quote.
        let cost = strings.cost(state).saturating_sub(1);
        self.reach = self.reach.max(cost);
        if cost == 0 || !self.universal {
            if self.inside.len() <= count {
                self.inside.resize(count + 1, Vec::new());
            }
            self.inside[count].extend(tokens);
        } else {
            let characters = state.count;
            self.partial.extend(tokens.iter().map(|&token| Partial { token, characters, tail: cost }));
        }
    }

    fn collect(&mut self, trie: &Trie, node: u32, suffix: &mut Vec<u8>, at: &StringState) {
        let closing = |token: &u32| Closing { token: *token, characters: at.count, state: at.state };
        self.closing.extend(trie.own(node).iter().map(|token| (suffix.clone(), closing(token))));
        for child in trie.children(node) {
            suffix.push(trie.byte(child));
            self.collect(trie, child, suffix, at);
            suffix.pop();
        }
    }
}
