//! The strings of a branch: its patterns and formats, excluded strings and lengths as one automaton.
//!
//! The automata of conditions that hold are intersected, and automata of conditions that fail are subtracted. Compilations share the
//! results, by the conditions, since building them is most of the work.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::branch::Term;
use crate::json::language::cache::{Language, StringKey};
use crate::json::language::length::with_length;
use crate::json::language::strings::{Characters, Strings, any_strings};
use crate::json::schema::graph::PatternId;
use crate::json::text::value::Value;
use crate::options::Limits;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Builder<'_> {
    /// The strings of a branch.
    pub(super) fn strings(
        &mut self,
        patterns: &BTreeSet<(PatternId, bool)>,
        excluded: &[Value],
        length: (u32, u32),
        terms: &[Term],
    ) -> Result<Strings, CompileError> {
        let (min, max) = length;
        let excluded: BTreeSet<String> = excluded
            .iter()
            .filter_map(|value| if let Value::String(text) = value { Some(text.clone()) } else { None })
            .collect();
        let none_so_long = min > max || min > 0 && !self.any_characters.spelled().has_some();
        if patterns.is_empty() && excluded.is_empty() && !(none_so_long && min <= max) {
            return Ok(any_strings(self.any_characters.clone(), min, max));
        }
        if none_so_long {
            return Ok(any_strings(self.any_characters.clone(), 1, 0));
        }
        // The greatest length is a count beside the automaton. The least length is built into it, since a count does not tell whether a
        // text can become so long.
        Ok(any_strings(self.characters(patterns, &excluded, min, terms)?, 0, max))
    }

    /// The strings with at least `min` characters, whatever their greatest length.
    fn characters(
        &mut self,
        patterns: &BTreeSet<(PatternId, bool)>,
        excluded: &BTreeSet<String>,
        min: u32,
        terms: &[Term],
    ) -> Result<Arc<Characters>, CompileError> {
        let languages: Vec<(&Language, bool)> =
            patterns.iter().map(|&(pattern, holds)| (&*self.graph.patterns[pattern.index()], holds)).collect();
        let ids = languages.iter().map(|(language, holds)| (language.id, *holds)).collect();
        let key: StringKey = (ids, excluded.clone(), min);
        let make = || {
            let (dfa, states) = string_dfa(&self.any, &languages, excluded, min, StringLimits::of(self.limits))?;
            Ok((self.languages.spellable().part_of_strings(dfa, self.limits.states)?, states))
        };
        let made = self.languages.strings(&key, &self.any, make);
        let (characters, states) = made.map_err(|_| self.too_many_states(terms))?;
        self.spend_once(Arc::as_ptr(&characters).cast(), states, terms)?;
        Ok(characters)
    }

    /// The sets of strings of several branches as few automata. Each has token classes of its own for each of its states, and most states of
    /// a union allow more: where a string has just one of several words, far more characters lead to the union's dead state.
    pub(super) fn united(
        &mut self,
        mut sets: Vec<Arc<Strings>>,
        terms: &[Term],
    ) -> Result<Vec<Arc<Strings>>, CompileError> {
        if sets.len() < 2 {
            return Ok(sets);
        }
        let is_unbounded = |set: &Strings| (set.min, set.max) == (0, u32::MAX);
        let is_all = |set: &Strings| is_unbounded(set) && set.characters.is_universal(set.characters.dfa.start());
        if let Some(all) = sets.iter().position(|set| is_all(set)) {
            return Ok(vec![sets.swap_remove(all)]);
        }
        sets.sort_by_key(|set| (!is_unbounded(set), set.characters.dfa.len()));
        let mut states = 0;
        let united = sets.iter().take_while(|set| {
            states += set.characters.dfa.len();
            is_unbounded(set) && states <= MOST_UNITED
        });
        let united = united.count();
        if united < 2 {
            return Ok(sets);
        }
        let mut union = sets[0].characters.dfa.clone();
        for set in &sets[1..united] {
            let Ok(next) = union.union(&set.characters.dfa, 2 * MOST_UNITED) else { return Ok(sets) };
            self.spend(next.len() / 4, terms)?;
            union = next;
        }
        let characters = self.languages.characters(union, &self.any);
        self.spend_once(Arc::as_ptr(&characters).cast(), characters.dfa.len(), terms)?;
        sets.drain(..united);
        sets.push(Arc::new(any_strings(characters, 0, u32::MAX)));
        Ok(sets)
    }
}

/// States of the automata of strings that are united, together.
const MOST_UNITED: usize = 600;

/// Limits on the states of the automata for the strings of a branch.
pub(super) struct StringLimits {
    of_each: usize,
    of_all: usize,
}

impl StringLimits {
    pub(super) fn of(limits: &Limits) -> StringLimits {
        StringLimits { of_each: limits.states, of_all: limits.work }
    }
}

/// The strings that are in some languages and not in others, without the excluded ones, and with at least `min` characters; and the
/// number of states of all automata that it took.
pub(super) fn string_dfa(
    any: &Dfa,
    languages: &[(&Language, bool)],
    excluded: &BTreeSet<String>,
    min: u32,
    limits: StringLimits,
) -> Result<(Dfa, usize), TooManyStates> {
    let limit = limits.of_each;
    let mut states = 0;
    let mut dfa: Option<Dfa> = None;
    for &(language, holds) in languages {
        let next = match (dfa, holds) {
            (None, true) => (**language).clone(),
            (None, false) => any.difference(language.possible(), limit)?,
            (Some(dfa), true) => dfa.intersection(language, limit)?,
            (Some(dfa), false) => dfa.difference(language.possible(), limit)?,
        };
        states += next.len();
        // Each automaton is within its limit; together they are within that of the work.
        if states > limits.of_all {
            return Err(TooManyStates);
        }
        dfa = Some(next);
    }
    let mut dfa = dfa.unwrap_or_else(|| any.clone());
    if !excluded.is_empty() {
        let mut words: Vec<&[u8]> = excluded.iter().map(String::as_bytes).collect();
        words.sort_unstable();
        dfa = dfa.difference(&Dfa::words(&words, limit)?, limit)?;
        states += dfa.len();
    }
    if min == 0 {
        return Ok((dfa, states));
    }
    let dfa = with_length(&dfa, min, u32::MAX, limit)?;
    let states = states + dfa.len();
    Ok((dfa, states))
}
