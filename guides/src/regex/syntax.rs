//! Translates a regex in the syntax of Python's `re` or of ECMA-262 to the syntax of `regex-syntax`.
//!
//! Only the set of matching texts counts: groups capture nothing, and greed makes no difference. A construct that is not regular is
//! refused with its position. A regex with look-ahead is translated with marks for its assertions:
//!
//! | regex | translation |
//! |---|---|
//! | `^\d+$` | `\A[0-9]+\z` |
//! | `^(?!ab)\w` | `\xFF\xF5[0-9A-Za-z_]`, and the look-ahead `ab` for the mark 0xF5 |

use crate::automaton::marks;
use crate::interrupt::passed;
use crate::regex::class::push_char;
use crate::regex::error::RegexError;
use crate::regex::escape::Escaped;
use crate::regex::reader::{Dialect, RegexReader};
use std::fmt::Write;

/// The deepest nesting of groups. Reading a group is recursive, so this bounds the stack.
const DEEPEST_GROUP: usize = 180;

/// A regex in the syntax of `regex-syntax`.
pub(super) enum Translated {
    Plain(String),
    Marked(Marked),
}

/// A regex in which every assertion is a mark.
pub(super) struct Marked {
    pub(super) regex: String,
    /// The look-aheads in the order in which they are closed: an inner one comes before the outer one, which uses its mark.
    pub(super) looks: Vec<LookAround>,
}

/// A look-ahead: what must follow at a place, or must not.
pub(super) struct LookAround {
    pub(crate) negative: bool,
    pub(super) regex: String,
}

/// Translates a regex, with marks only if an assertion needs them.
pub(super) fn translate(regex: &str, dialect: Dialect) -> Result<Translated, RegexError> {
    let mut reader = Translator::new(regex, dialect);
    reader.read()?;
    if !reader.needs_marks {
        return Ok(Translated::Plain(reader.out));
    }
    // `\A` and `\b` look at their neighbours, which are marks now. So all assertions become marks.
    let mut reader = Translator { marks: true, ..Translator::new(regex, dialect) };
    reader.read()?;
    Ok(Translated::Marked(Marked { regex: reader.out, looks: reader.looks }))
}

#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    dot_all: bool,
    verbose: bool,
}

struct Translator {
    reader: RegexReader,
    /// The regex so far, in the syntax of `regex-syntax`.
    out: String,
    flags: Flags,
    depth: usize,
    /// Whether assertions are written as marks.
    marks: bool,
    /// Whether some assertion has no other translation.
    needs_marks: bool,
    looks: Vec<LookAround>,
}

