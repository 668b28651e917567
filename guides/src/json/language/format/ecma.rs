//! Whether a text is a regular expression of ECMA-262 (section 22.2.1, with the flag `u`), by recursive descent: for literals of a schema,
//! which the automaton of the format does not all accept.

use crate::regex::is_property;

/// The deepest nesting of groups that is followed. Reading a group is recursive, so this bounds the stack.
const MOST_OPEN_GROUPS: usize = 200;

/// Whether the text is a regular expression; `None` if that takes more than is looked at here: names of groups with escapes or given twice,
/// and groups nested very deep.
pub(super) fn judge(text: &str) -> Option<bool> {
    let mut reader = ExpressionReader {
        chars: text.chars().collect(),
        at: 0,
        depth: 0,
        groups: 0,
        names: Vec::new(),
        references: Vec::new(),
    };
    let end = reader.disjunction();
    let end = if reader.at == reader.chars.len() { end } else { end.and(Err(Fault::Syntax)) };
    match end {
        Ok(()) => Some(reader.references.iter().all(|reference| match reference {
            Reference::Number(number) => *number <= reader.groups,
            Reference::Name(name) => reader.names.contains(name),
        })),
        Err(Fault::Syntax) => Some(false),
        Err(Fault::Unknown) => None,
    }
}

/// Why reading ended.
enum Fault {
    Syntax,
    /// What follows is not looked at.
    Unknown,
}

/// What a back reference refers to.
enum Reference {
    Number(usize),
    Name(String),
}

struct ExpressionReader {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    groups: usize,
    names: Vec<String>,
    references: Vec<Reference>,
}

/// A member of a class: its code, or `None` for a class of several.
type ClassMember = Option<u32>;

impl ExpressionReader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Result<char, Fault> {
        let c = self.peek().ok_or(Fault::Syntax)?;
        self.at += 1;
        Ok(c)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn demand(&mut self, text: &str) -> Result<(), Fault> {
        if self.take(text) { Ok(()) } else { Err(Fault::Syntax) }
    }

