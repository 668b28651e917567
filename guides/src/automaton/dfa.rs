//! Deterministic automata over bytes as tables, with the operations of a boolean algebra.

use super::Automaton;
use super::backward::Backward;
use super::determinize;
use foldhash::{HashMap, HashMapExt};
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson,
    util::start,
};
use regex_syntax::hir::Hir;

/// Cost of a state from which nothing is accepted.
pub(crate) const NEVER: u32 = u32::MAX;

/// State 0 is the dead state; every other state can reach an accepting one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dfa {
    /// Bytes of one class are never told apart.
    classes: Box<[u8; 256]>,
    /// Number of classes.
    width: usize,
    /// `table[state * width + class]` is the next state.
    table: Vec<u32>,
    accepting: Vec<bool>,
    start: u32,
}

/// How big an automaton may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DfaLimits {
    pub(crate) states: usize,
    pub(crate) bytes: usize,
}

/// The automaton would have more states than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyStates;

/// Automata side by side as one, and for each of its states theirs.
pub(crate) type SideBySide = (Dfa, Vec<Option<Box<[u32]>>>);

impl Dfa {
    /// The automaton that accepts exactly what `hir` matches from the first to the last byte.
    pub(crate) fn from_hir(hir: &Hir, limits: DfaLimits) -> Result<Dfa, TooManyStates> {
        match determinize::automaton(hir, limits)? {
            Some(dfa) => Ok(dfa),
            None => Dfa::from_assertions(hir, limits),
        }
    }

