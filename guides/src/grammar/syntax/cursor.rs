//! [`GrammarCursor`]: walks over the text of a grammar, with the line and the column that an error names.

use crate::error::{CompileError, Place, too_big};
use crate::grammar::rules::Location;
use crate::interrupt::passed;

/// The deepest nesting of groups and repetitions. Reading and building a grammar are recursive, so this bounds the stack.
const DEEPEST: usize = 200;

/// The most parts of all rules, once templates are expanded: 64 MiB of them.
const MOST_PARTS: usize = 1 << 20;

/// The most characters of all literals, once templates are expanded.
const MOST_CHARACTERS: usize = 4 << 20;

/// The most rules, once templates are expanded.
pub(super) const MOST_RULES: usize = 100_000;

/// What to do about a grammar that is too big.
pub(super) const SMALLER: &str = "give a smaller grammar, with fewer uses of large templates";

/// The greatest count of repetitions.
const MOST_TIMES: u32 = 1_000_000;

/// The text of a grammar and the position up to which it was read.
#[derive(Clone)]
pub(super) struct GrammarCursor<'a> {
    text: &'a str,
    byte: usize,
    at: Location,
    pub(super) size: GrammarSize,
}

/// What is between two parts of a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    /// White space and line ends, and comments that begin with `#`.
    Gbnf,
    /// As in GBNF; comments begin with `//` too, and a `\` at the end of a line takes the end away.
    Lark,
    /// As in Lark, up to the end of the line.
    LarkLine,
}

impl<'a> GrammarCursor<'a> {
    pub(super) fn new(text: &'a str) -> GrammarCursor<'a> {
        // Some editors put a byte order mark before a text.
        let byte = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        GrammarCursor { text, byte, at: Location { line: 1, column: 1 }, size: GrammarSize::default() }
    }

    pub(super) fn at(&self) -> Location {
        self.at
    }

    /// The position in bytes, for [`since`](Self::since).
    pub(super) fn byte(&self) -> usize {
        self.byte
    }

    /// The text from an earlier position to here.
    pub(super) fn since(&self, byte: usize) -> &'a str {
        &self.text[byte..self.byte]
    }

    /// The text from here on.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.byte..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.byte += c.len_utf8();
        if c == '\n' || (c == '\r' && self.peek() != Some('\n')) {
            self.at = Location { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    /// Reads `text` if it comes next; whether it does.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            for _ in text.chars() {
                self.next();
            }
        }
        found
    }

    /// Reads the characters that are of a kind.
    pub(super) fn take_while(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let start = self.byte;
        while self.peek().is_some_and(&is) {
            self.next();
        }
        self.since(start)
    }

    /// Skips what stands between two parts; whether a line ended there.
    pub(super) fn skip(&mut self, blanks: Blanks) -> bool {
        let line = self.at.line;
        let mut joined = 0;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\u{c}' => drop(self.next()),
                '\n' | '\r' if blanks != Blanks::LarkLine => drop(self.next()),
                '#' => drop(self.take_while(|c| !matches!(c, '\n' | '\r'))),
                '/' if blanks != Blanks::Gbnf && self.peek_second() == Some('/') => {
                    self.take_while(|c| !matches!(c, '\n' | '\r'));
                }
                '\\' if blanks != Blanks::Gbnf => {
                    let after = self.rest()[1..].trim_start_matches(' ');
                    if !after.starts_with(['\n', '\r']) {
                        break;
                    }
                    let before = self.at.line;
                    self.next();
                    self.take_while(|c| c == ' ');
                    self.take("\r");
                    self.take("\n");
                    joined += self.at.line - before;
                }
                _ => break,
            }
        }
        self.at.line - line > joined
    }

    /// What comes next, for messages.
    pub(super) fn found(&self) -> String {
        match self.peek() {
            None => "the end of the grammar".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(c) if c.is_control() => format!("{c:?}"),
            Some(c) => format!("'{c}'"),
        }
    }

    /// A syntax error here.
    pub(super) fn error(&self, reason: impl Into<String>) -> CompileError {
        syntax(self.at, reason)
    }

    /// Reads a number of digits; `None` if there is no digit.
    pub(super) fn number(&mut self) -> Result<Option<u32>, CompileError> {
        let at = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        match digits.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) if digits.is_empty() => Ok(None),
            Err(_) => Err(syntax(at, format!("the number {digits} is greater than {}", u32::MAX))),
        }
    }

    /// Reads the rest of `{m}`, `{m,}`, `{m,n}` and `{,n}` behind the brace, which stands at `open`.
    pub(super) fn counts(&mut self, open: Location, blanks: Blanks) -> Result<(u32, Option<u32>), CompileError> {
        self.skip(blanks);
        let min = self.number()?;
        self.skip(blanks);
        let max = if self.take(",") {
            self.skip(blanks);
            // XGrammar prints {2, -1} for {2,}.
            let max = if blanks == Blanks::Gbnf && self.take("-1") { None } else { self.number()? };
            self.skip(blanks);
            max
        } else {
            min
        };
        if !self.take("}") || (min.is_none() && max.is_none()) {
            return Err(syntax(
                open,
                "a count of repetitions is {m}, {m,}, {m,n} or {,n} with numbers for m and n; in a literal '{' stands in \
                 quotes",
            ));
        }
        let (min, max) = (min.unwrap_or(0), max);
        check_counts(open, min, max)?;
        Ok((min, max))
    }
}

