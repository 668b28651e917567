//! The facts of each term of the graph, worked out once.
//!
//! Facts look through logic, references and scopes, and into the values of entries for a few levels. What lies deeper is open.

use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Demand, Term};
use crate::json::analysis::facts::{COMPARED_ITEMS, Facts, LEVELS, kind_of, scalars};
use crate::json::language::number::NumberAtom;
use crate::json::schema::graph::{Kinds, Node, Properties};
use std::rc::Rc;

/// Conditions on the same value that facts look through, one inside the other. References may make chains of any length.
const DEEPEST_FACTS: u8 = 40;

/// So many disjuncts of a condition are kept apart. Of more only the kinds and scalars are known.
const MOST_DISJUNCTS: usize = 128;

impl<'g> Builder<'g> {
    /// The facts of a term, down to so many levels of entries.
    pub(super) fn facts(&mut self, term: Term, levels: u8) -> Result<Rc<Facts<'g>>, CompileError> {
        if let Some(known) = self.known_facts.known.get(&(term, levels)) {
            return Ok(known.clone());
        }
        if self.known_facts.depth >= DEEPEST_FACTS {
            return Ok(Rc::new(Facts::open()));
        }
        self.spend(1, &[term])?;
        self.known_facts.depth += 1;
        let facts = self.work_out(term, levels);
        self.known_facts.depth -= 1;
        let facts = Rc::new(facts?);
        self.known_facts.known.insert((term, levels), facts.clone());
        Ok(facts)
    }

    /// The facts of the container of which an entry is demanded; `None` where nothing is known.
    pub(super) fn facts_of_demand(&mut self, demand: &Demand) -> Result<Option<Facts<'g>>, CompileError> {
        Ok(match demand {
            Demand::Entry(entry) => {
                let value = self.facts(entry.term, LEVELS - 1)?;
                Some(Facts::of_field(entry.name.as_str().into(), value, true))
            }
            Demand::Some(_) => Some(Facts { property_count: (1, u32::MAX), ..Facts::open() }),
            Demand::Item(item) => {
                let mut facts = Facts { item_count: (item.index.saturating_add(1), u32::MAX), ..Facts::open() };
                if (item.index as usize) < COMPARED_ITEMS {
                    let open = Rc::new(Facts::open());
                    facts.items = std::iter::repeat_n(open, item.index as usize).collect();
                    facts.items.push(self.facts(item.term, LEVELS - 1)?);
                }
                Some(facts)
            }
            Demand::Counted(counted) => {
                let least = if counted.min > 0 { counted.from.saturating_add(counted.min) } else { 0 };
                Some(Facts { item_count: (least, u32::MAX), ..Facts::open() })
            }
        })
    }

    fn work_out(&mut self, term: Term, levels: u8) -> Result<Facts<'g>, CompileError> {
        let graph = self.graph;
        let node = &graph.nodes[term.node.index()];
        let holds = term.holds;
        let mut facts = Facts::open();
        match (node, holds) {
            (Node::All(nodes), true) | (Node::Any(nodes), false) => {
                for &node in nodes {
                    let more = self.facts(Term { node, holds }, levels)?;
                    self.spend(more.size() / 8, &[term])?;
                    facts.meet(&more);
                }
            }
            (Node::Any(nodes), true) | (Node::All(nodes), false) => {
                let terms: Vec<Term> = nodes.iter().map(|&node| Term { node, holds }).collect();
                return self.either(&terms, levels);
            }
            (Node::One(nodes), true) => {
                let terms: Vec<Term> = nodes.iter().map(|&node| Term::of(node)).collect();
                return self.either(&terms, levels);
            }
            (&Node::Not(node), _) => return Ok((*self.facts(Term { node, holds: !holds }, levels)?).clone()),
            (&Node::Scope { inner, .. }, true) => return Ok((*self.facts(Term::of(inner), levels)?).clone()),
            (&Node::Kinds(kinds), true) => facts.kinds = kinds,
            (&Node::Kinds(kinds), false) => facts.kinds = kinds.complement(),
            (Node::Scalars(values), true) => {
                self.spend(values.len() / 16, &[term])?;
                facts.kinds = values.iter().fold(Kinds::NONE, |kinds, value| kinds.or(kind_of(value)));
                facts.scalars = Some(Rc::new(scalars(values)));
            }
            (Node::Scalars(values), false) => {
                self.spend(values.len() / 16, &[term])?;
                facts.excluded.push(Rc::new(scalars(values)));
            }
            (Node::Number(atom), _) => number_facts(atom, holds, &mut facts),
            (&Node::Pattern(pattern), _) => {
                facts.patterns.push((pattern, holds));
                facts.kinds = if holds { Kinds::ALL } else { Kinds::STRING };
            }
            (&Node::Length { min, max }, _) => {
                count_facts(Kinds::STRING, (min, max), holds, &mut facts, |f| &mut f.length)
            }
            (&Node::ItemCount { min, max }, _) => {
                count_facts(Kinds::ARRAY, (min, max), holds, &mut facts, |f| &mut f.item_count);
            }
            (&Node::PropertyCount { min, max }, _) => {
                count_facts(Kinds::OBJECT, (min, max), holds, &mut facts, |f| &mut f.property_count);
            }
            (Node::Required(name), true) => {
                facts.required.insert(name.as_str().into());
            }
            (Node::Required(name), false) => {
                facts = Facts::of_field(name.as_str().into(), Rc::new(Facts::of_kinds(Kinds::NONE)), false);
                facts.kinds = Kinds::OBJECT;
            }
            (Node::Properties(properties), true) => {
                if levels > 0 {
                    self.spend(properties.named.len() / 8, &[term])?;
                    for (name, node) in &properties.named {
                        let value = self.value_facts(Term::of(*node), levels)?;
                        facts.fields.insert(name.as_str().into(), value);
                    }
                }
                if let Some(node) = properties.additional {
                    let value = match levels {
                        0 if self.is_false(node) => Some(Rc::new(Facts::of_kinds(Kinds::NONE))),
                        0 => None,
                        levels => Some(self.value_facts(Term::of(node), levels)?),
                    };
                    facts.beside.extend(value.map(|value| (properties, value)));
                }
            }
            (Node::Properties(properties), false) => return self.violated_facts(properties, levels),
            (&Node::PropertyNames(names), true) => {
                if self.is_false(names) {
                    facts.property_count.1 = 0;
                } else if levels > 0 {
                    facts.keys.extend(self.value_facts(Term::of(names), levels)?.scalars.clone());
                }
            }
            (Node::PropertyNames(_), false) => {
                facts.kinds = Kinds::OBJECT;
                facts.property_count.0 = 1;
            }
            (Node::Items { prefix, rest }, true) => {
                if levels > 0 {
                    for index in 0..COMPARED_ITEMS {
                        let Some(node) = prefix.get(index).copied().or(*rest) else { break };
                        let value = self.value_facts(Term::of(node), levels)?;
                        facts.items.push(value);
                    }
                }
                if rest.is_some_and(|node| self.is_false(node)) {
                    facts.item_count.1 = prefix.len() as u32;
                }
            }
            (Node::Items { .. }, false) => {
                facts.kinds = Kinds::ARRAY;
                facts.item_count.0 = 1;
            }
            (&Node::Contains { min, .. }, true) => facts.item_count.0 = min,
            (Node::Contains { .. }, false) => facts.kinds = Kinds::ARRAY,
            (Node::Unique, false) => {
                facts.kinds = Kinds::ARRAY;
                facts.item_count.0 = 2;
            }
            (Node::Unique, true) | (Node::One(_) | Node::Scope { .. }, false) => {}
        }
        Ok(facts)
    }

    /// The facts of the value of an entry. Conditions on it are no longer on the same value.
    fn value_facts(&mut self, term: Term, levels: u8) -> Result<Rc<Facts<'g>>, CompileError> {
        self.facts(term, levels - 1)
    }

    /// The facts of a condition of which one part holds.
    fn either(&mut self, terms: &[Term], levels: u8) -> Result<Facts<'g>, CompileError> {
        let mut facts = Facts::of_kinds(Kinds::NONE);
        if let &[only] = terms {
            return Ok((*self.facts(only, levels)?).clone());
        }
        let mut parts = Vec::with_capacity(terms.len());
        for &term in terms {
            let part = self.facts(term, levels)?;
            if part.kinds != Kinds::NONE {
                facts.kinds = facts.kinds.or(part.kinds);
                parts.push(part);
            }
        }
        let lists = parts.iter().map(|part| part.scalars.as_ref());
        if let (Some(lists), false) = (lists.collect::<Option<Vec<_>>>(), parts.is_empty()) {
            self.spend(lists.iter().map(|list| list.len()).sum::<usize>() / 16, terms)?;
            facts.scalars = Some(Rc::new(lists.into_iter().flat_map(|list| list.iter().cloned()).collect()));
        }
        if (2..=MOST_DISJUNCTS).contains(&parts.len()) {
            facts.either.push(parts.into());
        }
        Ok(facts)
    }

    /// The facts of an object in which some entry violates the schema of its key.
    fn violated_facts(&mut self, properties: &'g Properties, levels: u8) -> Result<Facts<'g>, CompileError> {
        let mut facts = Facts { property_count: (1, u32::MAX), ..Facts::of_kinds(Kinds::OBJECT) };
        let others = !properties.patterns.is_empty() || properties.additional.is_some();
        if levels == 0 || others || properties.named.len() > MOST_DISJUNCTS {
            return Ok(facts);
        }
        let mut parts = Vec::with_capacity(properties.named.len());
        for (name, node) in &properties.named {
            let value = self.value_facts(Term::not(*node), levels)?;
            if value.kinds != Kinds::NONE {
                parts.push(Rc::new(Facts::of_field(name.as_str().into(), value, true)));
            }
        }
        match parts.as_slice() {
            [] => facts.kinds = Kinds::NONE,
            [only] => facts.meet(only),
            _ => facts.either.push(parts.into()),
        }
        Ok(facts)
    }
}