    /// As [`Dfa::from_hir`], with assertions about what is before and after a place.
    pub(crate) fn from_assertions(hir: &Hir, limits: DfaLimits) -> Result<Dfa, TooManyStates> {
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(true)
                    .shrink(false)
                    .nfa_size_limit(Some(limits.bytes))
                    .which_captures(thompson::WhichCaptures::None),
            )
            .build_from_hir(hir)
            .map_err(|_| TooManyStates)?;
        // All ways to match, not the leftmost-first one: of `a|ab` both are wanted.
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(limits.bytes))
            .determinize_size_limit(Some(limits.bytes));
        let dense = dense::Builder::new().configure(config).build_from_nfa(&nfa).map_err(|_| TooManyStates)?;
        let first = dense.start_state(&start::Config::new().anchored(Anchored::Yes)).map_err(|_| TooManyStates)?;
        let byte_classes = dense.byte_classes();
        let mut classes = Box::new([0u8; 256]);
        let mut representatives = Vec::new();
        let mut seen: HashMap<u8, u8> = HashMap::new();
        for byte in 0..=255u8 {
            classes[byte as usize] = *seen.entry(byte_classes.get(byte)).or_insert_with(|| {
                representatives.push(byte);
                (representatives.len() - 1) as u8
            });
        }
        // Matches are reported one byte late there, so a state is accepting if it matches at the end of the input.
        explore(
            classes,
            representatives.len(),
            Some(first),
            limits.states,
            |&id, class| {
                let next = dense.next_state(id, representatives[class]);
                (!dense.is_dead_state(next) && !dense.is_quit_state(next)).then_some(next)
            },
            |&id| dense.is_match_state(dense.next_eoi_state(id)),
        )
    }

    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// The next state; 0 if nothing that begins so is accepted.
    pub(crate) fn next(&self, state: u32, byte: u8) -> u32 {
        self.table[state as usize * self.width + self.classes[byte as usize] as usize]
    }

    /// The state after some bytes; 0 if nothing that goes on so is accepted.
    pub(crate) fn after(&self, state: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(state, |state, &byte| self.next(state, byte))
    }

    /// The state after one more character of a text.
    pub(crate) fn after_character(&self, state: u32, character: char) -> u32 {
        self.after(state, character.encode_utf8(&mut [0; 4]).as_bytes())
    }

    pub(crate) fn accepts_at(&self, state: u32) -> bool {
        self.accepting[state as usize]
    }

    /// How many classes of bytes there are.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The class of a byte.
    pub(super) fn class(&self, byte: u8) -> usize {
        usize::from(self.classes[usize::from(byte)])
    }

    /// The next state for each class of bytes.
    pub(super) fn row(&self, state: u32) -> &[u32] {
        &self.table[state as usize * self.width..][..self.width]
    }

    /// Number of states, the dead one included.
    pub(crate) fn len(&self) -> usize {
        self.accepting.len()
    }

    /// Whether nothing is accepted.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == 0
    }

    /// Whether exactly these bytes are accepted.
    pub(crate) fn accepts(&self, bytes: &[u8]) -> bool {
        self.accepts_at(self.after(self.start, bytes))
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        self.table.len() * 4 + self.accepting.len() + 256
    }

    /// A byte that some accepted text needs and that does not have the property.
    pub(crate) fn find_byte_without(&self, has: impl Fn(u8) -> bool) -> Option<u8> {
        (0..=255u8).find(|&byte| !has(byte) && (1..self.len() as u32).any(|state| self.next(state, byte) != 0))
    }

    /// What both sides accept, or one of them, as `keep` says.
    pub(crate) fn product(
        &self,
        other: &Dfa,
        keep: impl Fn(bool, bool) -> bool,
        limit: usize,
    ) -> Result<Dfa, TooManyStates> {
        let mut classes = Box::new([0u8; 256]);
        let mut pairs: Vec<(u8, u8)> = Vec::new();
        for byte in 0..256 {
            let pair = (self.classes[byte], other.classes[byte]);
            classes[byte] = match pairs.iter().position(|&p| p == pair) {
                Some(class) => class as u8,
                None => {
                    pairs.push(pair);
                    (pairs.len() - 1) as u8
                }
            };
        }
        // What dies on one side where the other alone does not count is dead.
        let (left, right) = (keep(true, false) || keep(false, false), keep(false, true) || keep(false, false));
        let step = |&(a, b): &(u32, u32), class: usize| {
            let next = (
                self.table[a as usize * self.width + pairs[class].0 as usize],
                other.table[b as usize * other.width + pairs[class].1 as usize],
            );
            let dead = next == (0, 0) || next.0 == 0 && !right || next.1 == 0 && !left;
            (!dead).then_some(next)
        };
        let accepts = |&(a, b): &(u32, u32)| keep(self.accepts_at(a), other.accepts_at(b));
        let start = Some((self.start, other.start));
        // A table of all pairs is faster than a map, as long as it is small.
        match self.len() * other.len() {
            size if size <= MOST_PAIRS => {
                let width = other.len();
                let numbers = Pairs { numbers: vec![0; size], width };
                explore_with(numbers, (classes, pairs.len()), start, limit, step, accepts)
            }
            _ => explore(classes, pairs.len(), start, limit, step, accepts),
        }
    }

    /// What both accept.
    pub(crate) fn intersection(&self, other: &Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        self.product(other, |a, b| a && b, limit)
    }

    /// What at least one accepts.
    pub(crate) fn union(&self, other: &Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        self.product(other, |a, b| a || b, limit)
    }

    /// What `self` accepts and `other` does not.
    pub(crate) fn difference(&self, other: &Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        self.product(other, |a, b| a && !b, limit)
    }

    /// An automaton from a function: states are numbered as they are met, those that lead nowhere are dropped.
    /// `representatives[class]` is a byte of the class.
    pub(crate) fn build<S: Clone + Eq + std::hash::Hash>(
        class_of: impl Fn(u8) -> u8,
        width: usize,
        start: S,
        limit: usize,
        step: impl FnMut(&S, usize) -> Option<S>,
        accepts: impl Fn(&S) -> bool,
    ) -> Result<Dfa, TooManyStates> {
        let mut classes = Box::new([0u8; 256]);
        for byte in 0..=255u8 {
            classes[byte as usize] = class_of(byte);
        }
        explore(classes, width, Some(start), limit, step, accepts)
    }

    /// Classes of bytes that neither the automaton nor `also` tells apart: the class of each byte, and a byte of each class.
    pub(crate) fn classes_with(&self, also: impl Fn(u8) -> bool) -> ([u8; 256], Vec<u8>) {
        Dfa::common_classes(&[self], also)
    }

    /// As [`Dfa::classes_with`], for several automata.
    pub(crate) fn common_classes(automata: &[&Dfa], also: impl Fn(u8) -> bool) -> ([u8; 256], Vec<u8>) {
        let mut class_of = [0u8; 256];
        (0..=255u8).for_each(|byte| class_of[usize::from(byte)] = u8::from(also(byte) != also(0)));
        for dfa in automata {
            let mut finer: HashMap<(u8, u8), u8> = HashMap::new();
            for (class, &own) in class_of.iter_mut().zip(dfa.classes.iter()) {
                let next = finer.len() as u8;
                *class = *finer.entry((*class, own)).or_insert(next);
            }
        }
        let mut bytes = Vec::new();
        for byte in 0..=255u8 {
            // Classes are numbered as they are met.
            if usize::from(class_of[usize::from(byte)]) == bytes.len() {
                bytes.push(byte);
            }
        }
        (class_of, bytes)
    }

    /// The automata side by side: each state is a list of theirs, with 0 for those that are dead. `step` may drop a list.
    pub(crate) fn side_by_side(
        automata: &[&Dfa],
        limit: usize,
        mut alive: impl FnMut(&[u32]) -> bool,
        accepts: impl Fn(&[u32]) -> bool,
    ) -> Result<SideBySide, TooManyStates> {
        let (class_of, bytes) = Dfa::common_classes(automata, |_| false);
        let (count, width) = (automata.len(), bytes.len());
        // The lists of all states, one behind the other, and their numbers.
        let mut lists: Vec<u32> = automata.iter().map(|dfa| dfa.start()).collect();
        let mut numbers: HashMap<Box<[u32]>, u32> = HashMap::new();
        numbers.insert(lists.as_slice().into(), 1);
        let (mut table, mut accepting) = (vec![0; width], vec![false]);
        let (mut state, mut next) = (vec![0; count], vec![0; count]);
        while accepting.len() <= numbers.len() {
            state.copy_from_slice(&lists[(accepting.len() - 1) * count..][..count]);
            accepting.push(accepts(&state));
            // Neighbouring classes often lead to the same state.
            let mut last = None;
            for &byte in &bytes {
                let mut is_other = last.is_none();
                for ((next, &state), dfa) in next.iter_mut().zip(&state).zip(automata) {
                    let to = dfa.next(state, byte);
                    is_other |= to != *next;
                    *next = to;
                }
                if is_other {
                    last = Some(match numbers.get(next.as_slice()) {
                        _ if !alive(&next) => 0,
                        Some(&number) => number,
                        None if numbers.len() >= limit => return Err(TooManyStates),
                        None => {
                            lists.extend_from_slice(&next);
                            numbers.insert(next.as_slice().into(), numbers.len() as u32 + 1);
                            numbers.len() as u32
                        }
                    });
                }
                table.extend(last);
            }
        }
        let (dfa, renumbered) = trim(Dfa { classes: Box::new(class_of), width, table, accepting, start: 1 });
        let mut kept = vec![None; dfa.len()];
        for (list, number) in lists.chunks_exact(count.max(1)).zip(&renumbered[1..]) {
            if *number != 0 {
                kept[*number as usize] = Some(list.into());
            }
        }
        Ok((dfa, kept))
    }

    /// One byte for each class among some bytes.
    pub(crate) fn kinds_among(&self, bytes: std::ops::RangeInclusive<u8>) -> Vec<u8> {
        let mut seen = [false; 256];
        bytes.filter(|&byte| !std::mem::replace(&mut seen[self.classes[byte as usize] as usize], true)).collect()
    }

    /// One byte for each pair of classes of the two automata.
    pub(crate) fn class_bytes(&self, other: &Dfa) -> Vec<u8> {
        let mut seen = foldhash::HashSet::default();
        (0..=255u8).filter(|&byte| seen.insert((self.classes[byte as usize], other.classes[byte as usize]))).collect()
    }

    /// The greatest total weight of the bytes of an accepted text; `None` if there is none.
    pub(crate) fn longest(&self, weight: impl Fn(u8) -> u32) -> Option<u32> {
        let mut weights = vec![0; self.width];
        for byte in 0..=255u8 {
            let class = self.classes[byte as usize] as usize;
            weights[class] = weights[class].max(weight(byte));
        }
        // Depth-first, without recursion: a state that is met again while it is open closes a cycle.
        let mut longest: Vec<Option<u32>> = vec![None; self.len()];
        let mut open = vec![false; self.len()];
        let mut stack = vec![(self.start, 0usize)];
        while let Some((state, class)) = stack.pop() {
            if state == 0 || (class == 0 && longest[state as usize].is_some()) {
                continue;
            }
            if class == 0 {
                if std::mem::replace(&mut open[state as usize], true) {
                    return None;
                }
                longest[state as usize] = None;
            }
            let row = state as usize * self.width;
            if class < self.width {
                let next = self.table[row + class];
                stack.push((state, class + 1));
                if next != 0 {
                    if open[next as usize] {
                        return None;
                    }
                    stack.push((next, 0));
                }
            } else {
                let best = (0..self.width)
                    .filter_map(|class| Some(longest[self.table[row + class] as usize]? + weights[class]))
                    .max()
                    .unwrap_or(0);
                longest[state as usize] = Some(best);
                open[state as usize] = false;
            }
        }
        longest[self.start as usize]
    }

    /// Whether more texts of at most so many bytes are accepted than any output has entries.
    pub(crate) fn has_many(&self, bytes: u32) -> bool {
        const MANY: u64 = 1 << 32;
        const MOST_BYTES: u32 = 32;
        let mut sizes = vec![0u64; self.width];
        self.classes.iter().for_each(|&class| sizes[usize::from(class)] += 1);
        // How many texts of one length lead to each state.
        let mut texts = vec![0u64; self.len()];
        texts[self.start as usize] = 1;
        let mut total = 0u64;
        for _ in 0..=bytes.min(MOST_BYTES) {
            let mut longer = vec![0u64; self.len()];
            for (state, &texts) in texts.iter().enumerate().skip(1).filter(|(_, texts)| **texts > 0) {
                total = total.saturating_add(if self.accepting[state] { texts } else { 0 });
                for (&next, &size) in self.table[state * self.width..].iter().zip(&sizes) {
                    longer[next as usize] = longer[next as usize].saturating_add(texts.saturating_mul(size));
                }
            }
            if total >= MANY {
                return true;
            }
            texts = longer;
        }
        false
    }

    /// The automaton of a sorted list of words without repetition.
    pub(crate) fn words(sorted: &[&[u8]], limit: usize) -> Result<Dfa, TooManyStates> {
        let mut occurs = [false; 256];
        sorted.iter().copied().flatten().for_each(|&byte| occurs[usize::from(byte)] = true);
        let bytes: Vec<u8> = (0..=255u8).filter(|&byte| occurs[usize::from(byte)]).collect();
        // All others are one class, the last one.
        let width = (bytes.len() + 1).min(256);
        let class = |byte: u8| bytes.binary_search(&byte).unwrap_or(bytes.len()) as u8;
        // A state is the range of words that begin with what was read, and the number of bytes read.
        let step = |&(from, to, depth): &(usize, usize, usize), class: usize| {
            let (range, &byte) = (&sorted[from..to], bytes.get(class)?);
            let low = range.partition_point(|word| word.get(depth).is_none_or(|&b| b < byte));
            let high = range.partition_point(|word| word.get(depth).is_none_or(|&b| b <= byte));
            (low < high).then_some((from + low, from + high, depth + 1))
        };
        let accepts =
            |&(from, _, depth): &(usize, usize, usize)| sorted.get(from).is_some_and(|word| word.len() == depth);
        Dfa::build(class, width, (0, sorted.len(), 0), limit, step, accepts)
    }

    /// The automaton that accepts only where `keep` says so too, and the old state of each of its states.
    pub(crate) fn restricted(&self, keep: impl Fn(usize) -> bool) -> (Dfa, Vec<Option<u32>>) {
        let mut dfa = self.clone();
        for state in 1..dfa.len() {
            dfa.accepting[state] &= keep(state);
        }
        let (dfa, renumbered) = trim(dfa);
        let mut old = vec![None; dfa.len()];
        for (state, &number) in (0u32..).zip(&renumbered).filter(|(_, number)| **number != 0) {
            old[number as usize] = Some(state);
        }
        (dfa, old)
    }

    /// For each state the least total weight of bytes that leads to acceptance; [`NEVER`] for the dead state.
    pub(crate) fn costs(&self, weight: impl Fn(u8) -> u32) -> Vec<u32> {
        Backward::new(self, weight).costs_to(|state| self.accepting[state])
    }

    /// For each state the least number of characters that begin on a way to acceptance, of UTF-8 texts, and the least total weight of the
    /// bytes of a way with so many.
    pub(crate) fn shortest(&self, weight: impl Fn(u8) -> u32) -> (Vec<u32>, Vec<u32>) {
        let begins = |byte: u8| byte & 0xC0 != 0x80;
        let characters = self.costs(|byte| u32::from(begins(byte)));
        // The least weight of a byte of each class.
        let (class_of, bytes) = self.classes_with(begins);
        let mut weights = vec![u32::MAX; bytes.len()];
        for byte in 0..=255u8 {
            let least = &mut weights[usize::from(class_of[usize::from(byte)])];
            *least = weight(byte).min(*least);
        }
        let mut order: Vec<u32> = (1..self.len() as u32).collect();
        order.sort_unstable_by_key(|&state| characters[state as usize]);
        let mut costs = vec![NEVER; self.len()];
        order.iter().filter(|&&state| self.accepts_at(state)).for_each(|&state| costs[state as usize] = 0);
        let continuing: Vec<(u8, u32)> =
            bytes.iter().copied().zip(weights.iter().copied()).filter(|(byte, _)| !begins(*byte)).collect();
        let beginning: Vec<(u8, u32)> = bytes.iter().copied().zip(weights).filter(|(byte, _)| begins(*byte)).collect();
        for level in order.chunk_by(|a, b| characters[*a as usize] == characters[*b as usize]) {
            // What begins a character leads to states with fewer of them, which are settled.
            let fewer = characters[level[0] as usize].checked_sub(1);
            for &state in level {
                for &(byte, weight) in &beginning {
                    let next = self.next(state, byte) as usize;
                    if next != 0 && Some(characters[next]) == fewer && costs[next] != NEVER {
                        costs[state as usize] = costs[state as usize].min(costs[next] + weight);
                    }
                }
            }
            // Within a character no way is longer than three bytes, so that a few rounds settle the others.
            let is_within = |&&state: &&u32| continuing.iter().any(|&(byte, _)| self.next(state, byte) != 0);
            let within: Vec<u32> = level.iter().filter(is_within).copied().collect();
            let mut changed = true;
            while std::mem::take(&mut changed) {
                for &state in &within {
                    for &(byte, weight) in &continuing {
                        let next = self.next(state, byte) as usize;
                        if next != 0 && characters[next] == characters[state as usize] && costs[next] != NEVER {
                            let cost = costs[next] + weight;
                            changed |= cost < costs[state as usize];
                            costs[state as usize] = costs[state as usize].min(cost);
                        }
                    }
                }
            }
        }
        (characters, costs)
    }
}

