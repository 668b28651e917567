//! The arrays of a branch: the alternatives for the entry at each index.
//!
//! An entry must satisfy all conditions on its index, so its schema is their conjunction, interned. `contains` with its bounds, and
//! demands for some entry, are counters: an entry that satisfies the condition of a counter counts for it, and each set of counters that
//! an entry counts for is a [`Way`] with a conjunction of its own. `unevaluatedItems` becomes a condition on the indices behind the
//! evaluated ones (JSON Schema 2020-12 core, section 11.2).

use crate::collections::few::Few;
use crate::error::{CompileError, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Counted, Counting, OUTSIDE, ScopeId, Scoped, Term};
use crate::json::analysis::finish::Gathered;
use crate::json::schema::graph::{Graph, Node, NodeId, TRUE};
use crate::json::shape::array::{Array, Counter};
use crate::json::shape::domain::Domains;
use crate::json::shape::{MOST_COUNTERS, ShapeId, Way};

/// The greatest count of `minContains` and `maxContains`: a counter has 16 bits, and needs one value more.
const MOST_COUNTED: u32 = 60_000;

/// Combinations of the counters of one array. The cost to close the array is tabulated for each of them.
const MOST_STATES_OF_COUNTERS: usize = 100_000;

/// Conditions on the entries of an array: by index, and for all further ones.
struct ItemConditions {
    prefix: Vec<NodeId>,
    rest: Option<NodeId>,
}

impl ItemConditions {
    fn of(graph: &Graph, id: NodeId) -> Option<ItemConditions> {
        match &graph.nodes[id.index()] {
            Node::Items { prefix, rest } => Some(ItemConditions { prefix: prefix.clone(), rest: *rest }),
            _ => None,
        }
    }

    /// The conditions of `unevaluatedItems` on the entries that the branch does not evaluate; `None` if it evaluates all.
    fn unevaluated(graph: &Graph, branch: &Branch, scope: ScopeId, node: NodeId) -> Option<ItemConditions> {
        let mut evaluated = 0;
        for items in branch.items.iter().filter(|items| branch.is_within(items.scope, scope)) {
            let ItemConditions { prefix, rest } = ItemConditions::of(graph, items.item)?;
            if rest.is_some() {
                return None;
            }
            evaluated = evaluated.max(prefix.len());
        }
        let mut inner = branch.scopes_with(graph, unevaluated_items);
        if inner.any(|inner| inner.scope != scope && branch.is_within(inner.scope, scope)) {
            return None;
        }
        // `contains` evaluates the entries that satisfy it, so each other entry satisfies one condition of several. The schema was read
        // with a node for each such set.
        let is_within = |counted: &&Scoped<Counted>| counted.scope != OUTSIDE && branch.is_within(counted.scope, scope);
        let counted = branch.counted.iter().filter(is_within).map(|counted| counted.item.term.node);
        let mut either: Vec<NodeId> = counted.chain([node]).collect();
        either.sort_unstable();
        either.dedup();
        let node = graph.either.get(&either).copied().unwrap_or(node);
        Some(ItemConditions { prefix: vec![TRUE; evaluated], rest: Some(node) })
    }

    fn at(&self, index: usize) -> Option<NodeId> {
        self.prefix.get(index).copied().or(self.rest)
    }
}

fn unevaluated_items(node: &Node) -> Option<NodeId> {
    if let &Node::Scope { items, .. } = node { items } else { None }
}

/// All conditions of a branch on the entries of its arrays.
struct Entries<'b> {
    branch: &'b Branch,
    conditions: Vec<ItemConditions>,
    counted: Vec<Counted>,
}

impl Entries<'_> {
    /// The first index from which on the conditions are the same for all entries.
    fn same_from(&self) -> usize {
        let prefixes = self.conditions.iter().map(|conditions| conditions.prefix.len());
        let indexed = self.branch.item_values.iter().map(|item| item.index as usize + 1);
        let starts = self.counted.iter().map(|counted| counted.from as usize);
        prefixes.chain(indexed).chain(starts).max().unwrap_or(0)
    }

    /// The conditions on the entry at an index, counters aside.
    fn asked_at(&self, index: usize) -> Vec<Term> {
        let of_all = self.conditions.iter().filter_map(|conditions| conditions.at(index)).map(Term::of);
        let own = self.branch.item_values.iter().filter(|item| item.index as usize == index).map(|item| item.term);
        of_all.chain(own).collect()
    }
}

