//! Reads the regexes that people write, in Python's `re` or in ECMA-262, and writes them in the one syntax that
//! `regex-syntax` has. Groups capture nothing here, greed makes no difference, and what is not regular is refused.

use crate::automaton::marks;
use crate::interrupt::passed;
use crate::regex::error::RegexError;
use std::fmt::Write;

/// Whose rules hold where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// JSON Schema's `pattern`.
    Ecma,
    /// The `regex` of a request.
    Python,
}

/// Nesting of groups beyond this is refused.
const DEEPEST_GROUP: usize = 180;

/// A regex in the syntax of `regex-syntax`.
pub(crate) enum Translated {
    Plain(String),
    Marked(Marked),
}

/// A regex in which all assertions are marks ([`looks`]).
pub(crate) struct Marked {
    pub(crate) regex: String,
    /// The look-aheads in the order of their ends, so that those inside another one come before it.
    pub(crate) looks: Vec<LookAround>,
}

/// What must follow a place, or must not.
pub(crate) struct LookAround {
    pub(crate) negative: bool,
    pub(crate) regex: String,
}

pub(crate) fn translate(regex: &str, dialect: Dialect) -> Result<Translated, RegexError> {
    let mut reader = Translator::new(regex, dialect);
    reader.read()?;
    if !reader.needs_marks {
        return Ok(Translated::Plain(reader.out));
    }
    // What can be told of the place of an assertion without marks cannot where there are some.
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

/// Inclusive ranges of characters.
type Ranges = Vec<(char, char)>;

enum Escaped {
    Char(char),
    /// A class, as `regex-syntax` writes it inside brackets.
    Class(String),
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    dialect: Dialect,
    out: String,
    flags: Flags,
    depth: usize,
    /// Whether assertions are written as marks.
    marks: bool,
    /// Whether they have to be.
    needs_marks: bool,
    looks: Vec<LookAround>,
}

impl Translator {
    fn new(regex: &str, dialect: Dialect) -> Translator {
        Translator {
            chars: regex.chars().collect(),
            at: 0,
            dialect,
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
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("')' without '('")),
        }
    }

    /// Writes an assertion, as its mark where there are marks.
    fn assertion(&mut self, plain: &str, mark: u8) {
        if self.marks {
            // Writing to a String cannot fail.
            let _ = write!(self.out, r"(?-u:\x{mark:02X})");
        } else {
            self.out.push_str(plain);
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn syntax(&self, reason: impl Into<String>) -> RegexError {
        RegexError::Syntax(self.at, reason.into())
    }

    fn unsupported(&self, construct: &'static str, reason: &str) -> RegexError {
        RegexError::Unsupported(self.at, construct, reason.to_owned())
    }

    fn literal(&mut self, c: char) {
        push_char(&mut self.out, c);
    }

    /// Reads to the end or to the `)` of an enclosing group.
    fn alternatives(&mut self) -> Result<(), RegexError> {
        // Whether the next quantifier has something to repeat.
        let mut repeatable = false;
        while let Some(c) = self.peek() {
            if passed(1) {
                return Err(RegexError::TooBig);
            }
            match c {
                ')' => return Ok(()),
                '|' => {
                    self.at += 1;
                    self.out.push('|');
                    repeatable = false;
                }
                '(' => repeatable = self.group()?,
                '[' => {
                    self.class()?;
                    repeatable = true;
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    self.quantifier(&c.to_string(), repeatable)?;
                    repeatable = false;
                }
                '{' => {
                    if let Some(counts) = self.counts()? {
                        self.quantifier(&counts, repeatable)?;
                        repeatable = false;
                    } else {
                        self.at += 1;
                        self.literal('{');
                        repeatable = true;
                    }
                }
                '^' => {
                    self.at += 1;
                    self.assertion(r"\A", marks::BEGIN);
                    repeatable = false;
                }
                '$' => {
                    self.at += 1;
                    self.assertion(r"\z", marks::END);
                    repeatable = false;
                }
                '.' => {
                    self.at += 1;
                    self.out.push_str(match (self.flags.dot_all, self.dialect) {
                        (true, _) => "(?s:.)",
                        (false, Dialect::Python) => r"[^\n]",
                        (false, Dialect::Ecma) => r"[^\n\r\x{2028}\x{2029}]",
                    });
                    repeatable = true;
                }
                '\\' => repeatable = self.escape_outside()?,
                c if self.flags.verbose && c.is_ascii_whitespace() => self.at += 1,
                '#' if self.flags.verbose => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                c => {
                    self.at += 1;
                    self.literal(c);
                    repeatable = true;
                }
            }
        }
        Ok(())
    }

    /// Reads a group; whether it can be repeated.
    fn group(&mut self) -> Result<bool, RegexError> {
        const LOOK: &str = "what must or must not stand before is not supported; rewrite the regex without it";
        let start = self.at;
        let outer = self.flags;
        if self.depth >= DEEPEST_GROUP {
            return Err(self.unsupported("group", "nested too deeply; the limit is 180"));
        }
        self.at += 1;
        if self.take("?=") || self.take("?!") {
            let negative = self.chars[self.at - 1] == '!';
            return self.look(start, negative).map(|()| false);
        }
        if self.looking_at("?<=") || self.looking_at("?<!") {
            self.at = start;
            return Err(self.unsupported("look-behind", LOOK));
        }
        if self.looking_at("?P=") || self.looking_at("?(") {
            self.at = start;
            return Err(self.unsupported("backreference", "not a regular language; spell the alternatives out"));
        }
        if self.looking_at("?>") {
            self.at = start;
            return Err(self.unsupported("atomic group", "use (?:...) if backtracking does not matter"));
        }
        if self.take("?#") {
            while self.peek().is_some_and(|c| c != ')') {
                self.at += 1;
            }
            self.close(start)?;
            return Ok(false);
        }
        if self.take("?P<") || self.take("?<") {
            while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                self.at += 1;
            }
            if !self.take(">") {
                return Err(self.syntax("a group's name is letters, digits and '_', and ends with '>'"));
            }
        } else if self.take("?:") {
        } else if self.take("?") && !self.flags(start)? {
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
            self.at = start;
            return Err(self.unsupported("look-ahead", "more than nine in one regex"));
        };
        self.looks.push(LookAround { negative, regex });
        self.assertion("", mark);
        Ok(())
    }

    fn close(&mut self, start: usize) -> Result<(), RegexError> {
        if self.take(")") {
            return Ok(());
        }
        self.at = start;
        Err(self.syntax("'(' without ')'"))
    }

    /// Reads the letters of `(?i)` or `(?i:`; true if a group's body follows.
    fn flags(&mut self, start: usize) -> Result<bool, RegexError> {
        let mut on = true;
        loop {
            match self.peek() {
                Some('-') => on = false,
                Some('i') => self.flags.ignore_case = on,
                Some('s') => self.flags.dot_all = on,
                Some('x') => self.flags.verbose = on,
                // What Python does for text anyway.
                Some('u') if on => {}
                Some('m') => {
                    return Err(
                        self.unsupported("(?m)", "'^' and '$' match at the ends of the text only; write \\n out")
                    );
                }
                Some(':') => {
                    self.at += 1;
                    return Ok(true);
                }
                Some(')') => {
                    self.at += 1;
                    // For the rest of the enclosing group, as in Python, where it stands first in the regex.
                    if start != 0 {
                        self.at = start;
                        return Err(self.unsupported(
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
                    return Err(self.syntax("unknown group; known are (?:...), (?P<name>...), (?<name>...), (?i:...)"));
                }
            }
            self.at += 1;
        }
    }

    fn quantifier(&mut self, written: &str, repeatable: bool) -> Result<(), RegexError> {
        if !repeatable {
            self.at -= 1;
            return Err(self.syntax("nothing to repeat"));
        }
        self.out.push_str(written);
        if self.looking_at("+") {
            return Err(
                self.unsupported("possessive quantifier", "leave the second '+' out if backtracking does not matter")
            );
        }
        // Lazy or greedy: the same texts match.
        self.take("?");
        Ok(())
    }

    /// Reads `{m}`, `{m,}`, `{m,n}` (and Python's `{,n}`); `None`, with nothing read, if it is no quantifier.
    fn counts(&mut self) -> Result<Option<String>, RegexError> {
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
        let python_max_only = self.dialect == Dialect::Python && min.is_empty() && !max.is_empty();
        if !digits(min) || !digits(max) || (min.is_empty() && !python_max_only) {
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
        Ok(Some(match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        }))
    }

    /// Reads an escape outside a class; whether it can be repeated.
    fn escape_outside(&mut self) -> Result<bool, RegexError> {
        match self.chars.get(self.at + 1) {
            Some('b') => {
                self.at += 2;
                self.assertion(r"(?-u:\b)", marks::BOUNDARY);
                Ok(false)
            }
            Some('B') => {
                self.at += 2;
                self.needs_marks = true;
                self.assertion("", marks::NO_BOUNDARY);
                Ok(false)
            }
            Some('A') if self.dialect == Dialect::Python => {
                self.at += 2;
                self.assertion(r"\A", marks::BEGIN);
                Ok(false)
            }
            Some('Z' | 'z') if self.dialect == Dialect::Python => {
                self.at += 2;
                self.assertion(r"\z", marks::END);
                Ok(false)
            }
            Some('1'..='9') => {
                Err(self.unsupported("backreference", "not a regular language; spell the alternatives out"))
            }
            Some('k') => Err(self.unsupported("backreference", "not a regular language; spell the alternatives out")),
            _ => {
                match self.escape()? {
                    Escaped::Char(c) => self.literal(c),
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

    /// Reads an escape that means a character or a class.
    fn escape(&mut self) -> Result<Escaped, RegexError> {
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

    /// `\uXXXX`, or two that make a surrogate pair.
    fn utf16(&mut self, start: usize) -> Result<char, RegexError> {
        let mut units = vec![self.hex_value(start, 4)? as u16];
        if (0xD800..0xDC00).contains(&units[0]) && self.take("\\u") {
            units.push(self.hex_value(start, 4)? as u16);
        }
        char::decode_utf16(units).next().and_then(Result::ok).ok_or_else(|| {
            RegexError::Syntax(start, "half of a surrogate pair is no character; write the pair or \\u{...}".into())
        })
    }

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

    fn class(&mut self) -> Result<(), RegexError> {
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
        match (ranges.is_empty() && classes.is_empty(), negated) {
            (true, true) => self.out.push_str("(?s:.)"),
            (true, false) => self.out.push_str(r"[^\x{0}-\x{10ffff}]"),
            (false, _) => {
                self.out.push_str(if negated { "[^" } else { "[" });
                for (low, high) in ranges {
                    push_char(&mut self.out, low);
                    if high != low {
                        self.out.push('-');
                        push_char(&mut self.out, high);
                    }
                }
                self.out.push_str(&classes);
                self.out.push(']');
            }
        }
        Ok(())
    }

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

/// Writes a character so that it means itself, whatever stands around it.
fn push_char(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{{{:x}}}", c as u32);
    }
}

#[cfg(test)]
mod tests {
    use crate::automaton::dfa::{Dfa, DfaLimits};
    use crate::regex::error::RegexError;
    use crate::regex::syntax::Dialect;
    use crate::regex::syntax::Dialect::{Ecma, Python};
    use crate::regex::{anywhere, whole};

    const LIMITS: DfaLimits = DfaLimits { states: 10_000, bytes: 1 << 22 };

    fn python(regex: &str) -> Dfa {
        whole(regex, Python, LIMITS).expect(regex)
    }

    fn matches(regex: &str, dialect: Dialect, yes: &[&str], no: &[&str]) {
        let dfa = anywhere(regex, dialect, LIMITS).expect(regex);
        for text in yes {
            assert!(dfa.accepts(text.as_bytes()), "{regex} should match {text:?}");
        }
        for text in no {
            assert!(!dfa.accepts(text.as_bytes()), "{regex} should not match {text:?}");
        }
    }

    #[test]
    fn the_number_regex_of_outlines_matches_numbers() {
        let dfa = python(r"(-)?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-][0-9]+)?");
        for yes in ["0", "-3.14159", "10e+5", "2.5E-3"] {
            assert!(dfa.accepts(yes.as_bytes()), "{yes}");
        }
        for no in ["", "01", "1.", "1e5", "+1"] {
            assert!(!dfa.accepts(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn spellings_of_python_and_ecma_are_understood() {
        matches(r"^\d{3}-\d{4}$", Ecma, &["555-1234"], &["5555-1234", "٥55-1234"]);
        matches(r"^(?P<year>\d{4})\/(?<m>\d\d)$", Python, &["2024/05"], &["2024-05"]);
        matches(r"^[\w-]+$", Ecma, &["a-b_c"], &["a b"]);
        matches(r"^[a-\d]$", Ecma, &["a", "-", "7"], &["b"]);
        matches(r"^[[&&~~-]$", Ecma, &["[", "&", "~", "-"], &["a"]);
        matches(r"^a{,3}$", Ecma, &["a{,3}"], &["aa"]);
        matches(r"^a{,3}$", Python, &["", "aa"], &["aaaa"]);
        matches(r"^\u00e9\x41\cA$", Ecma, &["éA\x01"], &[]);
        matches(r"^\ud83d\ude00\u{1F600}$", Ecma, &["😀😀"], &[]);
        matches(r"^\p{Lu}\P{L}$", Ecma, &["É1"], &["éa"]);
        matches(r"\bcat\b", Ecma, &["a cat sat", "cat"], &["concat", "cats"]);
        matches(r"^.$", Ecma, &["a", "é", "😀"], &["\n", "\u{2028}", "ab"]);
        matches(r"^(?i:ab)c$", Python, &["ABc", "abc"], &["abC"]);
        matches(r"(?i)^ab(c)$", Python, &["ABC"], &[]);
        matches(r"^[]a]$", Python, &["]", "a"], &["b"]);
        matches(r"^a|b$", Ecma, &["ax", "xb"], &["xa", "bx"]);
        matches(r"^[^]$", Ecma, &["a", "\n"], &[""]);
        matches(r"^\S+\s\S+$", Ecma, &["a\u{a0}b"], &["ab"]);
        matches(r"^{a}$", Ecma, &["{a}"], &[]);
    }

    #[test]
    fn what_is_not_regular_is_refused_with_its_position() {
        for (regex, at, construct) in [
            (r"(?<!a)b", 0, "look-behind"),
            (r"(a)\1", 3, "backreference"),
            (r"(?P<x>a)(?P=x)", 8, "backreference"),
            (r"a++", 2, "possessive quantifier"),
        ] {
            match whole(regex, Python, LIMITS) {
                Err(RegexError::Unsupported(position, found, _)) => {
                    assert_eq!((position, found), (at, construct))
                }
                other => panic!("{regex}: {other:?}"),
            }
        }
    }

    #[test]
    fn broken_regexes_are_refused() {
        for regex in ["(", ")", "a**", "*a", "[a", "[b-a]", "a{3,2}", "\\", "\\q", "\\p{Nope}", "(?P<x", "\\x1"] {
            assert!(matches!(whole(regex, Python, LIMITS), Err(RegexError::Syntax(..))), "{regex}");
        }
    }
}