/// Numbers what is reachable from `start` and drops what cannot reach acceptance.
fn explore<S: Clone + Eq + std::hash::Hash>(
    classes: Box<[u8; 256]>,
    width: usize,
    start: Option<S>,
    limit: usize,
    step: impl FnMut(&S, usize) -> Option<S>,
    accepts: impl Fn(&S) -> bool,
) -> Result<Dfa, TooManyStates> {
    explore_with(HashMap::new(), (classes, width), start, limit, step, accepts)
}

/// The numbers of states, 0 for those not met.
trait Numbers<S> {
    fn number(&mut self, state: &S) -> &mut u32;
}

impl<S: Clone + Eq + std::hash::Hash> Numbers<S> for HashMap<S, u32> {
    fn number(&mut self, state: &S) -> &mut u32 {
        self.entry(state.clone()).or_default()
    }
}

/// The greatest number of pairs of states for which there is a table.
const MOST_PAIRS: usize = 1 << 18;

/// Pairs of states of two automata.
struct Pairs {
    numbers: Vec<u32>,
    width: usize,
}

impl Numbers<(u32, u32)> for Pairs {
    fn number(&mut self, &(a, b): &(u32, u32)) -> &mut u32 {
        &mut self.numbers[a as usize * self.width + b as usize]
    }
}

