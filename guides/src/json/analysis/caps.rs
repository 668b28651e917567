//! Caps on the lengths of strings and arrays that a schema leaves free ([`Limits::string_length`], [`Limits::array_length`]).
//!
//! [`Limits::string_length`]: crate::Limits::string_length
//! [`Limits::array_length`]: crate::Limits::array_length

use crate::error::{CompileError, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Term};
use crate::json::language::strings::Strings;

/// What [`Limits::string_length`](crate::Limits::string_length) counts.
const CHARACTERS: &str = "characters of a string (max-string-length)";

impl Builder<'_> {
    /// The strings of a branch, up to the cap. Those of a pattern or a format that all are longer are refused.
    pub(crate) fn capped_strings(&mut self, branch: &Branch, terms: &[Term]) -> Result<Strings, CompileError> {
        let Branch { patterns, excluded, length, .. } = branch;
        let names = (CHARACTERS, "minLength", "max-string-length");
        let capped = self.capped(*length, self.limits.string_length, names, terms)?;
        let strings = self.strings(patterns, excluded, capped, terms)?;
        if capped != *length && strings.is_empty() && !self.strings(patterns, excluded, *length, terms)?.is_empty() {
            let remedy =
                "use a pattern or a format with shorter strings, or have the server's --max-string-length raised";
            return Err(too_big(self.pointer(terms), CHARACTERS, capped.1 as usize, remedy));
        }
        Ok(strings)
    }

    /// The bounds on the number of items of a branch's arrays.
    pub(crate) fn array_length(&self, branch: &Branch, terms: &[Term]) -> Result<(u32, u32), CompileError> {
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
