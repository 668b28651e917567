//! The clauses of an object while it is written, and the cheapest entries after which they hold.
//!
//! What it costs to complete the object is a search for the cheapest entries after which every clause holds, by branch and bound
//! (Land, Doig 1960): a clause that the entries so far violate is decided, case by case, and what one case asks for may violate others.

use crate::automaton::cost::Cost;
use crate::json::shape::SchemaId;
use crate::json::shape::clauses::{Atom, Cases, Clauses, LeftCases, MetClauses, Presence, add, has, remove};
use crate::json::shape::object::{Object, Others, Progress, Property};

/// Decisions of one search. A search that needs more takes the cheapest entries that it has found.
pub(crate) const MOST_DECISIONS: usize = 4_000;

impl Clauses {
    /// The cases that are left after an entry, and of which nothing else is said by `progress`: the entry has the property `index`, or an
    /// additional key if `None`, and its value meets `choices`. `progress` is that before the entry.
    pub(crate) fn after(&self, progress: &Progress<'_>, index: Option<u32>, choices: u128) -> Option<Cases> {
        let before = self.of(progress)?;
        let mut left = before.to_vec();
        let mut touched: Vec<usize> = Vec::new();
        for (place, &property) in self.linked.iter().enumerate() {
            let is_written = index == Some(property);
            // In order, each property before the entry is passed over.
            let is_passed =
                progress.written.is_none() && progress.is_left(property) && index.is_none_or(|index| property < index);
            for &(case, atom) in self.speaking[place].iter().filter(|_| is_written || is_passed) {
                let holds = if is_written {
                    atom.presence != Presence::Forbidden && atom.choices & !choices == 0
                } else {
                    atom.presence != Presence::Required
                };
                if !holds {
                    remove(&mut left, case);
                }
                touched.push(case);
            }
        }
        // A case that says nothing about what may still come holds for good.
        let is_gone = |place: usize| {
            let property = self.linked[place];
            index == Some(property)
                || !progress.is_left(property)
                || progress.written.is_none() && index.is_none_or(|index| property < index)
        };
        for case in touched {
            if has(&left, case) && self.cases[case].iter().all(|&(place, _)| is_gone(place)) {
                let clause = self.clauses.partition_point(|clause| clause.end <= case);
                self.clauses[clause].clone().for_each(|case| remove(&mut left, case));
                add(&mut left, self.cases.len() + clause);
            }
        }
        Some(if *left == **before { before.clone() } else { left.into() })
    }

    fn of<'p>(&self, progress: &Progress<'p>) -> Option<&'p Cases> {
        progress.cases.filter(|_| !self.is_empty())
    }

    /// Whether all clauses hold if no entry follows.
    pub(crate) fn hold(&self, progress: &Progress<'_>) -> bool {
        let Some(left) = self.of(progress) else { return true };
        let holds = |&(place, atom): &(usize, Atom)| {
            atom.presence != Presence::Required || !progress.is_left(self.linked[place])
        };
        self.clauses.iter().enumerate().all(|(clause, cases)| {
            has(left, self.cases.len() + clause)
                || cases.clone().any(|case| has(left, case) && self.cases[case].iter().all(holds))
        })
    }
}

/// What is asked of a property in clauses.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    /// It was written, or passed over: nothing is asked any more.
    gone: bool,
    required: bool,
    forbidden: bool,
    choices: u128,
}

/// The room that the entries of an object have.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryRoom {
    /// Entries that are complete, and those that are required anyhow.
    pub(super) entries: u32,
    /// So many entries must follow.
    pub(super) wanted: u32,
    /// Entries that are required anyhow.
    pub(super) required: u32,
}

/// A search for the cheapest entries after which all clauses hold.
struct ClauseSearch<'s, C> {
    object: &'s Object,
    progress: &'s Progress<'s>,
    left: &'s [u64],
    others: Others<'s>,
    costs: &'s C,
    room: EntryRoom,
    needs: Vec<Need>,
    /// The first of the linked properties that may still be added beside.
    from: usize,
    best: Option<MetClauses>,
    /// Decisions that are left.
    decisions: usize,
}

