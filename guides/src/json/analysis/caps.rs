//! Caps on the lengths of strings and arrays that a schema leaves free ([`Limits::string_length`], [`Limits::array_length`]).
//!
//! A cap narrows lengths, and so drops values that the schema allows. Where it would drop all of them, the schema is refused, as
//! a model would otherwise be forced into another alternative.
//!
//! [`Limits::string_length`]: crate::Limits::string_length
//! [`Limits::array_length`]: crate::Limits::array_length

use crate::error::{CompileError, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Term};
use crate::json::language::strings::Strings;

/// The quantity that [`Limits::string_length`](crate::Limits::string_length) bounds, for errors.
const CHARACTERS: &str = "characters of a string (max-string-length)";

/// A cap on a length, and what it is called.
struct Cap<'a> {
    most: Option<u32>,
    /// What it counts.
    limit: &'static str,
    /// That of a schema which asks for more.
    keyword: &'a str,
    /// That of the server which raises it.
    option: &'a str,
}

impl Builder<'_> {
    /// The strings of a branch, up to the cap. A pattern or a format with longer strings only is refused.
    pub(super) fn capped_strings(&mut self, branch: &Branch, terms: &[Term]) -> Result<Strings, CompileError> {
        let Branch { patterns, excluded, length, .. } = branch;
        let most = self.limits.string_length;
        let cap = Cap { most, limit: CHARACTERS, keyword: "minLength", option: "max-string-length" };
        let capped = self.capped(*length, &cap, terms)?;
        let strings = self.strings(patterns, excluded, capped, terms)?;
        if capped != *length && strings.is_empty() && !self.strings(patterns, excluded, *length, terms)?.is_empty() {
            let remedy =
                "use a pattern or a format with shorter strings, or have the server's --max-string-length raised";
            return Err(too_big(self.pointer(terms), CHARACTERS, capped.1 as usize, remedy));
        }
        Ok(strings)
    }

    /// The bounds on the number of items of a branch's arrays.
    pub(super) fn array_length(&self, branch: &Branch, terms: &[Term]) -> Result<(u32, u32), CompileError> {
        let (most, limit) = (self.limits.array_length, "items of an array (max-array-length)");
        let cap = Cap { most, limit, keyword: "minItems", option: "max-array-length" };
        self.capped(branch.item_count, &cap, terms)
    }

    /// The range up to the cap. A range that begins above the cap is refused.
    fn capped(&self, range: (u32, u32), cap: &Cap<'_>, terms: &[Term]) -> Result<(u32, u32), CompileError> {
        let (min, max) = range;
        let &Cap { most, limit, keyword, option } = cap;
        match most {
            Some(cap) if min > cap && min <= max => {
                let remedy = format!("use a smaller {keyword}, or have the server's --{option} raised");
                Err(too_big(self.pointer(terms), limit, cap as usize, &remedy))
            }
            Some(cap) => Ok((min, max.min(cap))),
            None => Ok((min, max)),
        }
    }
}
