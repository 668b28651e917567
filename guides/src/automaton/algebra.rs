//! The boolean algebra of automata by the product construction (Rabin, Scott 1959), and automata of word lists.
//!
//! A product has a state for each reachable pair of states. Bytes are grouped by their pair of classes, so a pair has a transition for
//! each group and not for each byte.

use crate::automaton::build::{ByteClasses, PairNumbers, explore, explore_with, trim};
use crate::automaton::dfa::{Dfa, MOST_LISTED, STEP, TooManyStates};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};

/// The most pairs of states that are numbered by a table: 1 MiB, which is still in the second-level cache.
const MOST_PAIRS: usize = 1 << 18;

/// The product of several automata, and for each of its states the list of theirs; `None` for the dead state.
type SideBySide = (Dfa, Vec<Option<Box<[u32]>>>);

impl Dfa {
    /// The product: a text is accepted if `keep`, given whether each side accepts it, says so.
    ///
    /// # Errors
    /// [`TooManyStates`] if it has more than `limit` states before trimming.
    fn product(&self, other: &Dfa, keep: impl Fn(bool, bool) -> bool, limit: usize) -> Result<Dfa, TooManyStates> {
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
        // If a side's acceptance is needed, a pair is dead once that side is. This keeps an intersection from exploring the other side.
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
        // A table of all pairs is several times faster than a hash map while it fits the cache.
        match self.len() * other.len() {
            size if size <= MOST_PAIRS => {
                let width = other.len();
                let numbers = PairNumbers { numbers: vec![0; size], width };
                let classes = ByteClasses { of_byte: classes, count: pairs.len() };
                explore_with(numbers, classes, start, limit, step, accepts)
            }
            _ => explore(classes, pairs.len(), start, limit, step, accepts),
        }
    }

    /// The texts that both accept.
    pub(crate) fn intersection(&self, other: &Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        self.product(other, |a, b| a && b, limit)
    }

    /// The texts that at least one accepts.
    pub(crate) fn union(&self, other: &Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        self.product(other, |a, b| a || b, limit)
    }

    /// The texts that `self` accepts and `other` does not.
    pub(crate) fn difference(&self, other: &Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        self.product(other, |a, b| a && !b, limit)
    }

    /// The product of several automata: a state is the list of their states, 0 for a dead one. A list for which `alive` is false is dead
    /// as a whole.
    pub(crate) fn side_by_side(
        automata: &[&Dfa],
        limit: usize,
        mut alive: impl FnMut(&[u32]) -> bool,
        accepts: impl Fn(&[u32]) -> bool,
    ) -> Result<SideBySide, TooManyStates> {
        let (class_of, bytes) = Dfa::common_classes(automata, |_| false);
        let (count, width) = (automata.len(), bytes.len());
        // All lists lie in one vector: one allocation instead of one for each state.
        let mut lists: Vec<u32> = automata.iter().map(|dfa| dfa.start()).collect();
        let mut numbers: HashMap<Box<[u32]>, u32> = HashMap::new();
        numbers.insert(lists.as_slice().into(), 1);
        let (mut table, mut accepting) = (vec![0; width], vec![false]);
        let (mut state, mut next) = (vec![0; count], vec![0; count]);
        while accepting.len() <= numbers.len() {
            if lists.len() > MOST_LISTED || passed(1 + count * width / STEP) {
                return Err(TooManyStates);
            }
            state.copy_from_slice(&lists[(accepting.len() - 1) * count..][..count]);
            accepting.push(accepts(&state));
            // Neighbouring classes often lead to the same state, which spares the look in the map.
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

    /// The automaton of a sorted list of distinct words.
    pub(crate) fn words(sorted: &[&[u8]], limit: usize) -> Result<Dfa, TooManyStates> {
        let mut occurs = [false; 256];
        sorted.iter().copied().flatten().for_each(|&byte| occurs[usize::from(byte)] = true);
        let bytes: Vec<u8> = (0..=255u8).filter(|&byte| occurs[usize::from(byte)]).collect();
        // The last class is for all bytes that no word has.
        let width = (bytes.len() + 1).min(256);
        let class = |byte: u8| bytes.binary_search(&byte).unwrap_or(bytes.len()) as u8;
        // A state is the range of the words with the prefix that was read, and the length of that prefix. Words with a common prefix are
        // neighbours, so this is the trie of the words without building it.
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

    /// The accepted texts that consist of the bytes for which `keep` is true.
    pub(crate) fn with_bytes(&self, keep: impl Fn(u8) -> bool) -> Dfa {
        let (class_of, bytes) = self.classes_with(&keep);
        let next = |state: u32| bytes.iter().map(move |&byte| (state, byte));
        let table = (0..self.len() as u32).flat_map(next);
        let table = table.map(|(state, byte)| if keep(byte) { self.next(state, byte) } else { 0 }).collect();
        let (classes, width) = (Box::new(class_of), bytes.len());
        trim(Dfa { classes, width, table, accepting: self.accepting.clone(), start: self.start }).0
    }

    /// The automaton whose accepting states are those for which `keep` is true, and the old state of each of its states.
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
}
