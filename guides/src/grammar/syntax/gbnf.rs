//! Reads GBNF, the syntax of llama.cpp (its `grammars/README.md`) and of XGrammar's EBNF.
//!
//! ```text
//!  root ::= item ("," item)*     # a comment
//!  item ::= [a-z]+ | "\"" [^"]{0,20} "\""
//! ```
//!
//! Where the two differ, what both allow is read: a rule goes on to the next `name ::=` at the start of a line, over any number of lines, and
//! an item may have several operators. `\xHH` has two digits, as in llama.cpp. `.` is any character, with line ends.

use crate::automaton::expression::Expression;
use crate::error::{CompileError, too_big};
use crate::grammar::rules::{Body, Grammar, Location, Rule, RuleId};
use crate::grammar::syntax::cursor::{
    Blanks, GrammarCursor, MOST_RULES, SMALLER, check_depth, place, syntax, unsupported,
};
use crate::grammar::syntax::literal::Literals;
use foldhash::{HashMap, HashMapExt};

/// The rule that derives whole outputs.
const GBNF_ROOT: &str = "root";

/// The macros of XGrammar's EBNF.
const MACROS: [&str; 6] = ["ExcludeToken", "Regex", "Substring", "TagDispatch", "Token", "TokenTagDispatch"];

/// Reads a grammar.
pub(super) fn read(text: &str) -> Result<Grammar, CompileError> {
    let cursor = GrammarCursor::new(text);
    let mut reader = GbnfReader {
        cursor,
        literals: Literals::new(),
        rules: Vec::new(),
        ids: HashMap::new(),
        depth: 0,
        line_of_part: 0,
    };
    reader.cursor.skip(Blanks::Gbnf);
    while reader.cursor.peek().is_some() {
        reader.rule()?;
    }
    reader.finished()
}

