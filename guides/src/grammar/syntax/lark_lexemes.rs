//! The parts of Lark's definitions that have no names in them: strings, ranges, regexes, tokens.

use crate::error::{CompileError, too_big};
use crate::grammar::rules::{Body, Location};
use crate::grammar::syntax::cursor::{Blanks, place, syntax, unsupported};
use crate::grammar::syntax::lark::LarkReader;
use crate::grammar::syntax::lark_tree::LarkNode;
use crate::grammar::syntax::literal::{class, hex_escape};

/// The most tokens of `<[1-9]>`.
const MOST_TOKENS: usize = 4096;

impl<'a> LarkReader<'a> {
    /// Reads a string, a range, a regex, a token or an embedded value.
    pub(super) fn lexeme(&mut self, at: Location) -> Result<LarkNode<'a>, CompileError> {
        let outside = |what: &str| {
            Err(syntax(at, format!("{what} stands in rules, not in terminals; name the rule with lower-case letters")))
        };
        match self.cursor.peek() {
            Some('"') => self.string(at),
            Some('/') => Ok(LarkNode::Lexeme(self.regex(at)?)),
            Some('<') if self.in_terminal => outside("a token"),
            Some('<') => Ok(LarkNode::Lexeme(self.tokens(at)?)),
            _ if self.in_terminal && self.cursor.rest().starts_with("%json") => outside("%json"),
            _ => self.embedded(at),
        }
    }

    /// Reads `"..."`, `"..."i` or `"a".."z"`.
    fn string(&mut self, at: Location) -> Result<LarkNode<'a>, CompileError> {
        let text = self.quoted()?;
        let blanks = self.cursor.rest().len() - self.cursor.rest().trim_start_matches([' ', '\t']).len();
        if self.cursor.rest()[blanks..].starts_with("..") {
            self.cursor.skip(Blanks::LarkLine);
            self.cursor.take("..");
            self.cursor.skip(Blanks::LarkLine);
            let end = if self.cursor.peek() == Some('"') { self.quoted()? } else { String::new() };
            if self.cursor.peek() == Some('i') {
                return Err(self
                    .cursor
                    .error("a range has no flag; write both ranges, as in \"a\"..\"z\" | \"A\"..\"Z\""));
            }
            return Ok(LarkNode::Lexeme(range(at, &text, &end)?));
        }
        if self.cursor.take("i") && text.chars().any(char::is_alphabetic) {
            return Ok(LarkNode::Lexeme(Body::Regex { pattern: format!("(?i:{})", escaped(&text)), at }));
        }
        Ok(LarkNode::Text(text))
    }

    /// Reads a string without flags.
    fn quoted(&mut self) -> Result<String, CompileError> {
        let start = self.cursor.at();
        self.cursor.next();
        let mut text = String::new();
        loop {
            let at = self.cursor.at();
            match self.cursor.next() {
                Some('"') => break,
                None | Some('\n' | '\r') => {
                    return Err(syntax(start, "'\"' without a second one on its line; a line end in a string is \\n"));
                }
                Some('\\') => text.push(self.escape(at)?),
                Some(c) => text.push(c),
            }
        }
        self.cursor.size.add_characters(start, text.len())?;
        Ok(text)
    }

    /// Reads an escape behind its backslash, which stands at `at`.
    fn escape(&mut self, at: Location) -> Result<char, CompileError> {
        match self.cursor.next() {
            Some(c @ ('"' | '\\')) => Ok(c),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('f') => Ok('\u{c}'),
            Some(letter @ ('x' | 'u' | 'U')) => hex_escape(&mut self.cursor, at, letter),
            // A backslash and a `b` in Lark, a backspace in llguidance.
            Some('b') => {
                Err(syntax(at, "\\b is read in two ways; write \\x08 for a backspace, \\\\b for a backslash and a b"))
            }
            // A backslash and a slash in Lark, a slash in llguidance.
            Some('/') => {
                Err(syntax(at, "\\/ is read in two ways; write / for a slash, \\\\/ for a backslash and a slash"))
            }
            Some(c) if c.is_ascii_graphic() => Err(syntax(
                at,
                format!("unknown escape \\{c}; write \\\\{c} for a backslash before it, or /.../ for a regex"),
            )),
            _ => Err(syntax(at, "'\\' before no character that it escapes; write \\\\ for a backslash")),
        }
    }

    /// Reads `/.../` with its flags.
    fn regex(&mut self, at: Location) -> Result<Body, CompileError> {
        self.cursor.next();
        let (mut pattern, mut has_line_end) = (String::new(), false);
        loop {
            match self.cursor.next() {
                Some('/') => break,
                Some('\\') if self.cursor.peek() == Some('/') => {}
                Some('\\') => {
                    pattern.push('\\');
                    pattern.extend(self.cursor.next());
                    continue;
                }
                Some(c) => {
                    has_line_end |= matches!(c, '\n' | '\r');
                    pattern.push(c);
                    continue;
                }
                None => return Err(syntax(at, "'/' without a second one; a '/' in a regex is \\/")),
            }
            pattern.extend(self.cursor.next());
        }
        let flags_at = self.cursor.at();
        let flags = self.cursor.take_while(|c| c.is_ascii_alphabetic());
        if let Some(flag) = flags.chars().find(|c| !"imslux".contains(*c)) {
            return Err(syntax(flags_at, format!("no flag of a regex is {flag}; known are i, m, s, u and x")));
        }
        if has_line_end && !flags.contains('x') {
            return Err(syntax(
                at,
                "a regex over several lines needs the flag x, or a '/' is missing; a line end is \\n",
            ));
        }
        if flags.contains('l') {
            return Err(unsupported(flags_at, "flag l", "the language of the server does not count; leave it out"));
        }
        if flags.contains('m') && has_anchor(&pattern) {
            let reason = "'^' and '$' match at the ends of the text only; write \\n out";
            return Err(unsupported(flags_at, "flag m", reason));
        }
        self.cursor.size.add_characters(at, pattern.len())?;
        Ok(Body::Regex { pattern: with_flags(pattern, flags), at })
    }

    /// Reads `<[1]>`, `<[1,5-9]>`.
    fn tokens(&mut self, at: Location) -> Result<Body, CompileError> {
        if !self.cursor.take("<[") {
            let name = self.cursor.rest().lines().next().unwrap_or_default();
            let name = name.split_inclusive('>').next().unwrap_or(name);
            let reason = "tokens are not found by their text; write <[123]> with the id of the token";
            return Err(unsupported(at, format!("token {name}"), reason));
        }
        if matches!(self.cursor.peek(), Some('^' | '*')) {
            let reason = "all tokens but some are not enforced; write the text that may come instead";
            return Err(unsupported(at, "negated tokens", reason));
        }
        let mut tokens = Vec::new();
        loop {
            self.cursor.skip(Blanks::LarkLine);
            let low = self.cursor.number()?;
            self.cursor.skip(Blanks::LarkLine);
            let high = if self.cursor.take("-") {
                self.cursor.skip(Blanks::LarkLine);
                self.cursor.number()?
            } else {
                low
            };
            let (Some(low), Some(high)) = (low, high) else { break };
            if high < low {
                return Err(syntax(at, format!("the range {low}-{high} ends before it begins; swap its ends")));
            }
            if high as usize - low as usize + tokens.len() >= MOST_TOKENS {
                return Err(too_big(place(at), "tokens of one part", MOST_TOKENS, "name fewer tokens"));
            }
            tokens.extend((low..=high).map(|id| Body::Token { id, at }));
            self.cursor.skip(Blanks::LarkLine);
            if self.cursor.take("]>") {
                self.cursor.size.add_characters(at, tokens.len())?;
                return Ok(if tokens.len() == 1 { tokens.remove(0) } else { Body::Choice(tokens) });
            }
            if !self.cursor.take(",") {
                break;
            }
        }
        Err(syntax(at, "a token is <[123]> with its id; several are <[123,130-140]>"))
    }
}