impl Translator {
    fn new(regex: &str, dialect: Dialect) -> Translator {
        Translator {
            reader: RegexReader::new(regex, dialect),
            out: String::with_capacity(regex.len() * 2),
            flags: Flags::default(),
            depth: 0,
            marks: false,
            needs_marks: false,
            looks: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<(), RegexError> {
        self.alternatives()?;
        match self.reader.peek() {
            None => Ok(()),
            Some(_) => Err(self.reader.syntax("')' without '('")),
        }
    }

    /// Writes an assertion: its mark, or its plain translation.
    fn assertion(&mut self, plain: &str, mark: u8) {
        if self.marks {
            // Writing to a String cannot fail.
            let _ = write!(self.out, r"(?-u:\x{mark:02X})");
        } else {
            self.out.push_str(plain);
        }
    }

    /// Reads to the end, or to the `)` of an enclosing group.
    fn alternatives(&mut self) -> Result<(), RegexError> {
        // Whether the next quantifier has something to repeat.
        let mut repeatable = false;
        while let Some(c) = self.reader.peek() {
            if passed(1) {
                return Err(RegexError::TooBig);
            }
            repeatable = match c {
                ')' => return Ok(()),
                '*' | '+' | '?' => {
                    self.reader.at += 1;
                    self.quantifier(&c.to_string(), repeatable)?;
                    false
                }
                '{' => match self.reader.counts()? {
                    Some(counts) => {
                        self.quantifier(&counts, repeatable)?;
                        false
                    }
                    None => self.character('{'),
                },
                c if self.flags.verbose && c.is_ascii_whitespace() => {
                    self.reader.at += 1;
                    repeatable
                }
                '#' if self.flags.verbose => {
                    while self.reader.peek().is_some_and(|c| c != '\n') {
                        self.reader.at += 1;
                    }
                    repeatable
                }
                c => self.piece(c)?,
            };
        }
        Ok(())
    }

    /// Reads a piece of an alternative that begins with `c`; whether it can be repeated.
    fn piece(&mut self, c: char) -> Result<bool, RegexError> {
        match c {
            '(' => return self.group(),
            '\\' => return self.escape_outside(),
            '[' => {
                let class = self.reader.class()?;
                self.out.push_str(&class);
                return Ok(true);
            }
            '|' => self.out.push('|'),
            '^' => self.assertion(r"\A", marks::BEGIN),
            '$' => self.assertion(r"\z", marks::END),
            '.' => self.out.push_str(match (self.flags.dot_all, self.reader.dialect) {
                (true, _) => "(?s:.)",
                (false, Dialect::Python) => r"[^\n]",
                (false, Dialect::Ecma) => r"[^\n\r\x{2028}\x{2029}]",
            }),
            c => return Ok(self.character(c)),
        }
        self.reader.at += 1;
        Ok(c == '.')
    }

    /// Reads a character that means itself, which can be repeated.
    fn character(&mut self, c: char) -> bool {
        self.reader.at += 1;
        push_char(&mut self.out, c);
        true
    }

    /// Reads a group; whether it can be repeated.
    fn group(&mut self) -> Result<bool, RegexError> {
        const LOOK: &str = "what must or must not stand before is not supported; rewrite the regex without it";
        let start = self.reader.at;
        let outer = self.flags;
        if self.depth >= DEEPEST_GROUP {
            return Err(self.reader.unsupported("group", "nested too deeply; the limit is 180"));
        }
        self.reader.at += 1;
        if self.reader.take("?=") || self.reader.take("?!") {
            let negative = self.reader.chars[self.reader.at - 1] == '!';
            return self.look(start, negative).map(|()| false);
        }
        if self.reader.looking_at("?<=") || self.reader.looking_at("?<!") {
            self.reader.at = start;
            return Err(self.reader.unsupported("look-behind", LOOK));
        }
        if self.reader.looking_at("?P=") || self.reader.looking_at("?(") {
            self.reader.at = start;
            return Err(self.reader.unsupported("backreference", "not a regular language; spell the alternatives out"));
        }
        if self.reader.looking_at("?>") {
            self.reader.at = start;
            return Err(self.reader.unsupported("atomic group", "use (?:...) if backtracking does not matter"));
        }
        if self.reader.take("?#") {
            while self.reader.peek().is_some_and(|c| c != ')') {
                self.reader.at += 1;
            }
            self.close(start)?;
            return Ok(false);
        }
        if self.reader.take("?P<") || self.reader.take("?<") {
            while self.reader.peek().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                self.reader.at += 1;
            }
            if !self.reader.take(">") {
                return Err(self.reader.syntax("a group's name is letters, digits and '_', and ends with '>'"));
            }
        } else if self.reader.take("?:") {
        } else if self.reader.take("?") && !self.flags(start)? {
            return Ok(false);
        }
        self.out.push_str(if self.flags.ignore_case { "(?i:" } else { "(?-i:" });
        self.depth += 1;
        self.alternatives()?;
        self.depth -= 1;
        self.close(start)?;
        self.out.push(')');
        self.flags = outer;
        Ok(true)
    }

    /// Reads the rest of a look-ahead.
    fn look(&mut self, start: usize, negative: bool) -> Result<(), RegexError> {
        self.needs_marks = true;
        let around = std::mem::take(&mut self.out);
        let flags = self.flags;
        self.out.push_str(if flags.ignore_case { "(?i:" } else { "(?-i:" });
        self.depth += 1;
        self.alternatives()?;
        self.depth -= 1;
        self.close(start)?;
        self.out.push(')');
        self.flags = flags;
        let regex = std::mem::replace(&mut self.out, around);
        let Some(&mark) = marks::LOOKS.get(self.looks.len()) else {
            self.reader.at = start;
            return Err(self.reader.unsupported("look-ahead", "more than nine in one regex"));
        };
        self.looks.push(LookAround { negative, regex });
        self.assertion("", mark);
        Ok(())
    }

    fn close(&mut self, start: usize) -> Result<(), RegexError> {
        if self.reader.take(")") {
            return Ok(());
        }
        self.reader.at = start;
        Err(self.reader.syntax("'(' without ')'"))
    }

    /// Reads the letters of `(?i)` or `(?i:`; true if a group's body follows.
    fn flags(&mut self, start: usize) -> Result<bool, RegexError> {
        let mut on = true;
        loop {
            match self.reader.peek() {
                Some('-') => on = false,
                Some('i') => self.flags.ignore_case = on,
                Some('s') => self.flags.dot_all = on,
                Some('x') => self.flags.verbose = on,
                // The default of Python for text.
                Some('u') if on => {}
                Some('m') => {
                    return Err(self
                        .reader
                        .unsupported("(?m)", "'^' and '$' match at the ends of the text only; write \\n out"));
                }
                Some(':') => {
                    self.reader.at += 1;
                    return Ok(true);
                }
                Some(')') => {
                    self.reader.at += 1;
                    // Flags for the rest of a group. Python allows them at the start of the regex only.
                    if start != 0 {
                        self.reader.at = start;
                        return Err(self.reader.unsupported(
                            "flags",
                            "flags for the rest of a group stand only at the start of the regex",
                        ));
                    }
                    if self.flags.ignore_case {
                        self.out.push_str("(?i)");
                    }
                    return Ok(false);
                }
                _ => {
                    return Err(self
                        .reader
                        .syntax("unknown group; known are (?:...), (?P<name>...), (?<name>...), (?i:...)"));
                }
            }
            self.reader.at += 1;
        }
    }

    fn quantifier(&mut self, written: &str, repeatable: bool) -> Result<(), RegexError> {
        if !repeatable {
            self.reader.at -= 1;
            return Err(self.reader.syntax("nothing to repeat"));
        }
        self.out.push_str(written);
        if self.reader.looking_at("+") {
            return Err(self
                .reader
                .unsupported("possessive quantifier", "leave the second '+' out if backtracking does not matter"));
        }
        // A lazy quantifier matches the same texts.
        self.reader.take("?");
        Ok(())
    }

    /// Reads an escape outside a class; whether it can be repeated.
    fn escape_outside(&mut self) -> Result<bool, RegexError> {
        match self.reader.chars.get(self.reader.at + 1) {
            Some('b') => {
                self.reader.at += 2;
                self.assertion(r"(?-u:\b)", marks::BOUNDARY);
                Ok(false)
            }
            Some('B') => {
                self.reader.at += 2;
                self.needs_marks = true;
                self.assertion("", marks::NO_BOUNDARY);
                Ok(false)
            }
            Some('A') if self.reader.dialect == Dialect::Python => {
                self.reader.at += 2;
                self.assertion(r"\A", marks::BEGIN);
                Ok(false)
            }
            Some('Z' | 'z') if self.reader.dialect == Dialect::Python => {
                self.reader.at += 2;
                self.assertion(r"\z", marks::END);
                Ok(false)
            }
            Some('1'..='9') => {
                Err(self.reader.unsupported("backreference", "not a regular language; spell the alternatives out"))
            }
            Some('k') => {
                Err(self.reader.unsupported("backreference", "not a regular language; spell the alternatives out"))
            }
            _ => {
                match self.reader.escape()? {
                    Escaped::Char(c) => push_char(&mut self.out, c),
                    Escaped::Class(class) => {
                        self.out.push('[');
                        self.out.push_str(&class);
                        self.out.push(']');
                    }
                }
                Ok(true)
            }
        }
    }
}
