//! Caps on the lengths of strings and arrays that a schema leaves free ([`Limits::string_length`], [`Limits::array_length`]).
//!
//! [`Limits::string_length`]: crate::Limits::string_length
//! [`Limits::array_length`]: crate::Limits::array_length

use super::analysis::Builder;
use super::branch::{Branch, Term};
use crate::compiler::too_big;
use crate::error::CompileError;

impl Builder<'_> {
    /// The bounds on the number of characters of a branch's strings. Those of a pattern or a format are left alone: they
    /// say themselves how long they can be, and counting what they are made of can take very many states.
    pub(super) fn string_length(&self, branch: &Branch, terms: &[Term]) -> Result<(u32, u32), CompileError> {
        let free = branch.patterns.is_empty() && branch.excluded.is_empty();
        let names = ("characters of a string (max-string-length)", "minLength", "max-string-length");
        self.capped(branch.length, self.limits.string_length.filter(|_| free), names, terms)
    }

    /// The bounds on the number of items of a branch's arrays.
    pub(super) fn array_length(&self, branch: &Branch, terms: &[Term]) -> Result<(u32, u32), CompileError> {
        let names = ("items of an array (max-array-length)", "minItems", "max-array-length");
        self.capped(branch.item_count, self.limits.array_length, names, terms)
    }

    /// The range up to the cap. What has to be longer than the cap is refused: left out, it would be missed only where nothing
    /// else is possible.
    fn capped(
        &self,
        (min, max): (u32, u32),
        cap: Option<u32>,
        (limit, keyword, option): (&'static str, &str, &str),
        terms: &[Term],
    ) -> Result<(u32, u32), CompileError> {
        match cap {
            Some(cap) if min > cap && min <= max => {
                let remedy = format!("use a smaller {keyword}, or have the server's --{option} raised");
                Err(too_big(self.pointer(terms), limit, cap as usize, &remedy))
            }
            Some(cap) => Ok((min, max.min(cap))),
            None => Ok((min, max)),
        }
    }
}