/// One character between two, both included.
fn range(at: Location, low: &str, high: &str) -> Result<Body, CompileError> {
    let only = |text: &str| {
        let mut characters = text.chars();
        characters.next().filter(|_| characters.next().is_none())
    };
    match (only(low), only(high)) {
        (Some(low), Some(high)) if low <= high => Ok(class(vec![(u32::from(low), u32::from(high))], false)),
        (Some(_), Some(_)) => {
            Err(syntax(at, format!("the range {low:?}..{high:?} ends before it begins; swap its ends")))
        }
        _ => Err(syntax(at, "a range is of two strings with one character each, as in \"a\"..\"z\"")),
    }
}

/// A text as a regex that matches it.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(2 * text.len());
    for c in text.chars() {
        match c {
            '\n' => pattern.push_str("\\n"),
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => pattern.push(c),
            c if c.is_ascii_control() => pattern.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => pattern.extend(['\\', c]),
        }
    }
    pattern
}

/// Whether `^` or `$` is an anchor in the pattern.
fn has_anchor(pattern: &str) -> bool {
    let mut characters = pattern.chars();
    // In a class, and the number of characters since it began.
    let mut class: Option<usize> = None;
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '[' if class.is_none() => {
                class = Some(0);
                continue;
            }
            '^' if class == Some(0) => continue,
            ']' if class.is_some_and(|length| length > 0) => class = None,
            '^' | '$' if class.is_none() => return true,
            _ => {}
        }
        class = class.map(|length| length + 1);
    }
    false
}

/// The pattern with its flags in front, as Python has them in a pattern. `u` is the rule there, and `m` is about anchors only.
fn with_flags(pattern: String, flags: &str) -> String {
    let kept: String = "isx".chars().filter(|&flag| flags.contains(flag)).collect();
    if kept.is_empty() {
        return pattern;
    }
    // Flags stand once in front. Those that the pattern begins with are joined.
    let own = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    match own.filter(|(own, _)| !own.is_empty() && own.chars().all(|c| c.is_ascii_alphabetic())) {
        Some((own, rest)) => format!("(?{kept}{own}){rest}"),
        None => format!("(?{kept}){pattern}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_once_in_front_of_a_pattern() {
        let cases = [
            ("a", "", "a"),
            ("a", "u", "a"),
            ("a", "si", "(?is)a"),
            ("(?i)a", "s", "(?si)a"),
            ("(?:a)", "x", "(?x)(?:a)"),
            ("(?i:a)", "s", "(?s)(?i:a)"),
        ];
        for (pattern, flags, expected) in cases {
            assert_eq!(with_flags(pattern.to_owned(), flags), expected, "{pattern} {flags}");
        }
    }

    #[test]
    fn anchors_are_found_outside_of_classes_and_escapes() {
        for (pattern, expected) in [
            ("^a", true),
            ("a$", true),
            ("[^a]", false),
            ("[a^$]", false),
            ("\\^\\$", false),
            ("[^]^]$", true),
            ("\\[^", true),
        ] {
            assert_eq!(has_anchor(pattern), expected, "{pattern}");
        }
    }
}