/// As [`explore`], with the classes of bytes and how many there are.
fn explore_with<S: Clone + PartialEq>(
    mut numbers: impl Numbers<S>,
    (classes, width): (Box<[u8; 256]>, usize),
    start: Option<S>,
    limit: usize,
    mut step: impl FnMut(&S, usize) -> Option<S>,
    accepts: impl Fn(&S) -> bool,
) -> Result<Dfa, TooManyStates> {
    let mut states: Vec<S> = Vec::new();
    let mut table: Vec<u32> = vec![0; width];
    let mut accepting = vec![false];
    if let Some(start) = start {
        *numbers.number(&start) = 1;
        states.push(start);
    }
    let mut done = 0;
    while done < states.len() {
        let state = states[done].clone();
        accepting.push(accepts(&state));
        // Neighbouring classes often lead to the same state.
        let mut last: Option<(S, u32)> = None;
        for class in 0..width {
            let next = match (step(&state, class), &last) {
                (None, _) => 0,
                (Some(next), Some((known, number))) if next == *known => *number,
                (Some(next), _) => {
                    let number = numbers.number(&next);
                    if *number == 0 {
                        if states.len() >= limit {
                            return Err(TooManyStates);
                        }
                        states.push(next.clone());
                        *number = states.len() as u32;
                    }
                    let number = *number;
                    last = Some((next, number));
                    number
                }
            };
            table.push(next);
        }
        done += 1;
    }
    Ok(trim(Dfa { classes, width, table, accepting, start: 1 }).0)
}

