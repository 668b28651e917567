//! The tokens that lie within a JSON string, worked out once for each state of the string's automaton.
//!
//! Inside a string a great many tokens are allowed, so walking the trie of the vocabulary there with the whole state of the
//! output would cost milliseconds. What tokens do to a string of any characters is known ([`Frame`]). Of a string's state
//! there remains which of them stay inside, which is all wherever whatever comes can be completed, and in which state of the
//! automaton each of the others comes to its quote.

use super::digits::NumberClasses;
use super::frame::{AfterQuote, Closing, Frame};
use super::shape::Numbers;
use super::strings::{Characters, Decoder, Escapes, GREATEST_BYTE, Reach, StringState, Strings};
use crate::mask::{TokenSet, Tokens};
use crate::trie::Trie;
use foldhash::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The tokens below a node of the trie by what they do to a string in some state.
#[derive(Debug)]
pub(crate) struct StringClasses {
    frame: Arc<Frame>,
    inside: Inside,
    quotes: Quotes,
    /// Greatest cost of the string after a token that does not close it, the closing quote not counted.
    reach: u32,
}

/// Tokens that do not close the string.
#[derive(Debug)]
enum Inside {
    /// All of the frame.
    Frame,
    Tokens(Tokens),
}

/// The states of the automaton at the quote, by what stands before it.
#[derive(Debug)]
enum Quotes {
    /// Of every prefix; 0 where the string may not be closed.
    All(Box<[u32]>),
    /// Of some prefixes, in order.
    Some(Vec<(u32, u32)>),
}

/// How many more characters a string may and must have, and how many bytes the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) bytes: u32,
}

/// A bound on the number of characters that no token meets.
pub(super) const FAR: u32 = u32::MAX - 1;

/// What a set of classes is for: the automaton, its state, the node of the trie, the spelling, and how many characters
/// there is room for.
type ClassesKey = (u64, u32, u32, Escapes, u32);

/// Classes that were worked out, for all guides of a vocabulary. Emptied when full: what is in use soon comes back.
#[derive(Debug)]
pub(crate) struct ClassesCache {
    known: Mutex<Known>,
    limit: usize,
    /// Of the whole trie, for the usual escapes and for the needed ones. Every guide wants them, so they stay.
    roots: [OnceLock<Option<Arc<Frame>>>; 2],
}

#[derive(Debug, Default)]
struct Known {
    classes: HashMap<ClassesKey, Arc<StringClasses>>,
    frames: HashMap<(u32, Escapes), Arc<Frame>>,
    /// By the automaton, its state, and the node of the trie.
    numbers: HashMap<(u64, u32, u32), Arc<NumberClasses>>,
    bytes: usize,
}

impl ClassesCache {
    pub(crate) fn new(limit: usize) -> ClassesCache {
        ClassesCache { known: Mutex::default(), limit, roots: Default::default() }
    }

    /// Works out what every guide wants, so that no mask has to wait for it.
    pub(crate) fn prepare(&self, trie: &Trie, words: usize) {
        for escapes in [Escapes::Usual, Escapes::Needed] {
            self.frame(escapes, 0, trie, words);
        }
    }

    /// The classes of the tokens below `node`, for a string in a state between characters; `None` in the midst of one.
    pub(crate) fn get(
        &self,
        strings: &Strings,
        at: &StringState,
        node: u32,
        trie: &Trie,
        words: usize,
    ) -> Option<Arc<StringClasses>> {
        let reach = strings.characters.reach(at.state);
        if reach == Reach::Within {
            return None;
        }
        let longest = trie.depth() + strings.characters.most_needed();
        let room = match strings.max {
            u32::MAX => u32::MAX,
            _ if reach == Reach::Universal => u32::MAX,
            max => Some(max - at.count).filter(|&room| room < longest).unwrap_or(FAR),
        };
        let key = (strings.characters.id(), at.state, node, strings.escapes, room);
        if let Some(found) = self.known().classes.get(&key) {
            return Some(found.clone());
        }
        let frame = self.frame(strings.escapes, node, trie, words)?;
        let classes = Arc::new(StringClasses::new(strings, at.state, room, frame, node, trie, words));
        let mut known = self.known();
        self.make_room(&mut known, classes.size());
        known.classes.insert(key, classes.clone());
        Some(classes)
    }

