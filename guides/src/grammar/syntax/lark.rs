//! Reads Lark's syntax (the grammar reference of lark-parser.readthedocs.io) with the extensions of llguidance (its `docs/syntax.md`): the
//! definitions and directives.
//!
//! ```text
//!  start: _list{item, ","}
//!  _list{part, separator}: part (separator part)*
//!  item: NAME | "(" start ")"
//!  NAME: /[a-z]+/
//!  %ignore " "+
//! ```
//!
//! What shapes a syntax tree (`?rule`, `!rule`, `_rule`, `-> alias`) and what chooses among parses (priorities) leaves the language as it is,
//! and is read over. `["x"]` is `("x")?`.

use crate::error::CompileError;
use crate::grammar::rules::{Body, Grammar, Location};
use crate::grammar::syntax::cursor::{Blanks, GrammarCursor, syntax, unsupported};
use crate::grammar::syntax::lark_common;
use crate::grammar::syntax::lark_lowering;
use crate::grammar::syntax::lark_tree::{LarkDefinition, LarkGrammar, LarkNode, NameId, is_terminal};

/// Reads a grammar.
pub(super) fn read(text: &str) -> Result<Grammar, CompileError> {
    let mut reader = LarkReader {
        cursor: GrammarCursor::new(text),
        grammar: LarkGrammar::default(),
        in_terminal: false,
        depth: 0,
        line_ended: true,
    };
    reader.statements()?;
    lark_lowering::lower(&reader.grammar, reader.cursor.size)
}

pub(super) struct LarkReader<'a> {
    pub(super) cursor: GrammarCursor<'a>,
    pub(super) grammar: LarkGrammar<'a>,
    /// Whether what is read belongs to a terminal.
    pub(super) in_terminal: bool,
    /// Levels of groups around the current part.
    pub(super) depth: usize,
    /// Whether a line ended behind the last statement.
    pub(super) line_ended: bool,
}

impl<'a> LarkReader<'a> {
    fn statements(&mut self) -> Result<(), CompileError> {
        loop {
            self.line_ended |= self.cursor.skip(Blanks::Lark);
            let at = self.cursor.at();
            let Some(c) = self.cursor.peek() else { return Ok(()) };
            if !self.line_ended {
                return Err(syntax(at, format!("expected the end of the line, found {c:?}")));
            }
            self.line_ended = false;
            match c {
                '%' => self.directive(at)?,
                '|' => return Err(syntax(at, "'|' goes on with a rule, and stands behind none")),
                _ => self.definition()?,
            }
        }
    }

