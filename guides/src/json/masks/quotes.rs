//! The tokens that close a string or a key, by the suffix behind the quote.
//!
//! One walk along the trie of suffixes answers for all tokens, and its result is cached: by the machine's cache key after the quote, and for
//! the value of a key by its schema alone. All keys of an object whose values have one schema thus share the walk through that value;
//! only what follows the value is walked for the object itself.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::strings::Escapes;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, Choice, Item, JsonState, Level, LevelKind};
use crate::json::masks::begins_entry;
use crate::json::shape::SchemaId;
use crate::json::tokens::classes::{Following, StringClasses};
use crate::json::tokens::frame::{Look, QUOTE, Room};
use crate::vocabulary::mask::TokenSet;

/// A string or a key below a trie node, with the token classes of its state.
pub(super) struct OpenString<'a> {
    pub(super) classes: &'a StringClasses,
    pub(super) node: u32,
    pub(super) escapes: Escapes,
    pub(super) room: Room,
}

impl JsonMachine {
    /// Adds the tokens that close the string in a state for which `closes` holds; `after` is the state of the output behind the quote.
    /// Returns a bound of the cost after any of them. Tokens that have to be stepped through go to `deferred`.
    pub(super) fn add_closing(
        &self,
        open: &OpenString<'_>,
        after: &JsonState,
        closes: impl Fn(u32) -> bool,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> Cost {
        let &OpenString { classes, node, escapes, room } = open;
        let cost = self.cost(after);
        let mut reach = classes.add_bare(cost, room, &closes, set);
        // The next key must not repeat this one, and the next entry not this entry. `after` does not know their texts.
        let look = |state: &JsonState| match state.at {
            At::Key { .. } if matches!(after.at, At::Colon { .. }) => Look::Stop,
            _ if begins_entry(state) => Look::Stop,
            _ => Look::On,
        };
        let mut add = |following, deferred: &mut Vec<u32>, set: &mut TokenSet| {
            reach = reach.max(classes.add_closing(following, room, &closes, deferred, set));
        };
        let frame = classes.frame();
        match self.lone_value(after) {
            Some((pending, schema)) => {
                let within = self.known.within_value((schema, node, escapes), || {
                    frame.after_quote(self, &[QUOTE], &Self::colon_alone(schema), |state| self.look_within(state))
                });
                add(Following { after: &within, cost }, deferred, set);
                if let (false, Some(done)) =
                    (within.ends().is_empty(), self.value_done(&after.level, pending, &[schema]))
                {
                    let find = || frame.after_quote(self, within.ends(), &done, look);
                    let beyond = self.known.after_quote((self.key(&done), Some(schema), node, escapes), find);
                    add(Following { after: &beyond, cost: self.cost(&done) }, deferred, set);
                }
            }
            None => {
                let find = || frame.after_quote(self, &[QUOTE], after, look);
                let follows = self.known.after_quote((self.key(after), None, node, escapes), find);
                add(Following { after: &follows, cost }, deferred, set);
            }
        }
        reach
    }

    /// The value behind a key, if the states inside it do not depend on the text around it.
    fn lone_value<'a>(&self, state: &'a JsonState) -> Option<(&'a Few<Choice>, SchemaId)> {
        match &state.at {
            At::Colon { pending: pending @ Few::One(choice), blanks: 0 }
                if state.level.distinct.is_none() && !self.spacing.is_fixed() =>
            {
                Some((pending, choice.schema))
            }
            _ => None,
        }
    }

    /// The state before a colon and a value that ends the output: it stands for every place of such a value.
    fn colon_alone(schema: SchemaId) -> JsonState {
        let level = Level { kind: LevelKind::Root, count: 0, seen: None, parent: None, depth: 0, distinct: None };
        JsonState { level, at: At::Colon { pending: Few::One(Choice { schema, next: Item::nowhere() }), blanks: 0 } }
    }

    /// Looks no further than the end of the outermost value.
    fn look_within(&self, state: &JsonState) -> Look {
        match &state.at {
            At::End => Look::End,
            At::Scalar { machines, .. } if state.level.depth == 0 => {
                let is_complete = machines.iter().any(|scalar| self.finished(scalar).0);
                if is_complete { Look::OnOrEnd } else { Look::On }
            }
            _ if begins_entry(state) => Look::Stop,
            _ => Look::On,
        }
    }
}
