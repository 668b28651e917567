//! Classes of characters in brackets.

use crate::regex::error::RegexError;
use crate::regex::escape::Escaped;
use crate::regex::reader::{Dialect, RegexReader};
use std::fmt::Write;

/// Inclusive ranges of characters.
type Ranges = Vec<(char, char)>;

impl RegexReader {
    /// Reads a class in brackets, as `regex-syntax` writes it.
    pub(super) fn class(&mut self) -> Result<String, RegexError> {
        let start = self.at;
        self.at += 1;
        let negated = self.take("^");
        let mut ranges: Ranges = Vec::new();
        let mut classes = String::new();
        // In Python a `]` that comes first is a character.
        let mut first = self.dialect == Dialect::Python;
        loop {
            let Some(c) = self.peek() else {
                self.at = start;
                return Err(self.syntax("'[' without ']'"));
            };
            if c == ']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            let low = self.class_atom()?;
            let ranged = self.looking_at("-") && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            match low {
                Escaped::Char(low) if ranged => {
                    let dash = self.at;
                    self.at += 1;
                    match self.class_atom()? {
                        Escaped::Char(high) if high < low => {
                            self.at = dash;
                            return Err(self.syntax("a range of characters that ends before it begins"));
                        }
                        Escaped::Char(high) => ranges.push((low, high)),
                        // `a-\d`: three members, the middle one a hyphen.
                        Escaped::Class(class) => {
                            ranges.extend([(low, low), ('-', '-')]);
                            classes.push_str(&class);
                        }
                    }
                }
                Escaped::Char(c) => ranges.push((c, c)),
                Escaped::Class(class) => classes.push_str(&class),
            }
        }
        Ok(match (ranges.is_empty() && classes.is_empty(), negated) {
            (true, true) => "(?s:.)".to_owned(),
            (true, false) => r"[^\x{0}-\x{10ffff}]".to_owned(),
            (false, _) => {
                let mut written = if negated { "[^".to_owned() } else { "[".to_owned() };
                for (low, high) in ranges {
                    push_char(&mut written, low);
                    if high != low {
                        written.push('-');
                        push_char(&mut written, high);
                    }
                }
                written + &classes + "]"
            }
        })
    }

    /// Reads a member of a class, or an end of a range.
    fn class_atom(&mut self) -> Result<Escaped, RegexError> {
        match self.peek() {
            Some('\\') if self.chars.get(self.at + 1) == Some(&'b') => {
                self.at += 2;
                Ok(Escaped::Char('\x08'))
            }
            Some('\\') => self.escape(),
            Some(c) => {
                self.at += 1;
                Ok(Escaped::Char(c))
            }
            None => Err(self.syntax("'[' without ']'")),
        }
    }
}

/// Writes a character so that it means itself, inside a class and outside.
pub(super) fn push_char(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{{{:x}}}", c as u32);
    }
}
