//! [`Plan`]: the shortest completion in bytes, split into the fewest tokens.
//!
//! The cost of a state counts bytes. That is a safe bound, as every byte has a token, but often several times the tokens that are needed.
//! A plan gives one completion exactly: a state with a plan of `n` tokens can be completed in `n` tokens, whatever its cost is.
//!
//! For example, to complete `{"answer":` with a boolean costs 5 bytes, `true}`. With the tokens `true` and `}` the plan has 2 tokens, so a
//! budget of 2 still allows `true`, which the cost alone would forbid.

use crate::automaton::Automaton;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// The longest completion that is planned, in bytes. Beyond it the cost in bytes bounds the tokens.
const LONGEST_PLAN: u32 = 4096;

/// The tokens that complete the output.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    tokens: Arc<[u32]>,
    next: usize,
}

impl Plan {
    /// The plan for `state`; `None` if the completion is longer than [`LONGEST_PLAN`].
    pub(crate) fn new<A: Automaton>(automaton: &A, trie: &Trie, state: &A::State) -> Option<Plan> {
        let bytes = shortest(automaton, state)?;
        Some(Plan { tokens: fewest_tokens(trie, &bytes, |byte| automaton.special_token(byte))?.into(), next: 0 })
    }

    pub(crate) fn len(&self) -> u32 {
        (self.tokens.len() - self.next) as u32
    }

    pub(super) fn head(&self) -> Option<u32> {
        self.tokens.get(self.next).copied()
    }

    /// The plan after its head. The tokens are shared, so following a plan allocates nothing.
    pub(super) fn tail(&self) -> Plan {
        Plan { tokens: self.tokens.clone(), next: (self.next + 1).min(self.tokens.len()) }
    }
}

/// The completion along which the cost falls fastest.
fn shortest<A: Automaton>(automaton: &A, state: &A::State) -> Option<Vec<u8>> {
    let mut cost = automaton.cost(state);
    if cost > LONGEST_PLAN {
        return None;
    }
    let mut bytes = Vec::with_capacity(cost.get() as usize);
    let mut state = state.clone();
    while cost > 0 {
        // The first of the bytes that lead to the least cost.
        let bytes_next = automaton.next_bytes(&state);
        let (byte, next, next_cost) = (0..=255)
            .filter(|&byte| bytes_next.contains(byte))
            .filter_map(|byte| {
                let next = automaton.step(&state, byte)?;
                let cost = automaton.cost(&next);
                Some((byte, next, cost))
            })
            .min_by_key(|(_, _, cost)| *cost)?;
        if next_cost >= cost {
            return None;
        }
        bytes.push(byte);
        (state, cost) = (next, next_cost);
    }
    Some(bytes)
}

/// The fewest tokens that spell `bytes`, by dynamic programming from the end; `None` if none do. `special` gives the token of a mark.
fn fewest_tokens(trie: &Trie, bytes: &[u8], special: impl Fn(u8) -> Option<u32>) -> Option<Vec<u32>> {
    // best[i]: for bytes[i..] the fewest tokens, the first of them and its length.
    let mut best: Vec<Option<(u32, u32, usize)>> = vec![None; bytes.len() + 1];
    best[bytes.len()] = Some((0, 0, 0));
    for start in (0..bytes.len()).rev() {
        if let Some(token) = special(bytes[start]) {
            best[start] = best[start + 1].map(|(rest, ..)| (rest + 1, token, 1));
            continue;
        }
        let mut node = 0;
        for (end, &byte) in bytes.iter().enumerate().skip(start) {
            if special(byte).is_some() {
                break;
            }
            match trie.child(node, byte) {
                Some(child) => node = child,
                None => break,
            }
            if let (Some(&token), Some((rest, _, _))) = (trie.own(node).first(), best[end + 1])
                && best[start].is_none_or(|(count, _, _)| rest + 1 < count)
            {
                best[start] = Some((rest + 1, token, end + 1 - start));
            }
        }
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (_, token, length) = best[at]?;
        tokens.push(token);
        at += length;
    }
    Some(tokens)
}
