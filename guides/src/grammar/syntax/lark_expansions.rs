//! The right sides of Lark's definitions: alternatives, groups, repetitions, names.

use crate::error::CompileError;
use crate::grammar::rules::Location;
use crate::grammar::syntax::cursor::{Blanks, check_counts, check_depth, syntax, unsupported};
use crate::grammar::syntax::lark::{LarkReader, parametric};
use crate::grammar::syntax::lark_tree::{LarkNode, NameId};

impl<'a> LarkReader<'a> {
    /// Reads alternatives, up to the end of the definition or of the group.
    pub(super) fn expansions(&mut self) -> Result<LarkNode<'a>, CompileError> {
        let mut branches = vec![self.expansion()?];
        while self.bar() {
            self.cursor.size.add_part(self.cursor.at())?;
            branches.push(self.expansion()?);
        }
        if self.depth == 0 && !self.line_ended && self.cursor.peek().is_some() {
            let found = self.cursor.found();
            let reason = match self.cursor.peek() {
                Some(')' | ']' | '}') => format!("{found} closes nothing; as a literal it stands in quotes"),
                _ => format!("expected '|' or the end of the line, found {found}"),
            };
            return Err(self.cursor.error(reason));
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { LarkNode::Choice(branches) })
    }

    /// What may stand between two parts here: line ends only in a group.
    fn blanks(&self) -> Blanks {
        if self.depth == 0 { Blanks::LarkLine } else { Blanks::Lark }
    }

    /// Reads a `|`, which may stand first on a line; whether there is one.
    fn bar(&mut self) -> bool {
        let line_ended = self.cursor.skip(Blanks::Lark);
        let found = self.cursor.take("|");
        if self.depth == 0 {
            self.line_ended = line_ended && !found;
        }
        found
    }

    fn expansion(&mut self) -> Result<LarkNode<'a>, CompileError> {
        let mut parts = Vec::new();
        loop {
            self.cursor.skip(self.blanks());
            let at = self.cursor.at();
            match self.cursor.peek() {
                None | Some('\n' | '\r' | '|' | ')' | ']' | '}') => break,
                Some('&') => {
                    return Err(unsupported(at, "intersection &", "it is not enforced; write one regex for both"));
                }
                Some('-') if self.cursor.take("->") => {
                    self.cursor.skip(self.blanks());
                    self.checked_name()?;
                    break;
                }
                Some('%') if self.cursor.rest().starts_with("%if") => {
                    return Err(unsupported(
                        at,
                        "%if",
                        "rules with numbers as parameters are not enforced; write out the cases",
                    ));
                }
                Some(_) => parts.push(self.repeated()?),
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { LarkNode::Sequence(parts) })
    }

    /// Reads a part with its operator.
    fn repeated(&mut self) -> Result<LarkNode<'a>, CompileError> {
        self.cursor.size.add_part(self.cursor.at())?;
        let part = self.atom()?;
        let Some((min, max)) = self.operator()? else { return Ok(part) };
        let at = self.cursor.at();
        self.cursor.size.add_part(at)?;
        if self.operator()?.is_some() {
            return Err(syntax(
                at,
                "a part has one operator of repetition; put (...) around what the second one repeats",
            ));
        }
        Ok(LarkNode::Repeat(min, max, Box::new(part)))
    }

    /// Reads `*`, `+`, `?`, `~n`, `~m..n` or `{m,n}`: the least and the greatest count.
    fn operator(&mut self) -> Result<Option<(u32, Option<u32>)>, CompileError> {
        self.cursor.skip(self.blanks());
        let at = self.cursor.at();
        match self.cursor.peek() {
            Some(c @ ('*' | '+' | '?')) => {
                self.cursor.next();
                Ok(Some((u32::from(c == '+'), (c == '?').then_some(1))))
            }
            Some('{') => {
                self.cursor.next();
                self.cursor.counts(at, Blanks::Lark).map(Some)
            }
            Some('~') => {
                self.cursor.next();
                self.cursor.skip(self.blanks());
                let Some(min) = self.cursor.number()? else { return Err(negation(at)) };
                self.cursor.skip(self.blanks());
                let max = if self.cursor.take("..") {
                    self.cursor.skip(self.blanks());
                    let Some(max) = self.cursor.number()? else {
                        return Err(self.cursor.error("expected the greatest count, as in x~2..5"));
                    };
                    max
                } else {
                    min
                };
                check_counts(at, min, Some(max))?;
                Ok(Some((min, Some(max))))
            }
            _ => Ok(None),
        }
    }

    fn atom(&mut self) -> Result<LarkNode<'a>, CompileError> {
        let at = self.cursor.at();
        match self.cursor.peek() {
            Some(open @ ('(' | '[')) => {
                let body = self.group(at, if open == '(' { ')' } else { ']' })?;
                Ok(if open == '(' { body } else { LarkNode::Repeat(0, Some(1), Box::new(body)) })
            }
            Some(c) if c.is_ascii_alphanumeric() || c == '_' => self.reference(at),
            Some('~') => Err(negation(at)),
            Some('@') => {
                Err(unsupported(at, "@ and a name", "other grammars are not known; write the rules into this one"))
            }
            Some(c @ ('*' | '+' | '?' | '{')) => {
                Err(syntax(at, format!("'{c}' has nothing before it to repeat; a literal '{c}' stands in quotes")))
            }
            Some('"' | '/' | '<' | '%') => self.lexeme(at),
            Some('\'') => Err(syntax(at, "a string stands in double quotes, as in \"yes\"")),
            Some(':') => Err(syntax(at, "':' belongs to name: at the start of a line; a literal ':' stands in quotes")),
            _ => {
                let found = self.cursor.found();
                Err(syntax(
                    at,
                    format!("{found} begins no part of a rule; a string stands in double quotes, as in \"yes\""),
                ))
            }
        }
    }

    fn group(&mut self, at: Location, close: char) -> Result<LarkNode<'a>, CompileError> {
        let open = self.cursor.next().unwrap_or('(');
        self.depth += 1;
        check_depth(at, self.depth)?;
        let body = self.expansions()?;
        self.depth -= 1;
        if self.cursor.peek() != Some(close) {
            return Err(syntax(at, format!("'{open}' without '{close}'; a literal '{open}' stands in quotes")));
        }
        self.cursor.next();
        Ok(body)
    }

    /// Reads a name, or a template with its arguments.
    fn reference(&mut self, at: Location) -> Result<LarkNode<'a>, CompileError> {
        let (name, is_terminal) = self.checked_name()?;
        if self.in_terminal && !is_terminal {
            let written = self.grammar.names[name];
            return Err(syntax(
                at,
                format!("{written} is a rule, and a terminal is made of terminals; make it a terminal, or this a rule"),
            ));
        }
        if self.cursor.rest().starts_with("::") {
            return Err(parametric(at));
        }
        let rest = self.cursor.rest().trim_start_matches([' ', '\t']);
        let inside = rest.strip_prefix('{').map(str::trim_start);
        if inside.is_none_or(|inside| inside.starts_with(|c: char| c.is_ascii_digit() || c == ',')) {
            return Ok(LarkNode::Name(name, at));
        }
        if is_terminal {
            return Err(syntax(at, "a terminal has no arguments; '{' begins counts such as {2,5} here"));
        }
        self.cursor.skip(Blanks::LarkLine);
        self.arguments(name, at)
    }

    fn arguments(&mut self, name: NameId, at: Location) -> Result<LarkNode<'a>, CompileError> {
        let open = self.cursor.at();
        self.cursor.next();
        self.depth += 1;
        check_depth(at, self.depth)?;
        let mut arguments = Vec::new();
        loop {
            self.cursor.skip(Blanks::Lark);
            let (here, begin) = (self.cursor.at(), self.cursor.byte());
            if matches!(self.cursor.peek(), Some('(' | '[')) {
                return Err(syntax(
                    here,
                    "an argument is a name, a string, a regex, a range or a template; make the group a rule",
                ));
            }
            self.cursor.size.add_part(here)?;
            let argument = self.atom()?;
            arguments.push((self.cursor.since(begin), argument));
            self.cursor.skip(Blanks::Lark);
            if self.cursor.take("}") {
                self.depth -= 1;
                return Ok(LarkNode::Use(name, arguments, at));
            }
            if !self.cursor.take(",") {
                return Err(syntax(
                    open,
                    "arguments stand between '{' and '}' with ',' between them, each one name, string, regex or range",
                ));
            }
        }
    }
}

fn negation(at: Location) -> CompileError {
    unsupported(at, "negation ~", "it is not enforced; write what may come, such as /[^a]*/; a count is ~3 or ~2..5")
}