    /// The classes of the tokens below `node`, for a number in a state.
    pub(crate) fn of_number(
        &self,
        numbers: &Numbers,
        state: u32,
        node: u32,
        trie: &Trie,
        words: usize,
    ) -> Arc<NumberClasses> {
        let key = (numbers.id, state, node);
        if let Some(found) = self.known().numbers.get(&key) {
            return found.clone();
        }
        let classes = Arc::new(NumberClasses::new(numbers, state, node, trie, words));
        let mut known = self.known();
        self.make_room(&mut known, classes.size());
        known.numbers.insert(key, classes.clone());
        classes
    }

    fn frame(&self, escapes: Escapes, node: u32, trie: &Trie, words: usize) -> Option<Arc<Frame>> {
        let make = || Some(Arc::new(Frame::new(Characters::any().ok()?, escapes, node, trie, words)));
        if node == 0 {
            return self.roots[usize::from(escapes == Escapes::Needed)].get_or_init(make).clone();
        }
        if let Some(found) = self.known().frames.get(&(node, escapes)) {
            return Some(found.clone());
        }
        let frame = make()?;
        let mut known = self.known();
        self.make_room(&mut known, frame.size());
        known.frames.insert((node, escapes), frame.clone());
        Some(frame)
    }

    fn make_room(&self, known: &mut Known, size: usize) {
        if known.bytes + size > self.limit {
            *known = Known::default();
        }
        known.bytes += size;
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StringClasses {
    /// For strings in `state` that have room for so many characters (`u32::MAX`: without a bound).
    fn new(
        strings: &Strings,
        state: u32,
        room: u32,
        frame: Arc<Frame>,
        node: u32,
        trie: &Trie,
        words: usize,
    ) -> StringClasses {
        // Characters are counted from here.
        let strings = Strings { min: 0, max: room, ..strings.clone() };
        let start = StringState { state, count: 0, decoder: Decoder::Body };
        let quotes = Quotes::new(&strings, &start, &frame);
        let (inside, reach) = match strings.characters.reach(state) {
            Reach::Universal => (Inside::Frame, frame.most_tail()),
            // Where no token is long enough to lead nowhere, all of them are allowed.
            Reach::Open | Reach::Bounded
                if room >= FAR
                    && frame.most_characters().map_or(u32::MAX, |most| most + 1)
                        <= strings.characters.distance(state) =>
            {
                (Inside::Frame, strings.most_cost() + frame.most_tail())
            }
            _ if let Some((set, reach)) = frame.allowed(&strings, state) => {
                (Inside::Tokens(Tokens::Set(set.words().into())), reach)
            }
            _ => {
                let mut sorted = Sorted { strings: &strings, trie, inside: Vec::new(), reach: 0 };
                if room >= FAR {
                    sorted.sort_unbounded(node, state);
                } else {
                    sorted.sort(node, &start);
                }
                (Inside::Tokens(Tokens::new(sorted.inside, words)), sorted.reach)
            }
        };
        StringClasses { frame, inside, quotes, reach }
    }

    /// Memory in bytes.
    fn size(&self) -> usize {
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

    /// Greatest cost of the string after a token that does not close it, the closing quote not counted.
    pub(crate) fn reach(&self) -> u32 {
        self.reach
    }

    /// Adds the tokens that do not close the string, of which `cost` is the cost so far. Returns the greatest cost after any
    /// of them, where only the midst of characters adds to it.
    pub(crate) fn add_inside(&self, cost: u32, room: Room, set: &mut TokenSet) -> u32 {
        match &self.inside {
            Inside::Frame => return self.frame.add_inside(cost, room, set),
            Inside::Tokens(tokens) => tokens.add_to(set),
        }
        cost
    }

    /// The frame that these fill.
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether no token closes the string.
    pub(super) fn closes_nowhere(&self) -> bool {
        matches!(&self.quotes, Quotes::Some(states) if states.is_empty())
    }

    /// Adds the tokens that close the string in one of the states for which `closes` holds, and nothing more. `cost` is the cost after
    /// the quote. Returns the greatest cost after any of them.
    pub(super) fn add_bare(&self, cost: u32, room: Room, closes: impl Fn(u32) -> bool, set: &mut TokenSet) -> u32 {
        self.add_fitting([(&*self.frame.bare, cost)].into_iter(), room, closes, set)
    }

    /// Adds the tokens that close the string in one of the states for which `closes` holds, and go on with what is allowed.
    /// `after` says what may follow the quote, `cost` is the cost there. Returns the greatest cost after any of them.
    ///
    /// Tokens of which the rest was not looked into are added to `deferred`.
    pub(super) fn add_closing(
        &self,
        (after, cost): (&AfterQuote, u32),
        room: Room,
        closes: impl Fn(u32) -> bool,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> u32 {
        let longer = after.allowed(cost).map(|(suffix, cost)| (self.frame.closing(suffix), cost));
        let reach = self.add_fitting(longer, room, &closes, set);
        let beyond = after.beyond().flat_map(|suffix| self.frame.closing(suffix));
        deferred.extend(beyond.filter(|one| self.fits(one, room, &closes)).map(|one| one.token));
        reach
    }

    fn add_fitting<'a>(
        &self,
        closing: impl Iterator<Item = (&'a [Closing], u32)>,
        room: Room,
        closes: impl Fn(u32) -> bool,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        for (tokens, cost) in closing.filter(|(_, cost)| *cost <= room.bytes) {
            for one in tokens.iter().filter(|one| self.fits(one, room, &closes)) {
                set.insert(one.token);
                reach = reach.max(cost);
            }
        }
        reach
    }

    /// Whether the string may be closed by the quote of a token.
    fn fits(&self, one: &Closing, room: Room, closes: impl Fn(u32) -> bool) -> bool {
        let state = self.quotes.state(one.prefix);
        state != 0 && room.fits(one.characters) && closes(state)
    }
}

impl Room {
    fn fits(self, characters: u32) -> bool {
        (self.least..=self.most).contains(&characters)
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

    /// The state at the quote after a prefix; 0 where the string may not be closed.
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

/// Tokens that do not close the string.
struct Sorted<'a> {
    strings: &'a Strings,
    trie: &'a Trie,
    inside: Vec<u32>,
    reach: u32,
}

impl Sorted<'_> {
    fn sort(&mut self, node: u32, state: &StringState) {
        let trie = self.trie;
        for child in trie.children(node) {
            let byte = trie.byte(child);
            if state.decoder == Decoder::Body && byte == b'"' {
                continue;
            }
            let Some(next) = self.strings.step(state, byte) else { continue };
            self.add(child, || self.strings.cost(&next).saturating_sub(1));
            if trie.end(child) > child + 1 {
                self.sort(child, &next);
            }
        }
    }

    fn add(&mut self, node: u32, cost: impl FnOnce() -> u32) {
        let own = self.trie.own(node);
        if !own.is_empty() {
            self.reach = self.reach.max(cost());
            self.inside.extend_from_slice(own);
        }
    }

    /// As [`Self::sort`] where the number of characters is not bounded: what stands for itself is a step of the automaton and
    /// nothing more, so that one pass over the nodes does.
    fn sort_unbounded(&mut self, node: u32, start: u32) {
        let (strings, trie) = (self.strings, self.trie);
        let dfa = &strings.characters.dfa;
        // The states after the nodes above, and the ends of their subtrees.
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
                    self.add(child, || strings.cost(&escape).saturating_sub(1));
                    self.sort(child, &escape);
                }
                0x20..=GREATEST_BYTE => {
                    let after = dfa.next(state, byte);
                    if after == 0 {
                        continue;
                    }
                    self.add(child, || strings.cost_between(after).saturating_sub(1));
                    if child_end > child + 1 {
                        above.push((after, child_end));
                        next = child + 1;
                    }
                }
                _ => {}
            }
        }
    }
}