impl Object {
    /// The cheapest entries after which all clauses hold, and as many entries follow as must; `None` if no entries do.
    pub(super) fn clauses_met(
        &self,
        progress: &Progress<'_>,
        others: Others<'_>,
        room: EntryRoom,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<MetClauses> {
        let clauses = &self.clauses;
        let all;
        let cases = match progress.cases {
            Some(cases) => cases,
            None => {
                all = clauses.all()?;
                &all
            }
        };
        let is_free = self.min == 0 && self.max == u32::MAX;
        let search = |room: EntryRoom| {
            let mut search = ClauseSearch::new(self, progress, cases, others, room, costs);
            search.decide(MetClauses { bytes: 0, entries: 0 });
            search.best
        };
        let Some(known) = clauses.known.as_ref().filter(|_| is_free) else { return search(room) };
        let bits = (0..).zip(&clauses.linked).filter(|(_, property)| progress.is_left(**property));
        let properties = bits.fold(0u128, |bits, (place, _)| bits | 1 << place);
        let key = LeftCases { cases: cases.clone(), properties };
        let size = |key: &LeftCases, _: &Option<MetClauses>| 100 + key.cases.len() * 8;
        let found = known.get_or_make(key, size, || search(EntryRoom { wanted: 0, ..room }))?;
        if room.required + found.entries >= room.wanted { Some(found) } else { search(room) }
    }
}

impl Object {
    /// Whether there may be entries after which all clauses hold, if these schemas have values. A search that ends early does not tell.
    pub(crate) fn may_meet_clauses(&self, may: &impl Fn(SchemaId) -> bool) -> bool {
        let Some(cases) = self.clauses.all() else { return true };
        let costs = |id: SchemaId| if may(id) { Cost::ZERO } else { Cost::NEVER };
        let progress = Progress::default();
        let required = self.properties.iter().filter(|property| property.required).count() as u32;
        let room = EntryRoom { entries: required, wanted: self.min, required };
        let mut search = ClauseSearch::new(self, &progress, &cases, Others::default(), room, &costs);
        search.decide(MetClauses { bytes: 0, entries: 0 });
        search.best.is_some() || search.decisions == 0
    }
}

impl<'s, C: Fn(SchemaId) -> Cost> ClauseSearch<'s, C> {
    fn new(
        object: &'s Object,
        progress: &'s Progress<'s>,
        left: &'s [u64],
        others: Others<'s>,
        room: EntryRoom,
        costs: &'s C,
    ) -> ClauseSearch<'s, C> {
        let needs = object.clauses.linked.iter().map(|&property| {
            let left = progress.is_left(property);
            let required = left && object.properties[property as usize].required;
            Need { gone: !left, required, ..Need::default() }
        });
        let (needs, best, decisions, from) = (needs.collect(), None, MOST_DECISIONS, 0);
        ClauseSearch { object, progress, left, others, costs, room, needs, from, best, decisions }
    }

    /// Decides a clause that is violated if nothing but the needs is written, and all that then are.
    fn decide(&mut self, so_far: MetClauses) {
        if self.decisions == 0 || self.best.is_some_and(|best| so_far.bytes >= best.bytes) {
            return;
        }
        self.decisions -= 1;
        let clauses = &self.object.clauses;
        let violated = clauses.clauses.iter().enumerate().find(|(clause, cases)| {
            !has(self.left, clauses.cases.len() + clause)
                && !(*cases).clone().any(|case| has(self.left, case) && self.holds(case))
        });
        let Some((_, cases)) = violated else { return self.close(so_far) };
        let mut offers: Vec<(MetClauses, usize, Vec<Need>)> = Vec::new();
        for case in cases.clone().filter(|&case| has(self.left, case)) {
            let before = self.needs.clone();
            let found = self.assume(case, so_far);
            let after = std::mem::replace(&mut self.needs, before);
            offers.extend(found.map(|found| (found, case, after)));
        }
        offers.sort_by_key(|(found, case, _)| (found.bytes, *case));
        for (found, _, after) in offers {
            let before = std::mem::replace(&mut self.needs, after);
            self.decide(found);
            self.needs = before;
        }
    }

