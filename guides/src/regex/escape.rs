//! Escapes of a regex: a character or a class of characters.

use crate::automaton::expression::Symbols;
use crate::regex::error::RegexError;
use crate::regex::reader::{Dialect, RegexReader};
use crate::regex::sets::{self, Folding};
use crate::regex::unicode;
use std::sync::Arc;

/// What the flags of a regex say about characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct CharacterMode {
    /// Whether the classes of Python are those of ASCII.
    pub(super) ascii: bool,
    /// How characters are compared without regard to case; `None` if case counts.
    pub(super) folding: Option<Folding>,
}

/// What an escape means.
pub(super) enum Escaped {
    /// A code, which may be that of half a surrogate pair.
    Code(u32),
    /// A class; surrogates may be in it.
    Class(Arc<Symbols>),
}

const ASCII_DIGITS: &[(u32, u32)] = &[(0x30, 0x39)];
const ASCII_WORD: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];
const ASCII_SPACE: &[(u32, u32)] = &[(0x09, 0x0D), (0x20, 0x20)];

/// `\s` of ECMA-262: white space and line terminators (section 12.2 and 12.3).
const ECMA_SPACE: &[(u32, u32)] = &[
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
];

/// The characters of words in a dialect; with `ascii` those of ASCII.
pub(super) fn word(dialect: Dialect, ascii: bool) -> Arc<Symbols> {
    match dialect {
        Dialect::Python if !ascii => unicode::word(),
        _ => Arc::new(ASCII_WORD.to_vec()),
    }
}

/// A code of a high half of a surrogate pair.
pub(super) fn is_high(code: u32) -> bool {
    (0xD800..0xDC00).contains(&code)
}

/// A code of a low half.
pub(super) fn is_low(code: u32) -> bool {
    (0xDC00..0xE000).contains(&code)
}

/// The character of a surrogate pair.
pub(super) fn paired(high: u32, low: u32) -> u32 {
    0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)
}

impl RegexReader {
    /// Reads an escape that means a character or a class.
    pub(super) fn escape(&mut self, mode: CharacterMode) -> Result<Escaped, RegexError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.peek() else {
            return Err(self.syntax("the regex ends with a lone '\\'"));
        };
        self.at += 1;
        let python = self.dialect == Dialect::Python;
        Ok(match c {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Escaped::Class(self.class_of_letter(c, mode)),
            't' => Escaped::Code(0x09),
            'n' => Escaped::Code(0x0A),
            'r' => Escaped::Code(0x0D),
            'f' => Escaped::Code(0x0C),
            'v' => Escaped::Code(0x0B),
            'a' if python => Escaped::Code(0x07),
            '0'..='7' if python => Escaped::Code(self.octal(start, c)?),
            '0' if self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                self.at = start;
                return Err(self.syntax(
                    "\\0 before a digit is no escape; write \\x00, or \\xHH for the character with that code",
                ));
            }
            '0' => Escaped::Code(0),
            'c' => match self.peek() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    self.at += 1;
                    Escaped::Code(letter as u32 % 32)
                }
                _ => return Err(self.syntax("\\c is followed by a letter")),
            },
            'x' => Escaped::Code(self.hex(start, 2)?),
            'u' if self.take("{") => {
                let length = self.chars[self.at..].iter().position(|&c| c == '}').unwrap_or(0);
                let code = self.hex(start, length)?;
                self.take("}");
                Escaped::Code(code)
            }
            'u' => Escaped::Code(self.utf16(start)?),
            'U' if python => Escaped::Code(self.hex(start, 8)?),
            'p' | 'P' => Escaped::Class(Arc::new(self.property(c, start)?)),
            'A' | 'Z' | 'z' if !python => {
                self.at = start;
                let instead = if c == 'A' { '^' } else { '$' };
                return Err(
                    self.syntax(format!("\\{c} is no escape of ECMA-262, the syntax of patterns; write {instead}"))
                );
            }
            c if c.is_ascii_alphanumeric() => {
                self.at = start;
                return Err(self.syntax(format!("unknown escape \\{c}")));
            }
            c => Escaped::Code(u32::from(c)),
        })
    }

    /// The class that a letter stands for; of a capital letter the opposite.
    fn class_of_letter(&self, letter: char, mode: CharacterMode) -> Arc<Symbols> {
        let python = self.dialect == Dialect::Python;
        let set = match (letter.to_ascii_lowercase(), mode.ascii || !python) {
            ('d', false) => unicode::digits(),
            ('d', true) => Arc::new(ASCII_DIGITS.to_vec()),
            ('w', _) => word(self.dialect, mode.ascii),
            (_, false) => Arc::new(unicode::SPACE.to_vec()),
            (_, true) if python => Arc::new(ASCII_SPACE.to_vec()),
            (_, true) => Arc::new(ECMA_SPACE.to_vec()),
        };
        let set = match mode.folding {
            Some(Folding::Simple) => Arc::new(sets::folded(set.to_vec(), Folding::Simple)),
            _ => set,
        };
        if letter.is_ascii_uppercase() { Arc::new(sets::complement(&set)) } else { set }
    }

    /// Python's octal escape after its first digit: it begins with 0, or has three digits, or stands in a class. (Outside of a class
    /// other digits are a backreference, which is refused before.)
    fn octal(&mut self, start: usize, first: char) -> Result<u32, RegexError> {
        let mut code = u32::from(first) - 0x30;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        if code > 0o377 {
            self.at = start;
            return Err(self.syntax("an octal escape above \\377"));
        }
        Ok(code)
    }

    /// Whether an octal escape of three digits begins at the backslash here.
    pub(super) fn at_octal(&self) -> bool {
        let digits = self.chars[self.at + 1..].iter().take(3);
        self.dialect == Dialect::Python && digits.filter(|c| ('0'..='7').contains(*c)).count() == 3
    }

    /// Reads so many hexadecimal digits; `start` is the position of the escape, for an error.
    fn hex(&mut self, start: usize, digits: usize) -> Result<u32, RegexError> {
        let text: String = self.chars[self.at.min(self.chars.len())..].iter().take(digits).collect();
        if digits == 0 || text.len() != digits || !text.chars().all(|c| c.is_ascii_hexdigit()) {
            self.at = start;
            return Err(self.syntax("an escape with too few hexadecimal digits"));
        }
        self.at += digits;
        let code = u32::from_str_radix(&text, 16).ok().filter(|&code| code <= sets::GREATEST);
        code.ok_or_else(|| RegexError::Syntax(start, "no such character".into()))
    }

    /// The character of `\uXXXX`, or of two that make a surrogate pair. Half of a pair without the other half is a code of its own
    /// (ECMA-262, section 22.2.1), which no text has.
    fn utf16(&mut self, start: usize) -> Result<u32, RegexError> {
        let code = self.hex(start, 4)?;
        let digits = self.chars[self.at..].iter().skip(2).take(4).collect::<String>();
        let low = u32::from_str_radix(&digits, 16).ok().filter(|&low| is_low(low));
        match low {
            Some(low) if is_high(code) && digits.len() == 4 && self.looking_at("\\u") => {
                self.at += 6;
                Ok(paired(code, low))
            }
            _ => Ok(code),
        }
    }

    /// Reads the name of a Unicode property after `\p` or `\P`.
    fn property(&mut self, letter: char, start: usize) -> Result<Symbols, RegexError> {
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
        match unicode::property(&name) {
            Some(set) if letter == 'P' => Ok(sets::complement(&set)),
            Some(set) => Ok(set),
            None => {
                self.at = start;
                Err(self.syntax(format!("unknown Unicode property {name:?}")))
            }
        }
    }
}
