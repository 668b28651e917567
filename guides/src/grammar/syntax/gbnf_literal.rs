//! Literals, classes of characters and tokens of GBNF.

use crate::error::CompileError;
use crate::grammar::rules::{Body, Location};
use crate::grammar::syntax::cursor::{syntax, unsupported};
use crate::grammar::syntax::gbnf::GbnfReader;
use crate::grammar::syntax::literal::{class, hex_escape};

/// Characters that mean themselves behind a backslash, as in llama.cpp or XGrammar.
const ESCAPED_SELVES: &str = "\"\\'/?[]-^$.*+(){}|";

impl GbnfReader<'_> {
    /// Reads `"..."`.
    pub(super) fn literal(&mut self) -> Result<Body, CompileError> {
        let start = self.cursor.at();
        self.cursor.next();
        let mut text = String::new();
        loop {
            match self.cursor.peek() {
                Some('"') => break,
                None | Some('\n' | '\r') => {
                    return Err(syntax(start, "'\"' without a second one on its line; a line end in a literal is \\n"));
                }
                Some(_) => text.push(self.character()?),
            }
        }
        self.cursor.next();
        self.cursor.size.add_characters(start, text.len())?;
        Ok(self.literals.text(&text))
    }

    /// Reads a character of a literal or a class, which may be escaped.
    fn character(&mut self) -> Result<char, CompileError> {
        let at = self.cursor.at();
        let c = self.cursor.next();
        let escaped = match c {
            Some('\\') => self.cursor.next(),
            Some(c) => return Ok(c),
            None => None,
        };
        Ok(match escaped {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('a') => '\u{7}',
            Some('v') => '\u{b}',
            Some('e') => '\u{1b}',
            Some('0') => '\0',
            Some(letter @ ('x' | 'u' | 'U')) => hex_escape(&mut self.cursor, at, letter)?,
            Some(c) if ESCAPED_SELVES.contains(c) => c,
            Some(letter @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                let reason =
                    format!("\\{letter} is no escape here; write a class such as [0-9], [ \\t\\n\\r] or [a-zA-Z0-9_]");
                return Err(syntax(at, reason));
            }
            Some(c) if c.is_ascii_graphic() => {
                return Err(syntax(
                    at,
                    format!("unknown escape \\{c}; write \\\\ for a backslash, or \\xHH for a code"),
                ));
            }
            _ => return Err(syntax(at, "'\\' before no character that it escapes; write \\\\ for a backslash")),
        })
    }

    /// Reads `[...]`.
    pub(super) fn class(&mut self) -> Result<Body, CompileError> {
        let start = self.cursor.at();
        self.cursor.next();
        let negated = self.cursor.take("^");
        let mut ranges = Vec::new();
        while !self.cursor.take("]") {
            self.check_in_class(start)?;
            let at = self.cursor.at();
            let low = self.character()?;
            let is_range = self.cursor.peek() == Some('-') && self.cursor.peek_second() != Some(']');
            let high = if is_range {
                self.cursor.next();
                self.check_in_class(start)?;
                self.character()?
            } else {
                low
            };
            if high < low {
                return Err(syntax(at, format!("the range {low:?} to {high:?} ends before it begins; swap its ends")));
            }
            ranges.push((u32::from(low), u32::from(high)));
        }
        if ranges.is_empty() && !negated {
            return Err(syntax(
                start,
                "[] has no characters; write \\[ or \\] for a bracket in a class, or \"\" for the empty text",
            ));
        }
        self.cursor.size.add_characters(start, ranges.len())?;
        Ok(class(ranges, negated))
    }

    fn check_in_class(&self, start: Location) -> Result<(), CompileError> {
        match self.cursor.peek() {
            None | Some('\n' | '\r') => Err(syntax(start, "'[' without ']' on its line; a line end in a class is \\n")),
            Some(_) => Ok(()),
        }
    }

    /// Reads `<[123]>`.
    pub(super) fn token(&mut self) -> Result<Body, CompileError> {
        let at = self.cursor.at();
        if !self.cursor.take("<[") {
            let name = self.cursor.rest().lines().next().unwrap_or_default();
            let name = name.split_inclusive('>').next().unwrap_or(name);
            let reason = "tokens are not found by their text; write <[123]> with the id of the token";
            return Err(unsupported(at, format!("token {name}"), reason));
        }
        match self.cursor.number()? {
            Some(id) if self.cursor.take("]>") => Ok(Body::Token { id, at }),
            _ => Err(syntax(at, "a token is <[123]> with its id")),
        }
    }
}
