//! The part of a language that tokens spell, for a vocabulary without a token for each byte.
//!
//! If each byte of a token is a token too, the token reaches no state that its bytes do not reach. So two kinds of tokens matter: single
//! bytes, and tokens with a byte that is no token. The fewest of these to acceptance are found by breadth-first search from the accepting
//! states. For example, without a token for `é`'s byte 0xA9, `caf` is passed byte by byte and `é` by the token of both its bytes.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::vocabulary::trie::Trie;

/// The most steps along tokens, a third of a second at about a hundred thousand in a millisecond.
pub(crate) const MOST_STEPS: usize = 1 << 25;

/// The most transitions that are kept, 64 MiB of them.
const MOST_TRANSITIONS: usize = 1 << 23;

/// How tokens lead from each state.
#[derive(Debug)]
pub(crate) struct ByTokens {
    /// For each state the fewest tokens to acceptance, of the two kinds that matter; [`Cost::NEVER`] if tokens never lead there.
    pub(crate) costs: Vec<Cost>,
    /// For each state whether no token leads to a state with a finite cost.
    pub(super) last: Vec<bool>,
}

/// The costs along the bytes that are tokens and along `others`, the tokens with a byte that is none. `None` if that takes too many steps.
pub(crate) fn by_tokens(dfa: &Dfa, is_token: impl Fn(u8) -> bool, others: Option<&Trie>) -> Option<ByTokens> {
    let mut steps = MOST_STEPS;
    let single = |state: u32| (0..=255u8).filter(|&byte| is_token(byte)).map(move |byte| dfa.next(state, byte));
    // Reversed edges, sorted by target: the search runs from the accepting states.
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for state in 1..dfa.len() as u32 {
        let mut nexts: Vec<u32> = single(state).filter(|&next| next != 0).collect();
        if let Some(trie) = others {
            add_ends(dfa, trie, state, &mut nexts, &mut steps)?;
        }
        nexts.sort_unstable();
        nexts.dedup();
        edges.extend(nexts.into_iter().map(|next| (next, state)));
        if edges.len() > MOST_TRANSITIONS {
            return None;
        }
    }
    edges.sort_unstable();
    let to = |state: u32| {
        let from = edges.partition_point(|&(to, _)| to < state);
        edges[from..].iter().take_while(move |&&(to, _)| to == state).map(|&(_, from)| from)
    };
    let (mut costs, mut last) = (vec![Cost::NEVER; dfa.len()], vec![true; dfa.len()]);
    let mut level: Vec<u32> = (1..dfa.len() as u32).filter(|&state| dfa.accepts_at(state)).collect();
    level.iter().for_each(|&state| costs[state as usize] = Cost::ZERO);
    let mut cost = Cost::ZERO;
    while !level.is_empty() {
        cost += 1;
        let mut before = Vec::new();
        for from in level.iter().flat_map(|&state| to(state)) {
            last[from as usize] = false;
            if costs[from as usize].is_never() {
                costs[from as usize] = cost;
                before.push(from);
            }
        }
        level = before;
    }
    Some(ByTokens { costs, last })
}

/// Adds the states after each token of the trie, read from `state`.
fn add_ends(dfa: &Dfa, trie: &Trie, state: u32, ends: &mut Vec<u32>, steps: &mut usize) -> Option<()> {
    let mut open = vec![(0, state)];
    while let Some((node, state)) = open.pop() {
        for child in trie.children(node) {
            *steps = steps.checked_sub(1)?;
            let next = dfa.next(state, trie.byte(child));
            if next == 0 {
                continue;
            }
            if !trie.own(child).is_empty() {
                ends.push(next);
            }
            open.push((child, next));
        }
    }
    Some(())
}
