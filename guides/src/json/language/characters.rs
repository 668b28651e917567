//! [`Characters`]: a set of strings as an automaton over their characters in UTF-8, with the analysis of its states.

use crate::automaton::cost::Cost;
use crate::automaton::determinize::CharacterDfa;
use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::expression::Expression;
use crate::automaton::residual::{Reach, reaches};
use crate::collections::cache::Cache;
use crate::interrupt::to_the_end;
use crate::json::language::escapes::Escapes;
use crate::json::language::repertoire::Repertoire;
use crate::json::text::escape::spelled_length;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A set of strings by their characters, with the analysis of its states.
#[derive(Debug)]
pub(crate) struct Characters {
    pub(crate) dfa: Dfa,
    /// For each state the least bytes of JSON to acceptance, the closing quote not counted.
    costs: Vec<Cost>,
    /// The suffixes with the fewest characters, made if the number of characters is bounded.
    shortest: OnceLock<Shortest>,
    longest: OnceLock<Option<u32>>,
    reaches: Vec<Reach>,
    /// For each state between characters the fewest characters to the dead state, `u32::MAX` if it is never reached.
    distances: Vec<u32>,
    /// Greatest cost of a state.
    pub(super) most_needed: Cost,
    /// Costs within `\u` escapes. Such a cost is a minimum over up to a million characters, and a mask asks for the same ones often.
    pub(super) hex_costs: Cache<HexKey, Cost>,
    /// Its key in caches that outlive it.
    id: u64,
    /// Whether strings of any length are accepted.
    endless: bool,
    pub(super) spelled: Repertoire,
}

/// What the cost within an escape depends on if no bound on the number of characters is near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct HexKey {
    pub(super) state: u32,
    pub(super) digits: u8,
    pub(super) value: u16,
    pub(super) high: u16,
    pub(super) escapes: Escapes,
    pub(super) bounded: bool,
}

/// The most costs of escapes that are cached for an automaton.
const MOST_HEX_COSTS: usize = 1024;

/// Bytes of a cached cost with its key.
pub(super) const HEX_COST_BYTES: usize = 24;

/// For each state the suffixes to acceptance with the fewest characters.
#[derive(Debug)]
pub(super) struct Shortest {
    /// The number of characters that begin in such a suffix.
    characters: Vec<Cost>,
    /// The least bytes of JSON of such a suffix, the closing quote not counted.
    pub(super) costs: Vec<Cost>,
    pub(super) most_characters: u32,
    pub(super) most_cost: Cost,
}

impl Characters {
    pub(crate) fn new(dfa: Dfa, any: &Dfa) -> Characters {
        let costs = dfa.costs(spelled_length);
        let (reaches, distances) = reaches(&dfa, any);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let most_needed = Cost::greatest(finite(&costs));
        let endless = dfa.longest(|_| 1).is_none();
        let (shortest, longest, id) = (OnceLock::new(), OnceLock::new(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (hex_costs, spelled) = (Cache::new(MOST_HEX_COSTS * HEX_COST_BYTES), Repertoire::ALL);
        Characters { dfa, costs, shortest, longest, reaches, distances, most_needed, hex_costs, endless, spelled, id }
    }

    /// The set with a repertoire that is not complete. The automaton excludes the other characters already.
    pub(super) fn within(self, spelled: Repertoire) -> Characters {
        Characters { spelled, ..self }
    }

    /// The characters that can be spelled.
    pub(crate) fn spelled(&self) -> Repertoire {
        self.spelled
    }

    /// The most bytes of JSON of a string in its shortest spelling, the quotes not counted; `None` if there is no most.
    pub(crate) fn longest(&self) -> Option<u32> {
        *self.longest.get_or_init(|| self.dfa.longest(spelled_length))
    }

    /// Whether there are strings of any length.
    pub(crate) fn is_endless(&self) -> bool {
        self.endless
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The greatest cost of a state if the number of characters is not bounded. No state needs more characters than that.
    pub(crate) fn most_needed(&self) -> u32 {
        self.most_needed.get()
    }

    pub(super) fn shortest(&self) -> &Shortest {
        self.shortest.get_or_init(|| {
            let (characters, costs) = self.dfa.shortest(spelled_length);
            let most_characters = Cost::greatest(finite(&characters)).get();
            let most_cost = Cost::greatest(finite(&costs));
            Shortest { characters, costs, most_characters, most_cost }
        })
    }

    /// The least number of characters that begin in a suffix to acceptance.
    pub(super) fn needed(&self, state: u32) -> u32 {
        self.shortest().characters[state as usize].get()
    }

    /// All strings; made once for the process, as every schema uses them.
    pub(crate) fn any() -> Result<Arc<Characters>, TooManyStates> {
        static ANY: OnceLock<Option<Arc<Characters>>> = OnceLock::new();
        let limits = DfaLimits { states: 100, bytes: 1 << 20 };
        let make = || {
            let dfa = CharacterDfa::new(&Expression::any(), limits).ok()?.to_bytes(limits).ok()?;
            Some(Arc::new(Characters::new(dfa.clone(), &dfa)))
        };
        ANY.get_or_init(|| to_the_end(make)).clone().ok_or(TooManyStates)
    }

    /// Whether every suffix is accepted.
    pub(crate) fn is_universal(&self, state: u32) -> bool {
        self.reaches[state as usize] == Reach::Universal
    }

    /// The class of the residual language of a state.
    pub(crate) fn reach(&self, state: u32) -> Reach {
        self.reaches[state as usize]
    }

    /// The fewest characters from a state to the dead state: after any fewer ones the string can still be completed.
    pub(crate) fn distance(&self, state: u32) -> u32 {
        self.distances[state as usize]
    }

    pub(crate) fn cost(&self, state: u32) -> Cost {
        self.costs[state as usize]
    }

    /// The state after one more character; 0 if dead.
    pub(super) fn push(&self, state: u32, c: char) -> u32 {
        self.dfa.after_character(state, c)
    }
}

/// The costs of the states that reach acceptance.
fn finite(costs: &[Cost]) -> impl Iterator<Item = Cost> {
    costs.iter().copied().filter(|cost| !cost.is_never())
}