/// Checks counts of repetitions.
pub(super) fn check_counts(at: Location, min: u32, max: Option<u32>) -> Result<(), CompileError> {
    if let Some(max) = max.filter(|&max| max < min) {
        return Err(syntax(
            at,
            format!("the least count {min} is greater than the greatest, {max}; write {max} first"),
        ));
    }
    if max.unwrap_or(min).max(min) > MOST_TIMES {
        let remedy = "leave the greatest count out, or repeat a longer part fewer times";
        return Err(too_big(place(at), "count of repetitions", MOST_TIMES as usize, remedy));
    }
    Ok(())
}

/// Checks that one more level of nesting is not too deep.
pub(super) fn check_depth(at: Location, depth: usize) -> Result<(), CompileError> {
    if depth < DEEPEST {
        return Ok(());
    }
    Err(too_big(place(at), "levels of groups and repetitions in each other", DEEPEST, "make rules of inner groups"))
}

/// What a grammar has so far of what is limited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GrammarSize {
    parts: usize,
    characters: usize,
}

impl GrammarSize {
    /// Counts a part of a rule.
    pub(super) fn add_part(&mut self, at: Location) -> Result<(), CompileError> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(too_big(place(at), "parts of all rules", MOST_PARTS, SMALLER));
        }
        if passed(1) { Err(CompileError::Interrupted) } else { Ok(()) }
    }

    /// Counts characters of literals and classes.
    pub(super) fn add_characters(&mut self, at: Location, characters: usize) -> Result<(), CompileError> {
        self.characters += characters;
        if self.characters > MOST_CHARACTERS {
            return Err(too_big(place(at), "characters of all literals", MOST_CHARACTERS, SMALLER));
        }
        if passed(characters / 64) { Err(CompileError::Interrupted) } else { Ok(()) }
    }
}

pub(super) fn place(at: Location) -> Place {
    Place::Grammar { line: at.line, column: at.column }
}

pub(super) fn syntax(at: Location, reason: impl Into<String>) -> CompileError {
    CompileError::Syntax { at: place(at), reason: reason.into() }
}

pub(super) fn unsupported(at: Location, construct: impl Into<String>, reason: impl Into<String>) -> CompileError {
    CompileError::Unsupported { at: place(at), keyword: construct.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut cursor = GrammarCursor::new("\u{feff}é\r\nx\ry\n");
        let mut places = Vec::new();
        while cursor.next().is_some() {
            places.push((cursor.at().line, cursor.at().column));
        }
        assert_eq!(places, [(1, 2), (1, 3), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)]);
    }

    #[test]
    fn blanks_are_those_of_the_syntax() {
        let skipped = |text: &str, blanks| {
            let mut cursor = GrammarCursor::new(text);
            (cursor.skip(blanks), cursor.rest().to_owned())
        };
        assert_eq!(skipped(" # c\n\t\r\nx", Blanks::Gbnf), (true, "x".into()));
        assert_eq!(skipped("  // c\nx", Blanks::Gbnf), (false, "// c\nx".into()));
        assert_eq!(skipped(" // c\n # d\nx", Blanks::Lark), (true, "x".into()));
        assert_eq!(skipped(" // c\nx", Blanks::LarkLine), (false, "\nx".into()));
        assert_eq!(skipped(" \\  \r\n x", Blanks::LarkLine), (false, "x".into()));
        assert_eq!(skipped("\\d", Blanks::LarkLine), (false, "\\d".into()));
    }
}