fn number_facts(atom: &NumberAtom, holds: bool, facts: &mut Facts<'_>) {
    if !holds {
        facts.kinds = Kinds::NUMBER;
    }
    match (atom, holds) {
        (NumberAtom::Minimum(bound), true) => facts.least = Some((bound.clone(), false)),
        (NumberAtom::ExclusiveMinimum(bound), true) => facts.least = Some((bound.clone(), true)),
        (NumberAtom::Maximum(bound), true) => facts.greatest = Some((bound.clone(), false)),
        (NumberAtom::ExclusiveMaximum(bound), true) => facts.greatest = Some((bound.clone(), true)),
        (NumberAtom::Minimum(bound), false) => facts.greatest = Some((bound.clone(), true)),
        (NumberAtom::ExclusiveMinimum(bound), false) => facts.greatest = Some((bound.clone(), false)),
        (NumberAtom::Maximum(bound), false) => facts.least = Some((bound.clone(), true)),
        (NumberAtom::ExclusiveMaximum(bound), false) => facts.least = Some((bound.clone(), false)),
        _ => {}
    }
}

/// Facts about a count that lies in a range, or outside of it.
fn count_facts<'g>(
    kind: Kinds,
    (min, max): (u32, u32),
    holds: bool,
    facts: &mut Facts<'g>,
    count: for<'f> fn(&'f mut Facts<'g>) -> &'f mut (u32, u32),
) {
    if holds {
        *count(facts) = (min, max);
        return;
    }
    facts.kinds = kind;
    match (min, max) {
        (0, u32::MAX) => facts.kinds = Kinds::NONE,
        (0, max) => *count(facts) = (max + 1, u32::MAX),
        (min, u32::MAX) => *count(facts) = (0, min - 1),
        _ => {}
    }
}
