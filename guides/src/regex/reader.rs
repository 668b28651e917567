//! Reads the characters of a regex, with the position that an error names.

use crate::interrupt::passed;
use crate::regex::error::RegexError;

/// Whose rules hold where the two syntaxes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// ECMA-262 (section 22.2.1), the syntax of JSON Schema's `pattern`.
    Ecma,
    /// Python's `re`, the syntax of the `regex` of a request.
    Python,
}

/// A regex and the position up to which it was read, in characters.
pub(super) struct RegexReader {
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
    pub(super) dialect: Dialect,
    /// Ranges of characters in the classes so far.
    ranges: usize,
}

/// The most ranges in all classes: 32 MiB of them.
const MOST_RANGES: usize = 4 << 20;

impl RegexReader {
    pub(super) fn new(regex: &str, dialect: Dialect) -> RegexReader {
        RegexReader { chars: regex.chars().collect(), at: 0, dialect, ranges: 0 }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    /// Reads `text` if it comes next; whether it does.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// Counts ranges of a class. Large classes take much more memory than their text.
    pub(super) fn count_ranges(&mut self, ranges: usize) -> Result<(), RegexError> {
        self.ranges += ranges;
        if self.ranges > MOST_RANGES || passed(ranges / 64) { Err(RegexError::TooBig) } else { Ok(()) }
    }

    /// A syntax error at the current position.
    pub(super) fn syntax(&self, reason: impl Into<String>) -> RegexError {
        RegexError::Syntax(self.at, reason.into())
    }

    /// A construct at the current position that is not supported.
    pub(super) fn unsupported(&self, construct: &'static str, reason: &str) -> RegexError {
        RegexError::Unsupported(self.at, construct, reason.to_owned())
    }

    /// Reads `{m}`, `{m,}`, `{m,n}`, and Python's `{,n}`: the least and the greatest count. `None`, with nothing read, if it is no
    /// quantifier: both syntaxes then take the brace for itself.
    pub(super) fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, RegexError> {
        let is_inside = |c: &&char| c.is_ascii_digit() || **c == ',';
        let length = 1 + self.chars[self.at + 1..].iter().take_while(is_inside).count();
        if self.chars.get(self.at + length) != Some(&'}') {
            return Ok(None);
        }
        let inside: String = self.chars[self.at + 1..self.at + length].iter().collect();
        let (min, max) = match inside.split_once(',') {
            None => (inside.as_str(), inside.as_str()),
            Some((min, max)) => (min, max),
        };
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let max_only = min.is_empty() && !max.is_empty();
        if max_only && digits(max) && self.dialect == Dialect::Ecma {
            return Err(self
                .syntax(format!("{{,{max}}} counts nothing in ECMA-262, the syntax of patterns; write {{0,{max}}}")));
        }
        if !digits(min) || !digits(max) || (min.is_empty() && !max_only) {
            return Ok(None);
        }
        let number = |text: &str, default: Option<u32>| match text {
            "" => Ok(default),
            text => text.parse().map(Some).map_err(|_| self.syntax("a count of repetitions beyond 4294967295")),
        };
        let (min, max) = (number(min, Some(0))?.unwrap_or(0), number(max, None)?);
        if max.is_some_and(|max| max < min) {
            return Err(self.syntax("the least count of repetitions is greater than the greatest"));
        }
        self.at += length + 1;
        Ok(Some((min, max)))
    }
}
