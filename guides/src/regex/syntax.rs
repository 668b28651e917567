//! Reads a regex in the syntax of Python's `re` or of ECMA-262.
//!
//! Only the set of matching texts counts: groups capture nothing, and greed makes no difference. A construct that is not regular is
//! refused with its position. Look-aheads are kept beside the expression, which refers to them by their index.

use crate::automaton::expression::{Assertion, Expression, Symbols};
use crate::interrupt::passed;
use crate::regex::error::RegexError;
use crate::regex::escape::{CharacterMode, Escaped, is_high, is_low, paired};
use crate::regex::reader::{Dialect, RegexReader};
use crate::regex::sets::{self, Folding};
use std::sync::Arc;

/// The deepest nesting of groups. Reading a group is recursive, so this bounds the stack.
const DEEPEST_GROUP: usize = 180;

/// The most different look-aheads.
const MOST_LOOKS: usize = 64;

/// A regex that was read.
#[derive(Debug)]
pub(super) struct Regex {
    pub(super) expression: Expression,
    /// The look-aheads in the order in which they are closed: an inner one comes before the outer one, which refers to it.
    pub(super) looks: Vec<LookAround>,
    /// Whether it has assertions other than the beginning and the end of the text.
    pub(super) has_marks: bool,
}

/// A look-ahead: what must follow at a place, or must not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LookAround {
    pub(super) negative: bool,
    pub(super) expression: Expression,
}

