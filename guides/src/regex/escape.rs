//! Escapes of a regex: a character or a class of characters.

use crate::regex::error::RegexError;
use crate::regex::reader::{Dialect, RegexReader};

/// What an escape means.
pub(super) enum Escaped {
    Char(char),
    /// A class, as `regex-syntax` writes it inside brackets.
    Class(String),
}

impl RegexReader {
    /// Reads an escape that means a character or a class.
    pub(super) fn escape(&mut self) -> Result<Escaped, RegexError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.peek() else {
            return Err(self.syntax("the regex ends with a lone '\\'"));
        };
        self.at += 1;
        let space = match self.dialect {
            Dialect::Python => r"\x{9}-\x{d}\x{20}".to_owned(),
            Dialect::Ecma => {
                r"\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
                    .to_owned()
            }
        };
        Ok(match c {
            'd' => Escaped::Class("0-9".into()),
            'D' => Escaped::Class("[^0-9]".into()),
            'w' => Escaped::Class("0-9A-Za-z_".into()),
            'W' => Escaped::Class("[^0-9A-Za-z_]".into()),
            's' => Escaped::Class(space),
            'S' => Escaped::Class(format!("[^{space}]")),
            't' => Escaped::Char('\t'),
            'n' => Escaped::Char('\n'),
            'r' => Escaped::Char('\r'),
            'f' => Escaped::Char('\x0c'),
            'v' => Escaped::Char('\x0b'),
            'a' if self.dialect == Dialect::Python => Escaped::Char('\x07'),
            '0' => Escaped::Char('\0'),
            'c' => match self.peek() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    self.at += 1;
                    Escaped::Char((letter as u8 % 32) as char)
                }
                _ => return Err(self.syntax("\\c is followed by a letter")),
            },
            'x' => Escaped::Char(self.hex(start, 2)?),
            'u' if self.take("{") => {
                let length = self.chars[self.at..].iter().position(|&c| c == '}').unwrap_or(0);
                let c = self.hex(start, length)?;
                self.take("}");
                Escaped::Char(c)
            }
            'u' => Escaped::Char(self.utf16(start)?),
            'U' if self.dialect == Dialect::Python => Escaped::Char(self.hex(start, 8)?),
            'p' | 'P' => Escaped::Class(self.property(c, start)?),
            c if c.is_ascii_alphanumeric() => {
                self.at = start;
                return Err(self.syntax(format!("unknown escape \\{c}")));
            }
            c => Escaped::Char(c),
        })
    }

    /// Reads so many hexadecimal digits; `start` is the position of the escape, for an error.
    fn hex_value(&mut self, start: usize, digits: usize) -> Result<u32, RegexError> {
        let text: String = self.chars[self.at.min(self.chars.len())..].iter().take(digits).collect();
        if digits == 0 || text.len() != digits || !text.chars().all(|c| c.is_ascii_hexdigit()) {
            self.at = start;
            return Err(self.syntax("an escape with too few hexadecimal digits"));
        }
        self.at += digits;
        u32::from_str_radix(&text, 16).map_err(|_| RegexError::Syntax(start, "no such character".into()))
    }

    fn hex(&mut self, start: usize, digits: usize) -> Result<char, RegexError> {
        let value = self.hex_value(start, digits)?;
        char::from_u32(value).ok_or_else(|| RegexError::Syntax(start, "no such character".into()))
    }

    /// The character of `\uXXXX`, or of two that make a surrogate pair.
    fn utf16(&mut self, start: usize) -> Result<char, RegexError> {
        let mut units = vec![self.hex_value(start, 4)? as u16];
        if (0xD800..0xDC00).contains(&units[0]) && self.take("\\u") {
            units.push(self.hex_value(start, 4)? as u16);
        }
        char::decode_utf16(units).next().and_then(Result::ok).ok_or_else(|| {
            RegexError::Syntax(start, "half of a surrogate pair is no character; write the pair or \\u{...}".into())
        })
    }

    /// Reads the name of a Unicode property after `\p` or `\P`.
    fn property(&mut self, letter: char, start: usize) -> Result<String, RegexError> {
        let name: String = if self.take("{") {
            let length = self.chars[self.at..].iter().position(|&c| c == '}').unwrap_or(0);
            let name = self.chars[self.at..self.at + length].iter().collect();
            self.at += length;
            if !self.take("}") {
                self.at = start;
                return Err(self.syntax("\\p{ without }"));
            }
            name
        } else {
            self.at += 1;
            self.chars.get(self.at - 1).map(char::to_string).unwrap_or_default()
        };
        let known = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '=');
        let class = format!("\\{letter}{{{name}}}");
        if name.is_empty() || !known || regex_syntax::parse(&class).is_err() {
            self.at = start;
            return Err(self.syntax(format!("unknown Unicode property {name:?}")));
        }
        Ok(class)
    }
}
