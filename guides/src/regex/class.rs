//! Classes of characters in brackets.

use crate::automaton::expression::Symbols;
use crate::regex::error::RegexError;
use crate::regex::escape::{CharacterMode, Escaped};
use crate::regex::reader::{Dialect, RegexReader};
use crate::regex::sets::{self, Folding};

/// The names of POSIX's classes, which neither syntax has.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

impl RegexReader {
    /// Reads a class in brackets. Surrogates may be in it.
    pub(super) fn class(&mut self, mode: CharacterMode) -> Result<Symbols, RegexError> {
        let start = self.at;
        self.at += 1;
        let negated = self.take("^");
        let (mut ranges, mut classes) = (Symbols::new(), Symbols::new());
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
            if c == '[' && self.dialect == Dialect::Ecma {
                self.refuse_posix()?;
            }
            let before = classes.len();
            let low = self.class_atom(mode)?;
            let ranged = self.looking_at("-") && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            match low {
                Escaped::Code(low) if ranged => {
                    let dash = self.at;
                    self.at += 1;
                    match self.class_atom(mode)? {
                        Escaped::Code(high) if high < low => {
                            self.at = dash;
                            return Err(self.syntax("a range of characters that ends before it begins"));
                        }
                        Escaped::Code(high) => ranges.push((low, high)),
                        // `a-\d`: three members, the middle one a hyphen.
                        Escaped::Class(class) => {
                            ranges.extend([(low, low), (0x2D, 0x2D)]);
                            classes.extend(class.iter());
                        }
                    }
                }
                Escaped::Code(code) => ranges.push((code, code)),
                Escaped::Class(class) => classes.extend(class.iter()),
            }
            self.count_ranges(classes.len() - before)?;
        }
        if let Some(folding) = mode.folding {
            ranges = sets::folded(ranges, folding);
            // ECMA-262 folds classes too: without regard to case `\w` has the long s.
            if folding == Folding::Simple {
                classes = sets::folded(classes, folding);
            }
        }
        ranges.append(&mut classes);
        let ranges = sets::normalized(ranges);
        Ok(if negated { sets::complement(&ranges) } else { ranges })
    }

    /// Refuses `[:alpha:]` in a class, whose characters are seldom what is meant.
    fn refuse_posix(&self) -> Result<(), RegexError> {
        match POSIX.iter().find(|name| self.looking_at(&format!("[:{name}:]"))) {
            None => Ok(()),
            Some(name) => Err(self.syntax(format!(
                "[:{name}:] is no class of ECMA-262, the syntax of patterns; write the characters out, such as a-zA-Z, or \\p{{...}}"
            ))),
        }
    }

    /// Reads a member of a class, or an end of a range.
    fn class_atom(&mut self, mode: CharacterMode) -> Result<Escaped, RegexError> {
        match self.peek() {
            Some('\\') if self.chars.get(self.at + 1) == Some(&'b') => {
                self.at += 2;
                Ok(Escaped::Code(0x08))
            }
            Some('\\') => self.escape(mode),
            Some(c) => {
                self.at += 1;
                Ok(Escaped::Code(u32::from(c)))
            }
            None => Err(self.syntax("'[' without ']'")),
        }
    }
}
