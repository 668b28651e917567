//! White space that must stand in a state.
//!
//! Where each entry has its own line, the white space comes before the byte that explains it: after `[1` a line break of depth 0 is for the
//! closing bracket. So the first byte of white space decides, and drops the alternatives that it does not fit.

use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, Level, LevelKind, written};
use crate::json::shape::spacing::{MOST_INDENTED, Spacing, line};

impl Spacing {
    /// The depth that mask keys tell apart: beyond [`MOST_INDENTED`] all levels are indented alike.
    pub(super) fn indentation(self, level: &Level) -> u32 {
        if self.has_lines() { level.depth.min(MOST_INDENTED + 1) } else { 0 }
    }

    /// Bytes of white space that must still be written in this place. After an opening bracket and after an entry they are known only once
    /// the first one is written.
    pub(crate) fn left(self, level: &Level, at: &At) -> u32 {
        let comma = if self.has_lines() { line(level.depth) } else { self.comma };
        let (whole, blanks) = match (at, level.kind) {
            (At::Value { blanks, .. }, LevelKind::Object) => (self.colon, *blanks),
            (At::Value { blanks, .. }, LevelKind::Array) | (At::Comma { blanks, .. }, _) => (comma, *blanks),
            (At::Open { blanks: blanks @ 1.., .. }, _) if self.has_lines() => (comma, *blanks),
            (At::After { blanks: blanks @ 1.., .. }, _) if self.has_lines() => (line(level.depth - 1), *blanks),
            _ => (0, 0),
        };
        whole.saturating_sub(u32::from(blanks))
    }

    /// The next byte of the white space in this place, if there must be more, or may be some.
    pub(crate) fn next(self, level: &Level, at: &At) -> Option<u8> {
        let breaks = match at {
            At::Open { blanks: 0, .. } | At::After { blanks: 0, .. } => return self.has_lines().then_some(b'\n'),
            At::Comma { blanks: 0, .. } => self.has_lines(),
            At::Value { blanks: 0, .. } => self.has_lines() && level.kind == LevelKind::Array,
            _ => false,
        };
        (self.left(level, at) > 0).then_some(if breaks { b'\n' } else { b' ' })
    }
}

impl JsonMachine {
    /// After one more byte of the white space that must stand here.
    pub(super) fn spaced(&self, level: &Level, at: &At) -> Option<At> {
        let mut at = at.clone();
        match &mut at {
            // A line break after an opening bracket is for an entry, one after an entry is for the closing bracket.
            At::Open { items, blanks: 0 } if level.kind == LevelKind::Object => {
                *items = items.filter_map(|item| {
                    let (object, others) = (self.object(item.shape), written(level));
                    let cost = object.cost_after_comma(&item.progress(), level.count, others, &|id| self.cost_of(id));
                    (!cost.is_never()).then(|| item.clone())
                })?;
            }
            At::Open { items, blanks: 0 } => {
                self.array_choices(level, items)?;
            }
            At::After { items, blanks: 0 } => {
                *items = items.filter_map(|item| self.may_close(level, item).then(|| item.clone()))?;
            }
            _ => {}
        }
        *at.blanks()? += 1;
        Some(at)
    }
}