    /// Whether a case holds if nothing but the needs is written.
    fn holds(&self, case: usize) -> bool {
        self.object.clauses.cases[case].iter().all(|&(place, atom)| {
            let need = self.needs[place];
            need.gone
                || match atom.presence {
                    Presence::Forbidden => !need.required,
                    Presence::Optional => !need.required || self.implies(place, need.choices, atom.choices),
                    Presence::Required => need.required && self.implies(place, need.choices, atom.choices),
                }
        })
    }

    fn property(&self, place: usize) -> &Property {
        &self.object.properties[self.object.clauses.linked[place] as usize]
    }

    /// Whether each value of a property that meets some choices meets the wanted ones too.
    fn implies(&self, place: usize, choices: u128, wanted: u128) -> bool {
        let missing = wanted & !choices;
        missing == 0
            || self
                .property(place)
                .ways()
                .filter(|way| choices & !way.choices == 0 && !(self.costs)(way.schema).is_never())
                .all(|way| missing & !way.choices == 0)
    }

    /// The least bytes of a value that meets some choices.
    fn value(&self, place: usize, choices: u128) -> Cost {
        let ways = self.property(place).ways().filter(|way| choices & !way.choices == 0);
        Cost::least(ways.map(|way| (self.costs)(way.schema)))
    }

    /// Adds what a case asks for to the needs; `None` if they contradict each other.
    fn assume(&mut self, case: usize, found: MetClauses) -> Option<MetClauses> {
        let object = self.object;
        object.clauses.cases[case].iter().try_fold(found, |found, &(place, atom)| self.ask(place, atom, found))
    }

    /// Adds to the needs what is asked of one property.
    fn ask(&mut self, place: usize, atom: Atom, mut found: MetClauses) -> Option<MetClauses> {
        let before = self.needs[place];
        if before.gone {
            return Some(found);
        }
        let mut need = before;
        need.choices |= atom.choices;
        need.required |= atom.presence == Presence::Required;
        need.forbidden |= atom.presence == Presence::Forbidden;
        if need.required && need.forbidden {
            return None;
        }
        if need.required {
            let value = self.value(place, need.choices);
            if value.is_never() {
                return None;
            }
            found.bytes += if before.required {
                // The cheapest value so far is counted already.
                u64::from(value.beyond(self.value(place, before.choices)))
            } else {
                let spacing = self.object.spacing;
                let key = self.property(place).spelling.len() as u32 + 2 + spacing.colon + spacing.separator();
                found.entries += 1;
                u64::from(value + key)
            };
        }
        self.needs[place] = need;
        Some(found)
    }

    /// All clauses hold: the entries that are missing beside.
    fn close(&mut self, found: MetClauses) {
        let EntryRoom { entries, wanted, required } = self.room;
        let more = wanted.saturating_sub(required + found.entries);
        if u64::from(entries) + u64::from(found.entries) + u64::from(more) > u64::from(self.object.max) {
            return;
        }
        let mut whole = Some(found);
        if more > 0 {
            let object = self.object;
            // A property in clauses may violate some that hold without it, so that it is decided on its own.
            let cost = |index: u32, property: &Property| match object.clauses.linked.binary_search(&index) {
                Ok(_) => Cost::NEVER,
                Err(_) => property.cost(object.spacing, self.costs),
            };
            let bytes = object.bytes_of_more(self.progress, more, self.others.count(), self.costs, &cost);
            whole = bytes.map(|bytes| MetClauses { bytes: found.bytes + bytes, entries: found.entries + more });
        }
        if let Some(whole) = whole
            && self.best.is_none_or(|best| whole.bytes < best.bytes)
        {
            self.best = Some(whole);
        }
        if more == 0 {
            return;
        }
        let from = self.from;
        for place in from..self.needs.len() {
            let before = self.needs[place];
            if before.gone || before.required || before.forbidden {
                continue;
            }
            if let Some(found) = self.ask(place, Atom { presence: Presence::Required, choices: 0 }, found) {
                self.from = place + 1;
                self.decide(found);
                self.from = from;
            }
            self.needs[place] = before;
        }
    }
}
