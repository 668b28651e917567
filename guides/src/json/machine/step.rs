//! The transition of the pushdown automaton by one byte.
//!
//! In `{"a": [1` the state is within a scalar at level 2: `,` ends the `1` and leads to the next entry, `]` ends it and pops the level.

use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, JsonState, Level, LevelKind};
use std::sync::Arc;

impl JsonMachine {
    /// A step that records the text of entries that must be distinct. It does not ask whether they can still become distinct.
    pub(crate) fn step_recorded(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
        let Some(distinct) = &state.level.distinct else { return self.step_plain(state, byte) };
        // White space and brackets between entries are no part of an entry.
        let begins = byte != b' ' && byte != b'\n';
        let own = distinct.depth() != state.level.depth
            || match &state.at {
                At::Value { .. } => begins,
                At::Open { .. } => begins && byte != b']',
                At::Scalar { .. } => true,
                _ => false,
            };
        let level = Level { distinct: Some(Arc::new(distinct.with(byte, own))), ..state.level.clone() };
        let mut next = self.step_plain(&JsonState { level, at: state.at.clone() }, byte)?;
        if let Some(settled) = next.level.distinct.as_ref().and_then(|distinct| distinct.settled()) {
            next.level.distinct = Some(Arc::new(settled));
        }
        Some(next)
    }

    /// A step that knows nothing of distinct entries.
    fn step_plain(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
        let level = &state.level;
        let here = |at: At| Some(JsonState { level: level.clone(), at });
        let lines = self.spacing.has_lines();
        if self.spacing.is_fixed()
            && let Some(next) = self.spacing.next(level, &state.at)
        {
            if byte == next {
                return here(self.spaced(level, &state.at)?);
            }
            if self.spacing.left(level, &state.at) > 0 {
                return None;
            }
        }
        let blank = byte == b' ' || self.most_blanks > 1 && matches!(byte, b'\n' | b'\t' | b'\r');
        // Numbers may end at white space; strings and keys have spaces of their own.
        if blank && !matches!(state.at, At::Scalar { .. } | At::Key { .. } | At::End) {
            let mut at = state.at.clone();
            let blanks = at.blanks()?;
            *blanks = (*blanks < self.most_blanks).then_some(*blanks + 1)?;
            return here(at);
        }
        match &state.at {
            At::Value { pending, .. } => self.step_value(level, pending, byte),
            At::Scalar { pending, machines } => self.step_scalar(state, pending, machines, byte),
            At::Open { items, blanks } => match (level.kind, byte) {
                // Where each entry has its own line, the white space tells whether there is one.
                (LevelKind::Object, b'}') | (LevelKind::Array, b']') => {
                    (*blanks == 0 || !lines).then(|| self.pop(level, items))?
                }
                _ if lines && *blanks == 0 => None,
                (LevelKind::Object, b'"') => here(self.keys(level, items)?),
                (LevelKind::Array, _) => self.step_value(level, &self.array_choices(level, items)?, byte),
                _ => None,
            },
            At::Comma { items, .. } if byte == b'"' => here(self.keys(level, items)?),
            At::Comma { .. } => None,
            At::Key { keys, text } => self.step_key(state, keys, text, byte),
            At::Colon { pending, .. } if byte == b':' => here(At::Value { pending: pending.clone(), blanks: 0 }),
            At::Colon { .. } => None,
            At::After { blanks, .. } if lines && (*blanks == 0) == matches!(byte, b'}' | b']') => None,
            At::After { items, .. } => self.step_after(level, items, byte),
            At::End => None,
        }
    }
}