/// From which states acceptance can be reached.
fn living(dfa: &Dfa) -> Vec<bool> {
    /// States lie in the order in which they were met, so that a few passes from the last to the first settle nearly all automata.
    const PASSES: usize = 4;
    let (count, width) = (dfa.len(), dfa.width);
    let mut alive = dfa.accepting.clone();
    for _ in 0..PASSES {
        let mut changed = false;
        for state in (1..count).rev() {
            let row = &dfa.table[state * width..(state + 1) * width];
            if !alive[state] && row.iter().any(|&next| alive[next as usize]) {
                alive[state] = true;
                changed = true;
            }
        }
        if !changed {
            return alive;
        }
    }
    Backward::new(dfa, |_| 0).costs_to(|state| dfa.accepting[state]).iter().map(|&cost| cost != NEVER).collect()
}

/// Sends every transition to a state that cannot reach acceptance to the dead state, and renumbers the rest.
fn trim(mut dfa: Dfa) -> (Dfa, Vec<u32>) {
    let (count, width) = (dfa.len(), dfa.width);
    let alive = living(&dfa);
    if alive[1..].iter().all(|&alive| alive) {
        let same = (0..count as u32).collect();
        dfa.start = if count > 1 { dfa.start } else { 0 };
        return (dfa, same);
    }
    let mut renumbered = vec![0u32; count];
    let mut kept = 1;
    for state in 1..count {
        if alive[state] {
            renumbered[state] = kept;
            kept += 1;
        }
    }
    let (mut table, mut accepting) = (vec![0; width], vec![false]);
    for state in (1..count).filter(|&state| alive[state]) {
        table.extend(dfa.table[state * width..(state + 1) * width].iter().map(|&next| renumbered[next as usize]));
        accepting.push(dfa.accepting[state]);
    }
    dfa.start = renumbered.get(dfa.start as usize).copied().unwrap_or(0);
    (dfa.table, dfa.accepting) = (table, accepting);
    (dfa, renumbered)
}