impl Builder<'_> {
    /// Adds the arrays of a branch.
    pub(super) fn finish_array(
        &mut self,
        branch: &Branch,
        gathered: &mut Gathered,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        let conditions = self.item_conditions(branch, terms)?;
        let entries = Entries { branch, conditions, counted: self.counted(branch, terms)? };
        let (min, max) = self.array_length(branch, terms)?;
        let length = entries.same_from().min(max as usize);
        self.spend(length * entries.conditions.len().max(1), terms)?;
        let mut prefix = Vec::with_capacity(length);
        for index in 0..length {
            prefix.extend(self.ways_at(&entries, index, terms)?);
        }
        let Some(rest) = self.ways_at(&entries, usize::MAX, terms)? else { return Ok(()) };
        let distinct = (branch.unique && max > 1).then(Domains::default);
        let counters = entries.counted.iter().map(|one| Counter { min: one.min, max: one.max }).collect();
        let array = Array { prefix, rest, min, max, distinct, counters, table: Vec::new(), spacing: self.spacing };
        if array.counters.iter().any(|counter| counter.top() > MOST_COUNTED)
            || array.table_size() > MOST_STATES_OF_COUNTERS
        {
            let limit = "counts of minContains and maxContains";
            return Err(too_big(self.pointer(terms), limit, MOST_COUNTED as usize, "use smaller ones"));
        }
        gathered.arrays.push(ShapeId::new(self.arrays.len()));
        self.arrays.push(array);
        Ok(())
    }

    fn item_conditions(&mut self, branch: &Branch, terms: &[Term]) -> Result<Vec<ItemConditions>, CompileError> {
        let graph = self.graph;
        let own = branch.items.iter().filter_map(|items| ItemConditions::of(graph, items.item));
        let mut conditions: Vec<ItemConditions> = own.collect();
        self.spend(branch.scopes.len() * (branch.items.len() + branch.scopes.len()) / 16, terms)?;
        for Scoped { item, scope } in branch.scopes_with(graph, unevaluated_items) {
            conditions.extend(ItemConditions::unevaluated(graph, branch, scope, item));
        }
        Ok(conditions)
    }

    /// The conditions that count entries, each once. Too many are refused: the ways of an entry double with each.
    fn counted(&self, branch: &Branch, terms: &[Term]) -> Result<Vec<Counted>, CompileError> {
        let mut counted: Vec<Counted> = Vec::new();
        for Scoped { item: one, .. } in &branch.counted {
            if (one.min, one.max) != (0, u32::MAX) && !counted.contains(one) {
                counted.push(*one);
            }
            if counted.len() > MOST_COUNTERS {
                let (limit, remedy) = (
                    "conditions that count the entries of an array",
                    "use fewer of contains, and of items under not, for one array",
                );
                return Err(too_big(self.pointer(terms), limit, MOST_COUNTERS, remedy));
            }
        }
        Ok(counted)
    }

    /// The ways of the entry at an index: for each counter, one that counts the entry and one that does not.
    ///
    /// A counter without an upper bound asks nothing of an entry that it leaves out: an entry that satisfies the condition takes both ways.
    /// A counter with an upper bound must not miss one, so the way that leaves the entry out asks for the opposite of the condition.
    fn ways_at(
        &mut self,
        entries: &Entries<'_>,
        index: usize,
        terms: &[Term],
    ) -> Result<Option<Few<Way>>, CompileError> {
        let mut ways = vec![Counting::new(entries.asked_at(index))];
        for (bit, one) in entries.counted.iter().enumerate().filter(|(_, one)| one.from as usize <= index) {
            let counts: Vec<Counting> = ways.iter().map(|way| way.counted(one.term, bit)).collect();
            if one.max != u32::MAX {
                ways.iter_mut().for_each(|way| way.asked.push(one.term.opposite()));
            }
            ways.extend(counts);
            self.spend(ways.len() * 4, terms)?;
        }
        let ways = ways.into_iter().map(|way| self.way(way)).collect();
        Ok(Few::from_vec(ways))
    }
}
