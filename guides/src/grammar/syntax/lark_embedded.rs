//! JSON in Lark grammars: `%json`, `%regex` and the options of llguidance.

use crate::error::{CompileError, Place, too_big};
use crate::grammar::rules::{Body, Location};
use crate::grammar::syntax::cursor::{Blanks, GrammarCursor, place, syntax, unsupported};
use crate::grammar::syntax::lark::LarkReader;
use crate::grammar::syntax::lark_tree::LarkNode;
use crate::json::text::value::{Value, parse};

/// The deepest nesting of options and of substrings.
const DEEPEST_OPTION: usize = 8;

/// The most texts of a substring.
const MOST_CHUNKS: usize = 10_000;

impl<'a> LarkReader<'a> {
    /// Reads `%json {...}` or `%regex {...}`.
    pub(super) fn embedded(&mut self, at: Location) -> Result<LarkNode<'a>, CompileError> {
        self.cursor.next();
        let word = self.cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_');
        match word {
            "json" => {
                self.cursor.skip(Blanks::Lark);
                let at = self.cursor.at();
                let schema = self.json_text("%json")?;
                self.cursor.size.add_characters(at, schema.len())?;
                Ok(LarkNode::Lexeme(Body::Json { schema: schema.to_owned(), at }))
            }
            "regex" => self.substring(at),
            "lark" => Err(unsupported(at, "%lark", "write the rules of the inner grammar into this one")),
            _ => Err(syntax(at, format!("no part of a rule is %{word}; known are %json and %regex"))),
        }
    }

    /// Reads the text of an object, or of a schema that is `true` or `false`.
    fn json_text(&mut self, directive: &str) -> Result<&'a str, CompileError> {
        let (at, begin) = (self.cursor.at(), self.cursor.byte());
        if self.cursor.peek() != Some('{') {
            let word = self.cursor.take_while(|c| c.is_ascii_alphabetic());
            if matches!(word, "true" | "false") && directive == "%json" {
                return Ok(word);
            }
            return Err(syntax(at, format!("{directive} is followed by a JSON object, as in {directive} {{...}}")));
        }
        let mut depth = 0usize;
        let mut in_string = false;
        while let Some(c) = self.cursor.next() {
            match c {
                '\\' if in_string => drop(self.cursor.next()),
                '"' => in_string = !in_string,
                '{' if !in_string => depth += 1,
                '}' if !in_string => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(self.cursor.since(begin));
            }
        }
        Err(syntax(at, format!("the object of {directive} has no end; a '}}' or a '\"' is missing")))
    }

    /// Reads an object; its members.
    fn members(&mut self, directive: &str) -> Result<Vec<(String, Value)>, CompileError> {
        self.cursor.skip(Blanks::Lark);
        let before = self.cursor.clone();
        let text = self.json_text(directive)?;
        match parse(text, DEEPEST_OPTION) {
            Ok(Value::Object(members)) => Ok(members.to_vec()),
            Ok(_) => Err(syntax(before.at(), format!("{directive} is followed by a JSON object"))),
            Err(CompileError::Syntax { at: Place::Text(offset), reason }) => {
                Err(syntax(location(before, offset), format!("the JSON of {directive}: {reason}")))
            }
            Err(CompileError::TooBig { limit, allowed, remedy, .. }) => {
                Err(CompileError::TooBig { at: place(before.at()), limit, allowed, remedy })
            }
            Err(other) => Err(other),
        }
    }

    /// Reads the object of `%llguidance`. Options that do not change the language are read over.
    pub(super) fn options(&mut self) -> Result<(), CompileError> {
        self.cursor.skip(Blanks::Lark);
        let at = self.cursor.at();
        for (name, value) in self.members("%llguidance")? {
            let Value::Bool(value) = value else {
                return Err(syntax(at, format!("the option {name} is true or false")));
            };
            match (name.as_str(), value) {
                // It is about how a text is cut into tokens.
                ("no_forcing", _) | ("allow_invalid_utf8", false) => {}
                ("allow_initial_skip", _) => self.grammar.options.initial_skip = value,
                ("ignore_once", _) => self.grammar.options.ignore_once = value,
                ("allow_invalid_utf8", true) => {
                    return Err(unsupported(at, "option allow_invalid_utf8", "outputs are UTF-8; leave it out"));
                }
                _ => {
                    let reason = "not known; known are no_forcing, allow_initial_skip and ignore_once";
                    return Err(unsupported(at, format!("option {name}"), reason));
                }
            }
        }
        Ok(())
    }

    /// Reads the object of `%regex`: the texts of which any run is matched.
    fn substring(&mut self, at: Location) -> Result<LarkNode<'a>, CompileError> {
        let wrong = "%regex is followed by {\"substring_chunks\": [\"...\", ...]} or {\"substring_chars\": \"...\"}";
        let members = self.members("%regex")?;
        let [(name, value)] = members.as_slice() else { return Err(syntax(at, wrong)) };
        let chunks: Option<Vec<String>> = match (name.as_str(), value) {
            ("substring_chars", Value::String(text)) => Some(text.chars().map(String::from).collect()),
            ("substring_chunks", Value::Array(chunks)) => {
                let text = |chunk: &Value| if let Value::String(text) = chunk { Some(text.clone()) } else { None };
                chunks.iter().map(text).collect()
            }
            ("substring_words", _) => {
                let reason =
                    "words are not told apart here; write substring_chunks with the words and what is between them";
                return Err(unsupported(at, "substring_words", reason));
            }
            ("substring_chars" | "substring_chunks", _) => None,
            _ => return Err(unsupported(at, format!("%regex with {name}"), wrong)),
        };
        let Some(chunks) = chunks else { return Err(syntax(at, wrong)) };
        if chunks.len() > MOST_CHUNKS {
            return Err(too_big(place(at), "texts of a substring", MOST_CHUNKS, "give fewer, longer texts"));
        }
        self.cursor.size.add_characters(at, chunks.iter().map(String::len).sum())?;
        Ok(LarkNode::Substring(chunks, at))
    }
}

/// The place of a byte of the text from a cursor on.
fn location(mut cursor: GrammarCursor, offset: usize) -> Location {
    let end = cursor.byte() + offset;
    while cursor.byte() < end && cursor.next().is_some() {}
    cursor.at()
}
