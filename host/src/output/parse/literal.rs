//! Arguments as literals of Python or with bare keys, turned into a JSON object.

use super::text::{escaped, longest_beginning};

/// Longer words are no literals.
const LONGEST_WORD: usize = 4096;

/// Reads the arguments of one call: `key=value, …` up to `)`, or `key:value, …` up to `}`.
#[derive(Debug)]
pub(super) struct LiteralArguments {
    syntax: Syntax,
    count: usize,
    /// The brackets that are open, as JSON closes them.
    open: Vec<char>,
    /// Whether the value of a top-level key is to come.
    wants_value: bool,
    /// Whether a comma stands before whatever comes next.
    after_comma: bool,
    string: Option<&'static str>,
}

/// How keys, strings and the end are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `key=value`, strings as Python has them, `)` at the end.
    Python,
    /// `key:value`, strings between this text and the same text, `}` at the end.
    Bare(&'static str),
}

impl LiteralArguments {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self { syntax, count: 0, open: Vec::new(), wants_value: false, after_comma: false, string: None }
    }

    /// As [`TaggedArguments::read`](super::tagged::TaggedArguments::read).
    pub(super) fn read(&mut self, text: &str, is_last: bool, json: &mut String) -> Option<(usize, bool)> {
        if let Some(quote) = self.string {
            return self.read_string(quote, text, is_last, json).map(|read| (read, false));
        }
        let skipped = text.len() - text.trim_start().len();
        let rest = &text[skipped..];
        let Some(next) = rest.chars().next() else { return self.wait(is_last, text.len(), json) };
        if let Some(quote) = self.quote_at(rest) {
            self.begin_value(json);
            json.push('"');
            self.string = Some(quote);
            return Some((skipped + quote.len(), false));
        }
        if let Syntax::Bare(quote) = self.syntax
            && quote.starts_with(rest)
        {
            return self.wait(is_last, text.len(), json);
        }
        let end = if self.syntax == Syntax::Python { ')' } else { '}' };
        let read = skipped + next.len_utf8();
        match next {
            _ if next == end && self.open.is_empty() => {
                self.finish(json);
                return Some((read, true));
            }
            '[' | '(' | '{' => {
                self.begin_value(json);
                json.push(if next == '{' { '{' } else { '[' });
                self.open.push(if next == '{' { '}' } else { ']' });
                self.wants_value = true;
            }
            ']' | ')' | '}' if !self.open.is_empty() => {
                json.extend(self.open.pop());
                self.after_comma = false;
                self.wants_value = !self.open.is_empty();
            }
            ',' => {
                self.after_comma = true;
                self.wants_value = !self.open.is_empty();
            }
            ':' if !self.open.is_empty() => json.push_str(": "),
            _ if is_word(next) => {
                return self.read_word(rest, is_last, json).map(|(length, done)| (skipped + length, done));
            }
            _ => {
                self.finish(json);
                return Some((skipped, true));
            }
        }
        Some((read, false))
    }

    fn wait(&mut self, is_last: bool, length: usize, json: &mut String) -> Option<(usize, bool)> {
        is_last.then(|| {
            self.finish(json);
            (length, true)
        })
    }

    fn quote_at(&self, text: &str) -> Option<&'static str> {
        match self.syntax {
            Syntax::Python => ["\"", "'"].into_iter().find(|quote| text.starts_with(quote)),
            Syntax::Bare(quote) => text.starts_with(quote).then_some(quote),
        }
    }

    /// A keyword of the call, a key of an object, or a literal.
    fn read_word(&mut self, text: &str, is_last: bool, json: &mut String) -> Option<(usize, bool)> {
        let length = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
        let after = text[length..].trim_start();
        if after.is_empty() && !is_last && text.len() < LONGEST_WORD {
            return None;
        }
        let word = &text[..length];
        let gap = text.len() - length - after.len();
        if self.open.is_empty() && !self.wants_value {
            let assigns = if self.syntax == Syntax::Python { '=' } else { ':' };
            if !after.starts_with(assigns) {
                self.finish(json);
                return Some((0, true));
            }
            json.push_str(if self.count == 0 { "{\"" } else { ", \"" });
            json.push_str(&escaped(word));
            json.push_str("\": ");
            self.count += 1;
            self.after_comma = false;
            self.wants_value = true;
            return Some((length + gap + 1, false));
        }
        self.begin_value(json);
        let is_key = after.starts_with(':') && self.open.last() == Some(&'}');
        match word {
            _ if is_key => json.push_str(&format!("\"{}\"", escaped(word))),
            "True" | "true" => json.push_str("true"),
            "False" | "false" => json.push_str("false"),
            "None" | "null" => json.push_str("null"),
            _ if serde_json::from_str::<serde_json::Number>(word).is_ok() => json.push_str(word),
            _ => json.push_str(&format!("\"{}\"", escaped(word))),
        }
        Some((length, false))
    }

    fn read_string(&mut self, quote: &'static str, text: &str, is_last: bool, json: &mut String) -> Option<usize> {
        let (read, is_whole) = match self.syntax {
            Syntax::Python => python_string(quote, text, json),
            Syntax::Bare(_) => {
                let end = text.find(quote);
                let length =
                    end.unwrap_or(if is_last { text.len() } else { text.len() - longest_beginning(text, quote) });
                json.push_str(&escaped(&text[..length]));
                (length + end.map_or(0, |_| quote.len()), end.is_some())
            }
        };
        if is_whole || (is_last && read < text.len()) || (is_last && text.is_empty()) {
            json.push('"');
            self.string = None;
            return Some(if is_whole { read } else { text.len() });
        }
        (read > 0).then_some(read)
    }

    fn begin_value(&mut self, json: &mut String) {
        if std::mem::take(&mut self.after_comma) && !self.open.is_empty() {
            json.push_str(", ");
        }
        self.wants_value = !self.open.is_empty();
    }

    fn finish(&mut self, json: &mut String) {
        if self.string.take().is_some() {
            json.push('"');
        }
        while let Some(bracket) = self.open.pop() {
            json.push(bracket);
        }
        json.push_str(if self.count == 0 { "{}" } else { "}" });
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.')
}

