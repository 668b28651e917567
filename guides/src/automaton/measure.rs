//! Lengths and least costs of the accepted texts.
//!
//! The weight of a byte is what it counts: 1 for bytes, 1 for the first byte of a character and 0 else for characters, the length of its
//! escape for bytes of JSON.

use crate::automaton::backward::Backward;
use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;

impl Dfa {
    /// The greatest total weight of an accepted text; `None` if texts grow without bound.
    pub(crate) fn longest(&self, weight: impl Fn(u8) -> u32) -> Option<u32> {
        let mut weights = vec![0; self.width];
        for byte in 0..=255u8 {
            let class = self.classes[byte as usize] as usize;
            weights[class] = weights[class].max(weight(byte));
        }
        // Depth-first with a stack of its own, as an automaton may be deeper than the thread's stack. A state that is met again while it
        // is open closes a cycle, and every state reaches acceptance, so a cycle makes texts of any length.
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

    /// Whether more texts of at most `bytes` bytes are accepted than an output can have entries. Texts of more than 32 bytes are not
    /// counted, so the answer may be false where it could be true.
    pub(crate) fn has_many(&self, bytes: u32) -> bool {
        const MANY: u64 = 1 << 32;
        const MOST_BYTES: u32 = 32;
        let mut sizes = vec![0u64; self.width];
        self.classes.iter().for_each(|&class| sizes[usize::from(class)] += 1);
        // The number of texts of the current length that lead to each state.
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

    /// For each state the least total weight of a suffix that is accepted; [`Cost::NEVER`] for the dead state.
    pub(crate) fn costs(&self, weight: impl Fn(u8) -> u32) -> Vec<Cost> {
        Backward::new(self, weight).costs_to(|state| self.accepting[state])
    }

    /// For each state of an automaton over UTF-8 the fewest characters that begin in a suffix that is accepted, and the least total weight
    /// of a suffix with so few.
    ///
    /// States are settled in the order of their characters. A byte that begins a character leads to a state with one character less, which
    /// is settled. A continuation byte stays on the same level.
    pub(crate) fn shortest(&self, weight: impl Fn(u8) -> u32) -> (Vec<Cost>, Vec<Cost>) {
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
        let mut costs = vec![Cost::NEVER; self.len()];
        order.iter().filter(|&&state| self.accepts_at(state)).for_each(|&state| costs[state as usize] = Cost::ZERO);
        let continuing: Vec<(u8, u32)> =
            bytes.iter().copied().zip(weights.iter().copied()).filter(|(byte, _)| !begins(*byte)).collect();
        let beginning: Vec<(u8, u32)> = bytes.iter().copied().zip(weights).filter(|(byte, _)| begins(*byte)).collect();
        for level in order.chunk_by(|a, b| characters[*a as usize] == characters[*b as usize]) {
            let fewer = characters[level[0] as usize].get().checked_sub(1);
            for &state in level {
                for &(byte, weight) in &beginning {
                    let next = self.next(state, byte) as usize;
                    if next != 0 && Some(characters[next].get()) == fewer && !costs[next].is_never() {
                        costs[state as usize] = costs[state as usize].min(costs[next] + weight);
                    }
                }
            }
            // A character has at most three continuation bytes, so a few rounds are a fixpoint.
            let is_within = |&&state: &&u32| continuing.iter().any(|&(byte, _)| self.next(state, byte) != 0);
            let within: Vec<u32> = level.iter().filter(is_within).copied().collect();
            let mut changed = true;
            while std::mem::take(&mut changed) {
                for &state in &within {
                    for &(byte, weight) in &continuing {
                        let next = self.next(state, byte) as usize;
                        if next != 0 && characters[next] == characters[state as usize] && !costs[next].is_never() {
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