/// An automaton as a whole guide: a regex.
#[derive(Debug)]
pub(crate) struct Regular {
    dfa: Dfa,
    costs: Vec<u32>,
}

impl Regular {
    pub(crate) fn new(dfa: Dfa) -> Regular {
        let costs = dfa.costs(|_| 1);
        Regular { dfa, costs }
    }

    pub(crate) fn size(&self) -> usize {
        self.dfa.size() + self.costs.len() * 4
    }
}

impl Automaton for Regular {
    type State = u32;

    fn start(&self) -> u32 {
        self.dfa.start()
    }

    fn step(&self, &state: &u32, byte: u8) -> Option<u32> {
        match self.dfa.next(state, byte) {
            0 => None,
            next => Some(next),
        }
    }

    fn cost(&self, &state: &u32) -> u32 {
        self.costs[state as usize]
    }

    fn is_final(&self, &state: &u32) -> bool {
        let row = state as usize * self.dfa.width;
        self.dfa.table[row..row + self.dfa.width].iter().all(|&next| next == 0)
    }

    fn key(&self, &state: &u32) -> u128 {
        u128::from(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DfaLimits = DfaLimits { states: 1000, bytes: 1 << 20 };

    fn dfa(regex: &str) -> Dfa {
        Dfa::from_hir(&regex_syntax::parse(regex).expect("a regex"), LIMITS).expect("small")
    }

    #[test]
    fn a_longer_alternative_is_not_shadowed_by_a_shorter_one() {
        let dfa = dfa("a|ab");
        assert!(dfa.accepts(b"a") && dfa.accepts(b"ab") && !dfa.accepts(b"b") && !dfa.accepts(b"abb"));
    }

    #[test]
    fn every_state_but_the_dead_one_can_finish() {
        let dfa = dfa("(ab|ac)*d|x[^\\x00-\\x{10FFFF}]");
        assert!(dfa.costs(|_| 1)[1..].iter().all(|&cost| cost != NEVER));
        assert_eq!(dfa.next(dfa.start(), b'x'), 0);
    }

    #[test]
    fn the_operations_are_those_of_sets() {
        let (a, b) = (dfa("[ab]*a"), dfa("a[ab]*"));
        for word in ["", "a", "b", "ab", "ba", "aa", "aba", "bab", "c"] {
            let (x, y) = (a.accepts(word.as_bytes()), b.accepts(word.as_bytes()));
            assert_eq!(a.intersection(&b, 99).expect("small").accepts(word.as_bytes()), x && y);
            assert_eq!(a.union(&b, 99).expect("small").accepts(word.as_bytes()), x || y);
            assert_eq!(a.difference(&b, 99).expect("small").accepts(word.as_bytes()), x && !y);
        }
        assert!(a.difference(&a, 99).expect("small").is_empty());
    }

    #[test]
    fn an_exponential_regex_meets_the_limit() {
        let hir = regex_syntax::parse("[ab]*a[ab]{40}").expect("a regex");
        assert_eq!(Dfa::from_hir(&hir, LIMITS), Err(TooManyStates));
    }
}