/// The content of a string of Python as the content of one of JSON. Returns how much was read, and whether the string has ended.
fn python_string(quote: &str, text: &str, json: &mut String) -> (usize, bool) {
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if text[at..].starts_with(quote) {
            return (at + quote.len(), true);
        }
        if next != '\\' {
            let end = text[at..].find(|c: char| c == '\\' || quote.starts_with(c)).unwrap_or(text.len() - at);
            json.push_str(&escaped(&text[at..at + end]));
            at += end;
            continue;
        }
        let Some(kind) = text[at + 1..].chars().next() else { break };
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let from = at + 1 + kind.len_utf8();
        let hex: String = text[from..].chars().take(digits).take_while(char::is_ascii_hexdigit).collect();
        if digits > 0 && hex.len() < digits && text.len() == from + hex.len() {
            break;
        }
        let code = u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == digits);
        match (kind, code) {
            // JSON has these, too, and pairs of them stay pairs.
            ('u', Some(_)) => json.push_str(&format!("\\u{hex}")),
            ('x' | 'U', Some(code)) => json.push_str(&escaped(&char::from_u32(code).unwrap_or('\u{fffd}').to_string())),
            ('n' | 't' | 'r' | 'b' | 'f' | '\\' | '"' | '/', _) => json.extend(['\\', kind]),
            ('\'', _) => json.push('\''),
            ('\n', _) => {}
            ('0', _) => json.push_str("\\u0000"),
            ('a', _) => json.push_str("\\u0007"),
            ('v', _) => json.push_str("\\u000b"),
            _ => json.push_str(&escaped(&format!("\\{kind}"))),
        }
        at = from + if code.is_some() { digits } else { 0 };
    }
    (at, false)
}