    /// Reads a name; `None`, with nothing read, if none comes next.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let start = self.cursor.byte();
        loop {
            self.cursor.take_while(is_part);
            // llguidance has hyphens in names, and `a->b` begins with a name.
            let hyphen = self.cursor.peek() == Some('-') && self.cursor.peek_second().is_some_and(is_part);
            if !hyphen || self.cursor.byte() == start {
                break;
            }
            self.cursor.next();
        }
        Some(self.cursor.since(start)).filter(|name| !name.is_empty())
    }

    /// Reads a name; its index, and whether it is a terminal's.
    pub(super) fn checked_name(&mut self) -> Result<(NameId, bool), CompileError> {
        let at = self.cursor.at();
        let Some(name) = self.name() else {
            let found = self.cursor.found();
            return Err(syntax(at, format!("expected a name, found {found}")));
        };
        match is_terminal(name) {
            Some(is_terminal) => Ok((self.grammar.id(name), is_terminal)),
            None => Err(syntax(
                at,
                format!(
                    "{name} is no name; rules have lower-case letters, terminals upper-case letters, and no digit first"
                ),
            )),
        }
    }

    fn definition(&mut self) -> Result<(), CompileError> {
        let begin = self.cursor.at();
        while self.cursor.take("!") || self.cursor.take("?") {}
        let (has_modifiers, at) = (self.cursor.at() != begin, self.cursor.at());
        if self.cursor.peek().is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_') {
            let found = self.cursor.found();
            return Err(self.cursor.error(format!(
                "a rule is name: ..., a terminal NAME: ..., and a directive begins with '%'; found {found}"
            )));
        }
        let (name, is_terminal) = self.checked_name()?;
        let written = self.grammar.names[name];
        if has_modifiers && is_terminal {
            return Err(syntax(begin, format!("'!' and '?' stand before rules only; {written} is a terminal")));
        }
        if self.cursor.take("::") {
            return Err(parametric(at));
        }
        self.cursor.skip(Blanks::LarkLine);
        let parameters = if self.cursor.peek() == Some('{') { self.parameters(is_terminal)? } else { Vec::new() };
        self.cursor.skip(Blanks::LarkLine);
        if self.cursor.take(".") {
            let _ = self.cursor.take("-") || self.cursor.take("+");
            if self.cursor.number()?.is_none() {
                return Err(self.cursor.error(format!("a priority is a number, as in {written}.2: ...")));
            }
            self.cursor.skip(Blanks::LarkLine);
        }
        if self.cursor.peek() == Some('[') {
            return Err(self.attributes());
        }
        if !self.cursor.take(":") {
            let found = self.cursor.found();
            return Err(self.cursor.error(format!(
                "expected ':' behind the name {written}, found {found}; a rule goes on over lines that begin with '|'"
            )));
        }
        self.in_terminal = is_terminal;
        let body = self.expansions()?;
        self.define(LarkDefinition { name, at, is_terminal, parameters, body, imported: None })
    }

    /// Reads the parameters of a template.
    fn parameters(&mut self, is_terminal: bool) -> Result<Vec<NameId>, CompileError> {
        let open = self.cursor.at();
        if is_terminal {
            return Err(syntax(
                open,
                "a terminal has no parameters; make it a rule, with a name of lower-case letters",
            ));
        }
        self.cursor.next();
        let mut parameters = Vec::new();
        loop {
            self.cursor.skip(Blanks::Lark);
            let at = self.cursor.at();
            let (parameter, is_terminal) = self.checked_name()?;
            if is_terminal {
                return Err(syntax(at, "a parameter has a name of lower-case letters"));
            }
            if parameters.contains(&parameter) {
                return Err(syntax(at, "this parameter is there twice; rename one"));
            }
            parameters.push(parameter);
            self.cursor.skip(Blanks::Lark);
            if self.cursor.take("}") {
                return Ok(parameters);
            }
            if !self.cursor.take(",") {
                return Err(syntax(
                    open,
                    "parameters stand between '{' and '}' with ',' between them, as in name{a, b}: ...",
                ));
            }
            if parameters.len() == MOST_PARAMETERS {
                return Err(unsupported(
                    open,
                    "parameters",
                    format!("a template has at most {MOST_PARAMETERS} of them"),
                ));
            }
        }
    }

    /// The refusal of `rule[max_tokens=5, ...]`.
    fn attributes(&mut self) -> CompileError {
        let at = self.cursor.at();
        self.cursor.next();
        self.cursor.skip(Blanks::Lark);
        let name = self.name().unwrap_or("[]");
        let instead = match name {
            "max_tokens" => {
                "repeat a part a bounded number of times, or bound the whole output with the request's max_tokens"
            }
            "temperature" => "give the temperature with the request",
            "stop" | "suffix" | "lazy" => "write the end as a part of the rule, behind a part that cannot contain it",
            _ => "leave it out",
        };
        unsupported(at, format!("attribute {name}"), format!("attributes of rules are not enforced; {instead}"))
    }

    /// Adds a definition.
    pub(super) fn define(&mut self, definition: LarkDefinition<'a>) -> Result<(), CompileError> {
        if let Some(&first) = self.grammar.by_name.get(&definition.name) {
            let (name, line) = (self.grammar.names[definition.name], self.grammar.definitions[first].at.line);
            return Err(syntax(
                definition.at,
                format!("{name} is defined on line {line} already; join the two with '|', or rename one"),
            ));
        }
        self.grammar.by_name.insert(definition.name, self.grammar.definitions.len());
        self.grammar.definitions.push(definition);
        Ok(())
    }

    fn directive(&mut self, at: Location) -> Result<(), CompileError> {
        self.cursor.next();
        let word = self.cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_');
        let refused = |reason: &str| Err(unsupported(at, format!("%{word}"), reason));
        match word {
            "ignore" => {
                if self.grammar.ignored.is_empty() {
                    self.grammar.ignored_at = at;
                }
                self.in_terminal = true;
                let ignored = self.expansions()?;
                self.grammar.ignored.push(ignored);
                Ok(())
            }
            "import" => self.import(),
            "llguidance" | "grammar_options" => self.options(),
            "declare" => refused("a declared terminal has no text; define it with NAME: ..."),
            "override" | "extend" => {
                refused("it changes what is imported, and only terminals of common are; define a terminal of your own")
            }
            "json" | "regex" | "lark" => {
                Err(syntax(at, format!("%{word} is a part of a rule, as in start: %{word} {{...}}")))
            }
            _ => Err(syntax(at, format!("no directive is %{word}; known are %import, %ignore and %llguidance"))),
        }
    }

    /// Reads `common.NAME`, `common.NAME -> ALIAS` or `common (NAME, NAME)`.
    fn import(&mut self) -> Result<(), CompileError> {
        self.cursor.skip(Blanks::LarkLine);
        let at = self.cursor.at();
        let begin = self.cursor.byte();
        // A dot that comes first makes a path relative.
        while self.name().is_some() | self.cursor.take(".") {}
        let path = self.cursor.since(begin);
        self.cursor.skip(Blanks::LarkLine);
        let is_list = self.cursor.peek() == Some('(');
        let (library, name) = match path.rsplit_once('.') {
            Some((library, name)) if !is_list => (library, name),
            _ => (path, ""),
        };
        if library != "common" {
            return Err(unsupported(
                at,
                format!("%import {path}"),
                "only terminals of common are known, as in %import common.WS; write the definitions into the grammar",
            ));
        }
        if !is_list {
            if !self.cursor.take("->") {
                return self.imported(name, name, at);
            }
            self.cursor.skip(Blanks::LarkLine);
            let alias = self.name().unwrap_or_default();
            return self.imported(name, alias, at);
        }
        self.cursor.next();
        loop {
            self.cursor.skip(Blanks::Lark);
            let at = self.cursor.at();
            let name = self.name().unwrap_or_default();
            self.imported(name, name, at)?;
            self.cursor.skip(Blanks::Lark);
            if self.cursor.take(")") {
                return Ok(());
            }
            if !self.cursor.take(",") {
                return Err(self.cursor.error("names of an import stand between '(' and ')' with ',' between them"));
            }
        }
    }

    fn imported(&mut self, name: &'a str, alias: &'a str, at: Location) -> Result<(), CompileError> {
        let Some(pattern) = lark_common::pattern(name) else {
            let known = lark_common::names();
            return Err(syntax(at, format!("common has no terminal {name:?}; it has {known}")));
        };
        if is_terminal(alias) != Some(true) {
            return Err(syntax(at, format!("{alias:?} is no name of a terminal, which has upper-case letters")));
        }
        let id = self.grammar.id(alias);
        if self.grammar.definition(id).is_some_and(|known| known.imported == Some(name)) {
            return Ok(());
        }
        let body = LarkNode::Lexeme(Body::Regex { pattern: pattern.to_owned(), at });
        self.define(LarkDefinition {
            name: id,
            at,
            is_terminal: true,
            parameters: Vec::new(),
            body,
            imported: Some(name),
        })
    }
}

/// The most parameters of a template.
const MOST_PARAMETERS: usize = 32;

/// The refusal of llguidance's `rule::_`.
pub(super) fn parametric(at: Location) -> CompileError {
    unsupported(at, "parametric rule", "rules with numbers as parameters are not enforced; write out the cases")
}
