//! The ways of a value of which cases of clauses speak: each with the conditions that it meets.
//!
//! Conditions on types, scalars and bounds divide the values: each value is of one part, and a part meets some of the conditions and none
//! of the others. Of other conditions the opposite is not asked for: a value that meets one takes the way with it and the way without.

use crate::error::{CompileError, Place, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::Term;
use crate::json::analysis::facts::{Facts, FactsComparison, LEVELS};
use crate::json::schema::graph::Kinds;
use crate::json::shape::{SchemaId, Way};

/// Ways of one value.
const MOST_WAYS: usize = 256;

/// Steps after which the comparison of a way with a condition gives up: values may meet it.
const STEPS_OF_A_WAY: usize = 2_000;

/// A part of the values of a key.
struct ValuePart<'g> {
    terms: Vec<Term>,
    choices: u128,
    facts: Facts<'g>,
}

/// The values of a key of which cases speak.
pub(super) struct ChosenWays {
    /// All of them.
    pub(super) schema: SchemaId,
    /// What each of them meets; `None` where each of them is of one of the ways.
    pub(super) choices: Option<u128>,
    pub(super) ways: Vec<Way>,
}

impl<'g> Builder<'g> {
    /// The ways of values that meet `asked`, by the conditions in `lists` that they meet besides.
    pub(super) fn chosen_ways(
        &mut self,
        name: &str,
        asked: &[Term],
        lists: &[Vec<Term>],
        terms: &[Term],
    ) -> Result<ChosenWays, CompileError> {
        let facts = self.facts_of_all(asked)?;
        let mut parts = vec![ValuePart { terms: asked.to_vec(), choices: 0, facts }];
        let mut divided = false;
        for (bit, list) in lists.iter().enumerate() {
            let plain = self.is_plain_list(list);
            let mut next: Vec<ValuePart<'g>> = Vec::with_capacity(parts.len() + 1);
            for mut part in parts {
                let (can_hold, can_fail) = self.outcomes(&part, list)?;
                if !can_hold {
                    next.push(part);
                    continue;
                }
                if !can_fail {
                    part.choices |= 1 << bit;
                    next.push(part);
                    continue;
                }
                let mut with = ValuePart {
                    terms: part.terms.clone(),
                    choices: part.choices | 1 << bit,
                    facts: part.facts.clone(),
                };
                with.terms.extend(list);
                for &term in list {
                    with.facts.meet(&*self.facts(term, LEVELS - 1)?);
                }
                next.push(with);
                if let (true, &[term]) = (plain, list.as_slice()) {
                    divided = true;
                    part.terms.push(term.opposite());
                    part.facts.meet(&*self.facts(term.opposite(), LEVELS - 1)?);
                }
                next.push(part);
            }
            self.spend(next.len() / 2, terms)?;
            if next.len() > MOST_WAYS {
                let Place::Pointer(at) = self.pointer(terms) else { return Err(self.too_many_states(terms)) };
                let at = Place::Pointer(at);
                let remedy = format!(
                    "{} conditions of this object depend on the value of {name:?}; use one list of alternatives, told apart \
                     by a constant",
                    lists.len()
                );
                return Err(too_big(at, "combinations of conditions on one member", MOST_WAYS, &remedy));
            }
            parts = next;
        }
        let schema = self.intern(asked.to_vec());
        let mut ways: Vec<Way> = Vec::with_capacity(parts.len());
        let mut choices = (!divided).then_some(0);
        for part in parts {
            let own = self.intern(part.terms);
            if own == schema && !divided {
                choices = Some(part.choices);
            } else {
                ways.push(Way { schema: own, counts: 0, choices: part.choices });
            }
        }
        Ok(ChosenWays { schema, choices, ways })
    }

    fn facts_of_all(&mut self, terms: &[Term]) -> Result<Facts<'g>, CompileError> {
        let mut facts = Facts::open();
        for &term in terms {
            facts.meet(&*self.facts(term, LEVELS - 1)?);
        }
        Ok(facts)
    }

    /// Whether values of a part may meet all of some conditions, and whether they may fail to.
    fn outcomes(&mut self, part: &ValuePart<'g>, list: &[Term]) -> Result<(bool, bool), CompileError> {
        let (mut can_hold, mut can_fail) = (true, false);
        for &term in list {
            let known = |term| part.terms.contains(&term);
            can_hold = can_hold && !known(term.opposite()) && self.may_meet(&part.facts, term)?;
            can_fail = can_fail || !known(term) && self.may_meet(&part.facts, term.opposite())?;
        }
        Ok((can_hold, can_fail))
    }

    fn may_meet(&mut self, facts: &Facts<'g>, term: Term) -> Result<bool, CompileError> {
        let other = self.facts(term, LEVELS - 1)?;
        let mut comparison = FactsComparison::new(self.graph, STEPS_OF_A_WAY);
        let common = comparison.common(facts, &other);
        self.spend((STEPS_OF_A_WAY - comparison.left) / 16, &[term])?;
        Ok(common != Kinds::NONE)
    }
}