    fn disjunction(&mut self) -> Result<(), Fault> {
        while let Some(c) = self.peek() {
            match c {
                ')' => return Ok(()),
                '|' => self.at += 1,
                _ => {
                    let repeatable = self.term()?;
                    let quantified = self.quantifier()?;
                    if quantified && !repeatable {
                        return Err(Fault::Syntax);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads an atom or an assertion; whether a quantifier may follow.
    fn term(&mut self) -> Result<bool, Fault> {
        match self.next()? {
            '^' | '$' => Ok(false),
            '(' => self.group(),
            '[' => self.class().map(|()| true),
            '\\' if self.take("b") || self.take("B") => Ok(false),
            '\\' => self.atom_escape().map(|()| true),
            '*' | '+' | '?' | ')' | ']' | '{' | '}' => Err(Fault::Syntax),
            _ => Ok(true),
        }
    }

    fn quantifier(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some('*' | '+' | '?') => self.at += 1,
            Some('{') => {
                self.at += 1;
                let min = self.digits()?;
                if self.take(",") && self.peek() != Some('}') && is_less(&self.digits()?, &min) {
                    return Err(Fault::Syntax);
                }
                self.demand("}")?;
            }
            _ => return Ok(false),
        }
        self.take("?");
        Ok(true)
    }

    fn digits(&mut self) -> Result<String, Fault> {
        let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        self.at += digits.len();
        if digits.is_empty() { Err(Fault::Syntax) } else { Ok(digits) }
    }

    fn group(&mut self) -> Result<bool, Fault> {
        let look = ["?=", "?!", "?<=", "?<!"].iter().any(|look| self.take(look));
        if look {
        } else if self.take("?<") {
            let name = self.name()?;
            if self.names.contains(&name) {
                return Err(Fault::Unknown);
            }
            self.names.push(name);
            self.groups += 1;
        } else if self.take("?") {
            self.modifiers()?;
        } else {
            self.groups += 1;
        }
        self.depth += 1;
        if self.depth > MOST_OPEN_GROUPS {
            return Err(Fault::Unknown);
        }
        self.disjunction()?;
        self.depth -= 1;
        self.demand(")")?;
        Ok(!look)
    }

    /// The letters of `(?i:` and `(?i-s:`, each at most once.
    fn modifiers(&mut self) -> Result<(), Fault> {
        let (mut seen, mut off) = (Vec::new(), false);
        loop {
            match self.next()? {
                ':' if off && seen.is_empty() => return Err(Fault::Syntax),
                ':' => return Ok(()),
                '-' if !off => off = true,
                c @ ('i' | 'm' | 's') if !seen.contains(&c) => seen.push(c),
                _ => return Err(Fault::Syntax),
            }
        }
    }

    /// The name of a group, and the `>` behind it.
    fn name(&mut self) -> Result<String, Fault> {
        let mut name = String::new();
        loop {
            match self.next()? {
                '>' if !name.is_empty() => return Ok(name),
                '\\' => return Err(Fault::Unknown),
                c if c.is_alphabetic() || c == '$' || c == '_' => name.push(c),
                c if c.is_ascii_digit() && !name.is_empty() => name.push(c),
                c if !c.is_ascii() => return Err(Fault::Unknown),
                _ => return Err(Fault::Syntax),
            }
        }
    }

    fn atom_escape(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some('1'..='9') => {
                let digits = self.digits()?;
                self.references.push(Reference::Number(digits.parse().unwrap_or(usize::MAX)));
                Ok(())
            }
            Some('k') => {
                self.at += 1;
                self.demand("<")?;
                let name = self.name()?;
                self.references.push(Reference::Name(name));
                Ok(())
            }
            _ => self.escape().map(|_| ()),
        }
    }

    /// An escape that means a character or a class.
    fn escape(&mut self) -> Result<ClassMember, Fault> {
        Ok(Some(match self.next()? {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => return Ok(None),
            'p' | 'P' => {
                self.demand("{")?;
                let length = self.chars[self.at..].iter().position(|&c| c == '}').ok_or(Fault::Syntax)?;
                let name: String = self.chars[self.at..self.at + length].iter().collect();
                self.at += length + 1;
                return if is_property(&name) { Ok(None) } else { Err(Fault::Syntax) };
            }
            'f' => 0x0C,
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'v' => 0x0B,
            'c' => match self.next()? {
                letter if letter.is_ascii_alphabetic() => letter as u32 % 32,
                _ => return Err(Fault::Syntax),
            },
            '0' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => 0,
            'x' => self.hex(2)?,
            'u' if self.take("{") => {
                let length = self.chars[self.at..].iter().position(|&c| c == '}').ok_or(Fault::Syntax)?;
                let code = self.hex(length)?;
                self.demand("}")?;
                code
            }
            'u' => {
                let high = self.hex(4)?;
                let low = self.at;
                match self.take("\\u").then(|| self.hex(4)) {
                    Some(Ok(code)) if (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&code) => {
                        0x1_0000 + ((high - 0xD800) << 10) + (code - 0xDC00)
                    }
                    _ => {
                        self.at = low;
                        high
                    }
                }
            }
            c if "^$\\.*+?()[]{}|/".contains(c) => u32::from(c),
            _ => return Err(Fault::Syntax),
        }))
    }

    fn hex(&mut self, length: usize) -> Result<u32, Fault> {
        let text: String = self.chars[self.at..].iter().take(length).collect();
        let code = u32::from_str_radix(&text, 16).ok().filter(|&code| code <= 0x10_FFFF);
        if text.len() != length || !text.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Fault::Syntax);
        }
        self.at += length;
        code.ok_or(Fault::Syntax)
    }

    fn class(&mut self) -> Result<(), Fault> {
        self.take("^");
        while !self.take("]") {
            let low = self.class_member()?;
            let ranged = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            if ranged {
                self.at += 1;
                match (low, self.class_member()?) {
                    (Some(low), Some(high)) if low <= high => {}
                    _ => return Err(Fault::Syntax),
                }
            }
        }
        Ok(())
    }

    fn class_member(&mut self) -> Result<ClassMember, Fault> {
        match self.next()? {
            '\\' if self.take("b") => Ok(Some(0x08)),
            '\\' if self.take("-") => Ok(Some(0x2D)),
            '\\' => self.escape(),
            c => Ok(Some(u32::from(c))),
        }
    }
}

/// Whether a number is less than another one.
fn is_less(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    (one.len(), one) < (other.len(), other)
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn a_text_is_judged_by_the_grammar_of_ecma_262() {
        for yes in [
            "",
            "a|",
            "(((((((a)))))))",
            r"(a)\1",
            r"(?<x>a)\k<x>",
            r"\k<x>(?<x>a)",
            "a{2,10}?",
            "a{010,11}",
            "(?i-s:a)",
            "(?:)",
            "(?-i:a)",
            "(?=(?!a)(?<=b))",
            r"[\b\-a-z\d-]",
            r"[^]",
            "[]",
            r"\u{1F600}-[\ud83d\ude00-\ud83d\ude02]",
            r"\0",
            r"\p{Script=Cyrillic}",
            "^",
            "a-z,/#\n",
            r"\cJ\x41\/",
            "(?<é$1>a)",
        ] {
            assert_eq!(judge(yes), Some(true), "{yes}");
        }
        for no in [
            "(",
            ")",
            "[",
            "a**",
            "^*",
            "(?=a)*",
            "a{2,1}",
            "a{,2}",
            "{",
            "}",
            "]",
            r"\a",
            r"\-",
            r"\01",
            r"(a)\2",
            r"\k<x>",
            "[z-a]",
            r"[\d-z]",
            r"[a-\d]",
            r"\u12",
            r"\x1",
            r"\p{Nope}",
            r"\p",
            "(?P<x>a)",
            "(?i)a",
            "(?<1>a)",
            "(?<>a)",
            "(?-:a)",
            "(?ii:a)",
            r"\",
            "(?",
            r"\Z",
            r"[\B]",
            r"\u{110000}",
        ] {
            assert_eq!(judge(no), Some(false), "{no}");
        }
        assert_eq!(judge("(?<a>x)|(?<a>y)"), None);
        assert_eq!(judge(&"(".repeat(9999)), None);
    }
}
