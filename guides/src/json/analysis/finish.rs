//! A branch of the tableau to the values that it allows, kind by kind.
//!
//! Conditions on different kinds are independent, so a branch allows the union of what it allows of each kind. A branch with a list of
//! scalars allows no more than these, and they are checked one by one. Otherwise numbers and strings become automata, arrays and objects
//! shapes. A schema allows the union of its branches.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::error::{CompileError, Place, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Term};
use crate::json::analysis::facts::{self, ScalarValue, kind_of};
use crate::json::language::number::{self, NumberAtom, Numbers};
use crate::json::language::strings::Strings;
use crate::json::schema::graph::{Kinds, Node};
use crate::json::shape::{Schema, ShapeId};
use crate::json::text::decimal::Decimal;
use crate::json::text::escape::write_string;
use crate::json::text::value::Value;
use foldhash::HashSet;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// The union of what the branches of one schema allow.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) literals: BTreeSet<Box<[u8]>>,
    pub(super) numbers: Vec<Arc<Numbers>>,
    pub(super) strings: Vec<Arc<Strings>>,
    pub(super) objects: Vec<ShapeId>,
    pub(super) arrays: Vec<ShapeId>,
}

impl Builder<'_> {
    /// Adds what a branch allows.
    pub(super) fn finish(
        &mut self,
        mut branch: Branch,
        gathered: &mut Gathered,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        if let Some(scalars) = &branch.scalars {
            return self.finish_scalars(&branch, scalars, gathered, terms);
        }
        self.take_out_unspelled(&mut branch, terms)?;
        for (kind, values) in
            [(Kinds::NULL, vec![Value::Null]), (Kinds::BOOLEAN, vec![Value::Bool(false), Value::Bool(true)])]
        {
            if branch.kinds.has(kind) {
                let kept = values.iter().filter(|value| !branch.excluded.contains(value));
                gathered.literals.extend(kept.map(|value| spell(value).into_bytes().into_boxed_slice()));
            }
        }
        if branch.kinds.has(Kinds::NUMBER) {
            self.finish_number(&branch, gathered, terms)?;
        }
        if branch.kinds.has(Kinds::STRING) {
            let strings = self.capped_strings(&branch, terms)?;
            if strings.is_empty() {
                self.note_unspelled_strings(&branch, terms);
            } else {
                gathered.strings.push(Arc::new(strings));
            }
        }
        if branch.kinds.has(Kinds::ARRAY) {
            self.finish_array(&branch, gathered, terms)?;
        }
        if branch.kinds.has(Kinds::OBJECT) {
            self.finish_object(&branch, gathered, terms)?;
        }
        Ok(())
    }

    /// Adds the scalars of a list that the other conditions of the branch allow.
    fn finish_scalars(
        &mut self,
        branch: &Branch,
        scalars: &[Value],
        gathered: &mut Gathered,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        let excluded = facts::scalars(&branch.excluded);
        let conditions = 1 + branch.patterns.len() + branch.numbers.len();
        self.spend((scalars.len() * conditions + branch.excluded.len()) / 16, terms)?;
        for value in scalars {
            let is_kept = branch.kinds.has(kind_of(value)) && !excluded.contains(&ScalarValue::new(value));
            if is_kept && self.allows_scalar(branch, value) {
                let mut spellings = vec![spell(value)];
                // 2.0 may be written as the integer that it is.
                if let Value::Number(text) = value {
                    spellings.extend(Decimal::parse(text).and_then(|number| number.plain_integer()));
                }
                self.keep_spelled(&mut spellings, value)?;
                gathered.literals.extend(spellings.into_iter().map(|text| text.into_bytes().into_boxed_slice()));
            }
        }
        Ok(())
    }

    /// Whether the conditions on numbers and strings certainly hold for a scalar.
    fn allows_scalar(&self, branch: &Branch, value: &Value) -> bool {
        match value {
            Value::Number(text) => {
                let Some(number) = Decimal::parse(text) else { return false };
                branch.numbers.iter().all(|(atom, holds)| atom.holds(&number) == Some(*holds))
            }
            Value::String(text) => {
                let length = text.chars().count();
                length >= branch.length.0 as usize
                    && length <= branch.length.1 as usize
                    && branch
                        .patterns
                        .iter()
                        .all(|&(pattern, holds)| self.graph.patterns[pattern.index()].certainly(text, holds))
            }
            _ => true,
        }
    }

    /// Adds the numbers of a branch. Compilations share the automata of numbers, by their conditions.
    fn finish_number(&mut self, branch: &Branch, gathered: &mut Gathered, terms: &[Term]) -> Result<(), CompileError> {
        let mut atoms = branch.numbers.clone();
        for value in &branch.excluded {
            if let Value::Number(text) = value {
                atoms.extend(Decimal::parse(text).map(|number| (NumberAtom::Equal(number), false)));
            }
        }
        let atoms = number::simplified(atoms);
        let numbers = self.languages.numbers(atoms.clone(), self.graph.digits, self.limits.states);
        let numbers = numbers.map_err(|_| self.too_many_numbers(&atoms, terms))?;
        self.spend_once(Arc::as_ptr(&numbers).cast(), 20 + numbers.states() / 8, terms)?;
        if numbers.is_empty() {
            self.note_unspelled_numbers(&atoms, terms);
        } else {
            gathered.numbers.push(numbers);
        }
        Ok(())
    }

    /// The error about numbers whose automaton would be too big: at the `multipleOf` that makes it so, if there is one.
    fn too_many_numbers(&self, atoms: &[(NumberAtom, bool)], terms: &[Term]) -> CompileError {
        let divisor = |node: &Node| match node {
            Node::Number(atom @ NumberAtom::MultipleOf(divisor)) => {
                let is_meant = atoms.is_empty() || atoms.iter().any(|(other, _)| other == atom);
                is_meant.then(|| divisor.scaled().map_or(u64::MAX, |(m, _)| m))
            }
            _ => None,
        };
        let nodes = self.graph.nodes.iter().zip(&self.graph.pointers);
        let most = nodes.filter_map(|(node, pointer)| Some((divisor(node)?, pointer))).max_by_key(|(m, _)| *m);
        let Some((_, pointer)) = most else { return self.too_many_states(terms) };
        too_big(
            Place::Pointer(pointer.to_string()),
            "states of an automaton of numbers",
            self.limits.states,
            "use a multipleOf with fewer digits, or a whole number beside one of them only",
        )
    }

    /// The alternatives of a schema from all its branches: each automaton once, and all numbers as one automaton, as are small ones of strings.
    pub(super) fn gather(&mut self, gathered: Gathered, terms: &[Term]) -> Result<Schema, CompileError> {
        let mut seen = HashSet::default();
        let mut numbers = gathered.numbers;
        numbers.retain(|one| seen.insert(Arc::as_ptr(one)));
        let numbers = match numbers.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => {
                let limit = self.limits.states;
                let automata = several.iter().map(|one| one.automaton().cloned());
                let all: Option<VecDeque<Dfa>> = automata.collect();
                let mut all = all.ok_or_else(|| self.too_many_numbers(&[], terms))?;
                // Pairs first: added one by one to the union, each automaton would visit all states of the union again.
                while let (Some(one), Some(two)) = (all.pop_front(), all.pop_front()) {
                    let union = one.union(&two, limit).map_err(|_| self.too_many_states(terms))?;
                    if all.is_empty() {
                        all.push_back(union);
                        break;
                    }
                    self.spend(union.len() / 16, terms)?;
                    all.push_back(union);
                }
                let spelled = all.pop_front().map(|dfa| self.languages.spellable().numbers(dfa, None)).transpose();
                spelled.map_err(|_| self.too_many_states(terms))?.map(Arc::new)
            }
        };
        let mut seen = HashSet::default();
        let mut strings = gathered.strings;
        strings.retain(|one| seen.insert((Arc::as_ptr(&one.characters), one.min, one.max)));
        let strings = self.united(strings, terms)?;
        Ok(Schema {
            literals: gathered.literals.into_iter().collect(),
            numbers,
            strings,
            objects: gathered.objects,
            arrays: gathered.arrays,
            cost: Cost::NEVER,
            endless: false,
        })
    }
}

/// A scalar as JSON: a number as the schema spells it, a string in its shortest spelling.
fn spell(value: &Value) -> String {
    match value {
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Number(text) => text.clone(),
        Value::String(text) => write_string(text),
        _ => "null".into(),
    }
}
