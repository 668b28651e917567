//! Automata from the syntax tree of a regex.
//!
//! [`determinize`] knows two assertions, the beginning and the end of the text. A regex with another one, such as `\b`, goes through
//! `regex-automata`, which takes longer as its subsets run over bytes.

use crate::automaton::build::explore;
use crate::automaton::determinize;
use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use foldhash::{HashMap, HashMapExt};
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

impl Dfa {
    /// The automaton that accepts exactly what `hir` matches from the first to the last byte.
    pub(crate) fn from_hir(hir: &Hir, limits: DfaLimits) -> Result<Dfa, TooManyStates> {
        match determinize::automaton(hir, limits)? {
            Some(dfa) => Ok(dfa),
            None => Dfa::from_assertions(hir, limits),
        }
    }

    /// As [`Dfa::from_hir`], by way of `regex-automata`, which knows every assertion.
    pub(super) fn from_assertions(hir: &Hir, limits: DfaLimits) -> Result<Dfa, TooManyStates> {
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
        // Every match counts, not the leftmost-first one: `a|ab` accepts both.
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
        // That automaton reports a match one byte late, so a state accepts if its end-of-input transition matches.
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
}