/// Reads a regex.
pub(super) fn read(regex: &str, dialect: Dialect) -> Result<Regex, RegexError> {
    let reader = RegexReader::new(regex, dialect);
    let mut reader = SyntaxReader { reader, flags: Flags::default(), depth: 0, looks: Vec::new(), has_marks: false };
    let expression = reader.alternatives()?;
    match reader.reader.peek() {
        None => Ok(Regex { expression, looks: reader.looks, has_marks: reader.has_marks }),
        Some(_) => Err(reader.reader.syntax("')' without '('")),
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    dot_all: bool,
    verbose: bool,
    ascii: bool,
}

struct SyntaxReader {
    reader: RegexReader,
    flags: Flags,
    depth: usize,
    looks: Vec<LookAround>,
    has_marks: bool,
}

/// The parts of an alternative so far.
#[derive(Default)]
struct Sequence {
    parts: Vec<Expression>,
    /// The codes of the last part if all are high halves of surrogate pairs.
    high: Option<Symbols>,
    /// Whether the last part can be repeated.
    repeatable: bool,
}

impl Sequence {
    fn push(&mut self, part: Expression, repeatable: bool) {
        self.parts.push(part);
        (self.high, self.repeatable) = (None, repeatable);
    }

    fn finished(mut self) -> Expression {
        match self.parts.pop() {
            Some(only) if self.parts.is_empty() => only,
            last => Expression::Concat(self.parts.into_iter().chain(last).collect()),
        }
    }
}

impl SyntaxReader {
    fn mode(&self) -> CharacterMode {
        let ascii = self.flags.ascii;
        let folding = match self.reader.dialect {
            Dialect::Ecma => Folding::Simple,
            Dialect::Python if ascii => Folding::Ascii,
            Dialect::Python => Folding::Python,
        };
        CharacterMode { ascii, folding: self.flags.ignore_case.then_some(folding) }
    }

    /// Reads to the end, or to the `)` of an enclosing group.
    fn alternatives(&mut self) -> Result<Expression, RegexError> {
        let (mut branches, mut sequence) = (Vec::new(), Sequence::default());
        while let Some(c) = self.reader.peek() {
            if passed(1) {
                return Err(RegexError::TooBig);
            }
            match c {
                ')' => break,
                '|' => {
                    self.reader.at += 1;
                    branches.push(std::mem::take(&mut sequence).finished());
                }
                '*' | '+' | '?' => {
                    self.reader.at += 1;
                    let (min, max) = (u32::from(c == '+'), (c == '?').then_some(1));
                    self.quantifier(&mut sequence, min, max)?;
                }
                '{' => match self.reader.counts()? {
                    Some((min, max)) => self.quantifier(&mut sequence, min, max)?,
                    None => self.character(&mut sequence, '{')?,
                },
                c if self.flags.verbose && c.is_ascii_whitespace() => self.reader.at += 1,
                '#' if self.flags.verbose => {
                    while self.reader.peek().is_some_and(|c| c != '\n') {
                        self.reader.at += 1;
                    }
                }
                '(' => self.group(&mut sequence)?,
                '\\' => self.escape_outside(&mut sequence)?,
                '[' => {
                    let class = self.reader.class(self.mode())?;
                    self.push_set(&mut sequence, &Arc::new(class))?;
                }
                '^' | '$' => {
                    self.reader.at += 1;
                    let assertion = if c == '^' { Assertion::Begin } else { Assertion::End };
                    sequence.push(Expression::Assert(assertion), false);
                }
                '.' => {
                    self.reader.at += 1;
                    let breaks: &[(u32, u32)] = match (self.flags.dot_all, self.reader.dialect) {
                        (true, _) => &[],
                        (false, Dialect::Python) => &[(0x0A, 0x0A)],
                        (false, Dialect::Ecma) => &[(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)],
                    };
                    self.push_set(&mut sequence, &Arc::new(sets::complement(breaks)))?;
                }
                c => self.character(&mut sequence, c)?,
            }
        }
        branches.push(sequence.finished());
        Ok(match branches.pop() {
            Some(only) if branches.is_empty() => only,
            last => Expression::Either(branches.into_iter().chain(last).collect()),
        })
    }

    /// Reads a character that means itself.
    fn character(&mut self, sequence: &mut Sequence, c: char) -> Result<(), RegexError> {
        self.reader.at += 1;
        self.push_code(sequence, u32::from(c))
    }

    fn push_code(&mut self, sequence: &mut Sequence, code: u32) -> Result<(), RegexError> {
        let set = match self.mode().folding {
            Some(folding) => sets::folded(vec![(code, code)], folding),
            None => vec![(code, code)],
        };
        self.push_set(sequence, &Arc::new(set))
    }

    /// Adds one character of a set. A set of high halves of surrogate pairs before a set of low ones is read as the characters of these pairs,
    /// which is what their authors mean; read code by code they would match nothing.
    fn push_set(&mut self, sequence: &mut Sequence, set: &Arc<Symbols>) -> Result<(), RegexError> {
        let all = |is: fn(u32) -> bool| !set.is_empty() && set.iter().all(|&(low, high)| is(low) && is(high));
        let repeated = self.reader.peek().is_some_and(|c| matches!(c, '*' | '+' | '?' | '{'));
        if let Some(high) = sequence.high.take().filter(|_| all(is_low) && !repeated) {
            let highs = high.iter().flat_map(|&(low, high)| low..=high);
            let pairs = highs.flat_map(|one| set.iter().map(move |&(low, high)| (paired(one, low), paired(one, high))));
            let pairs = sets::normalized(pairs.collect());
            self.reader.count_ranges(pairs.len())?;
            sequence.parts.pop();
            sequence.push(Expression::Set(Arc::new(pairs)), true);
            return Ok(());
        }
        let characters = sets::finished(set);
        // Classes such as `\w` are made once and shared.
        let shared = characters == **set;
        if Arc::strong_count(set) == 1 {
            self.reader.count_ranges(set.len())?;
        }
        let high = all(is_high).then(|| set.to_vec());
        sequence.push(Expression::Set(if shared { set.clone() } else { Arc::new(characters) }), true);
        sequence.high = high;
        Ok(())
    }

    /// Reads a group.
    fn group(&mut self, sequence: &mut Sequence) -> Result<(), RegexError> {
        const LOOK: &str = "what must or must not stand before is not supported; rewrite the regex without it";
        let start = self.reader.at;
        let outer = self.flags;
        if self.depth >= DEEPEST_GROUP {
            return Err(self.reader.unsupported("group", "nested too deeply; the limit is 180"));
        }
        self.reader.at += 1;
        if self.reader.take("?=") || self.reader.take("?!") {
            let negative = self.reader.chars[self.reader.at - 1] == '!';
            let look = self.look(start, negative)?;
            sequence.push(look, false);
            return Ok(());
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
            return self.close(start);
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
            return Ok(());
        }
        self.depth += 1;
        let body = self.alternatives()?;
        self.depth -= 1;
        self.close(start)?;
        self.flags = outer;
        sequence.push(body, true);
        Ok(())
    }

    /// Reads the rest of a look-ahead. Equal ones are one.
    fn look(&mut self, start: usize, negative: bool) -> Result<Expression, RegexError> {
        self.has_marks = true;
        let flags = self.flags;
        self.depth += 1;
        let expression = self.alternatives()?;
        self.depth -= 1;
        self.close(start)?;
        self.flags = flags;
        let look = LookAround { negative, expression };
        let index = match self.looks.iter().position(|other| *other == look) {
            Some(index) => index,
            None if self.looks.len() == MOST_LOOKS => {
                self.reader.at = start;
                return Err(self.reader.unsupported("look-ahead", "more than 64 different ones in one regex"));
            }
            None => {
                self.looks.push(look);
                self.looks.len() - 1
            }
        };
        Ok(Expression::Assert(Assertion::Look(index as u16)))
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
                Some(kind @ ('a' | 'u')) if on && self.reader.dialect == Dialect::Python => {
                    let other = if kind == 'a' { 'u' } else { 'a' };
                    if self.reader.chars[start..self.reader.at].contains(&other) {
                        return Err(self.reader.syntax("the flags a and u exclude each other"));
                    }
                    self.flags.ascii = kind == 'a';
                }
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
                    return Ok(false);
                }
                _ => {
                    return Err(self
                        .reader
                        .syntax("unknown group; known are (?:...), (?P<name>...), (?<name>...), (?i:...), (?a:...)"));
                }
            }
            self.reader.at += 1;
        }
    }

    fn quantifier(&mut self, sequence: &mut Sequence, min: u32, max: Option<u32>) -> Result<(), RegexError> {
        let part = sequence.parts.pop().filter(|_| sequence.repeatable);
        let Some(part) = part else {
            self.reader.at -= 1;
            return Err(self.reader.syntax("nothing to repeat"));
        };
        sequence.push(part.repeated(min, max), false);
        if self.reader.looking_at("+") {
            return Err(self
                .reader
                .unsupported("possessive quantifier", "leave the second '+' out if backtracking does not matter"));
        }
        // A lazy quantifier matches the same texts.
        self.reader.take("?");
        Ok(())
    }

    /// Reads an escape outside a class.
    fn escape_outside(&mut self, sequence: &mut Sequence) -> Result<(), RegexError> {
        let (python, ascii) = (self.reader.dialect == Dialect::Python, self.flags.ascii);
        let assertion = match self.reader.chars.get(self.reader.at + 1) {
            Some(&c @ ('b' | 'B')) => {
                self.has_marks = true;
                Assertion::Word { ascii: ascii || !python, inside: c == 'B' }
            }
            Some('A') if python => Assertion::Begin,
            Some('Z' | 'z') if python => Assertion::End,
            Some('1'..='9' | 'k') if !self.reader.at_octal() => {
                return Err(self
                    .reader
                    .unsupported("backreference", "not a regular language; spell the alternatives out"));
            }
            _ => {
                let mode = self.mode();
                return match self.reader.escape(mode)? {
                    Escaped::Code(code) => self.push_code(sequence, code),
                    Escaped::Class(class) => match mode.folding {
                        Some(Folding::Simple) => {
                            self.push_set(sequence, &Arc::new(sets::folded(class.to_vec(), Folding::Simple)))
                        }
                        _ => self.push_set(sequence, &class),
                    },
                };
            }
        };
        self.reader.at += 2;
        sequence.push(Expression::Assert(assertion), false);
        Ok(())
    }
}