pub(super) struct GbnfReader<'a> {
    pub(super) cursor: GrammarCursor<'a>,
    pub(super) literals: Literals,
    /// The rules in the order in which they are first named. A rule without a body is named where it is `at`.
    rules: Vec<(&'a str, Location, Option<Body>)>,
    ids: HashMap<&'a str, RuleId>,
    /// Levels of groups and operators around the current part.
    depth: usize,
    /// The line on which the part before the current one ends.
    line_of_part: usize,
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

impl<'a> GbnfReader<'a> {
    /// The id of a rule, which may not have been defined yet.
    fn id(&mut self, name: &'a str, at: Location) -> Result<RuleId, CompileError> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        if self.rules.len() == MOST_RULES {
            return Err(too_big(place(at), "rules", MOST_RULES, SMALLER));
        }
        let id = RuleId::new(self.rules.len());
        self.rules.push((name, at, None));
        self.ids.insert(name, id);
        Ok(id)
    }

    fn rule(&mut self) -> Result<(), CompileError> {
        let at = self.cursor.at();
        let name = self.cursor.take_while(is_name);
        if name.is_empty() {
            let found = self.cursor.found();
            return Err(syntax(
                at,
                format!("a rule begins with its name, as in root ::= \"yes\" | \"no\", not with {found}"),
            ));
        }
        let id = self.id(name, at)?;
        if self.cursor.peek() == Some('[') {
            return Err(unsupported(
                self.cursor.at(),
                "attributes of a rule",
                "what stands in brackets behind its name is not enforced; leave it out",
            ));
        }
        self.cursor.skip(Blanks::Gbnf);
        if !self.cursor.take("::=") {
            let found = self.cursor.found();
            return Err(self.cursor.error(format!("expected ::= behind the name {name}, found {found}")));
        }
        if let (_, first, Some(_)) = &self.rules[id.index()] {
            let line = first.line;
            return Err(syntax(
                at,
                format!("the rule {name} is defined on line {line} already; join the two with '|', or rename one"),
            ));
        }
        self.line_of_part = self.cursor.at().line;
        let begins_line = self.cursor.skip(Blanks::Gbnf);
        if self.cursor.peek().is_none() || (begins_line && self.at_head()) {
            return Err(syntax(at, format!("the rule {name} has nothing behind ::=; write \"\" for the empty text")));
        }
        let body = self.alternatives()?;
        if self.cursor.peek() == Some(')') {
            return Err(self.cursor.error("')' without '('; a literal ')' stands in quotes"));
        }
        self.rules[id.index()] = (name, at, Some(body));
        Ok(())
    }

    /// Reads alternatives up to the end of the rule or a `)`.
    fn alternatives(&mut self) -> Result<Body, CompileError> {
        let mut branches = vec![self.sequence()?];
        while self.cursor.peek() == Some('|') {
            self.cursor.size.add_part(self.cursor.at())?;
            self.cursor.next();
            branches.push(self.sequence()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Body::Choice(branches) })
    }

    fn sequence(&mut self) -> Result<Body, CompileError> {
        let mut parts = Vec::new();
        // Operators of the last part.
        let mut operators = 0;
        loop {
            self.cursor.skip(Blanks::Gbnf);
            let (at, is_first) = (self.cursor.at(), self.cursor.at().line > self.line_of_part);
            let Some(c) = self.cursor.peek() else { break };
            let part = match c {
                '|' | ')' => break,
                '*' | '+' | '?' | '{' => {
                    self.cursor.next();
                    let (min, max) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        '?' => (0, Some(1)),
                        _ => self.cursor.counts(at, Blanks::Gbnf)?,
                    };
                    let Some(body) = parts.pop() else {
                        return Err(syntax(
                            at,
                            format!("'{c}' has nothing before it to repeat; a literal '{c}' stands in quotes"),
                        ));
                    };
                    operators += 1;
                    check_depth(at, self.depth + operators)?;
                    Body::Repeat { min, max, body: Box::new(body) }
                }
                _ if is_name(c) => {
                    if is_first && self.at_head() {
                        break;
                    }
                    operators = 0;
                    self.reference()?
                }
                _ => {
                    operators = 0;
                    self.part(c)?
                }
            };
            self.cursor.size.add_part(at)?;
            self.line_of_part = self.cursor.at().line;
            parts.push(part);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Body::Sequence(parts) })
    }

    /// Whether the name that comes next is the head of a rule: `name ::=` or `name[...] ::=`.
    fn at_head(&self) -> bool {
        let rest = self.cursor.rest().trim_start_matches(is_name);
        let mut ahead = GrammarCursor::new(rest);
        if rest.starts_with('[') {
            ahead.take_while(|c| !matches!(c, ']' | '\n' | '\r'));
            ahead.next();
        }
        ahead.skip(Blanks::Gbnf);
        ahead.rest().starts_with("::=")
    }

    /// Reads the name of a rule.
    fn reference(&mut self) -> Result<Body, CompileError> {
        let at = self.cursor.at();
        let name = self.cursor.take_while(is_name);
        if self.cursor.peek() == Some('(') && MACROS.contains(&name) {
            let instead = match name {
                "Token" => "write <[123]> for the token with id 123",
                "Regex" => "write it as a rule, with classes and repetitions",
                _ => "write it as rules",
            };
            return Err(unsupported(at, format!("{name}(...)"), format!("macros are not enforced; {instead}")));
        }
        if self.cursor.peek() == Some('.') && self.cursor.peek_second().is_some_and(is_name) {
            return Err(self.cursor.error(
                "'.' in a name; names are of letters, digits, '-' and '_', and '.' for any character stands between spaces",
            ));
        }
        let definition = self.cursor.rest().trim_start_matches([' ', '\t']);
        if definition.starts_with("::=") {
            return Err(syntax(
                at,
                format!("the rule {name} begins on a line of another; begin it on a line of its own"),
            ));
        }
        Ok(Body::Rule(self.id(name, at)?))
    }

    /// Reads what is no name: a literal, a class, a group, a token.
    fn part(&mut self, c: char) -> Result<Body, CompileError> {
        let at = self.cursor.at();
        match c {
            '"' => self.literal(),
            '[' => self.class(),
            '.' => {
                self.cursor.next();
                Ok(Body::Text(Expression::any_character()))
            }
            '(' => self.group(at),
            '<' => self.token(),
            '!' => Err(unsupported(
                at,
                "negated token",
                "every token but one is not enforced; write the text that may come instead",
            )),
            '\'' => Err(syntax(at, "a literal stands in double quotes, as in \"yes\"")),
            ':' => Err(syntax(at, "':' belongs to name ::= at the start of a line; a literal ':' stands in quotes")),
            '/' => Err(syntax(
                at,
                "a comment begins with '#', and a regex is written as a rule; a literal '/' stands in quotes",
            )),
            _ => {
                let found = self.cursor.found();
                let reason = "begins no part of a rule; a literal stands in double quotes, as in \"yes\"";
                Err(syntax(at, format!("{found} {reason}")))
            }
        }
    }

    fn group(&mut self, at: Location) -> Result<Body, CompileError> {
        self.cursor.next();
        if self.cursor.peek() == Some('=') {
            return Err(unsupported(
                at,
                "look-ahead (=...)",
                "what must follow is not enforced; leave it out, or write it where it stands",
            ));
        }
        self.depth += 1;
        check_depth(at, self.depth)?;
        let body = self.alternatives()?;
        self.depth -= 1;
        if self.cursor.take(")") {
            Ok(body)
        } else {
            Err(syntax(at, "'(' without ')'; a literal '(' stands in quotes"))
        }
    }

    fn finished(self) -> Result<Grammar, CompileError> {
        let root = self.ids.get(GBNF_ROOT).copied();
        let mut rules = Vec::with_capacity(self.rules.len());
        for (name, at, body) in self.rules {
            let Some(body) = body else {
                return Err(syntax(
                    at,
                    format!("no rule is named {name}; define it with {name} ::= ..., or put a literal in quotes"),
                ));
            };
            rules.push(Rule { name: name.to_owned(), at, body });
        }
        let Some(start) = root else {
            let at = rules.first().map_or(Location { line: 1, column: 1 }, |rule| rule.at);
            return Err(syntax(at, "no rule is named root, which derives the whole output; name one so"));
        };
        Ok(Grammar { rules, start })
    }
}
