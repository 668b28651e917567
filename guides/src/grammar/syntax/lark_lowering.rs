//! Lark's definitions to rules: names to ids, templates to an instance for each use with other arguments, `%ignore` to a rule.
//!
//! An ignored text may stand first, and behind each terminal in a rule. With `%ignore " "`:
//!
//! ```text
//!  start: "a" B             start = "a" %ignore B %ignore
//!  B: "b" "c"               B = "b" "c"
//!                           %ignore = (" "){0,}
//!                           output = %ignore start
//! ```

use crate::error::{CompileError, too_big};
use crate::grammar::rules::{Body, Grammar, Location, Rule, RuleId};
use crate::grammar::syntax::cursor::{GrammarSize, MOST_RULES, SMALLER, place, syntax};
use crate::grammar::syntax::lark_names::check;
use crate::grammar::syntax::lark_tree::{LarkGrammar, LarkNode, NameId};
use crate::grammar::syntax::literal::Literals;
use foldhash::{HashMap, HashMapExt};
use std::collections::VecDeque;

/// The rule that derives whole outputs.
const LARK_START: &str = "start";

/// The rules of a grammar.
pub(super) fn lower(grammar: &LarkGrammar, size: GrammarSize) -> Result<Grammar, CompileError> {
    check(grammar)?;
    let mut lowering = Lowering {
        grammar,
        literals: Literals::new(),
        size,
        rules: Vec::new(),
        ids: HashMap::new(),
        ignored: None,
        instances: HashMap::new(),
        waiting: VecDeque::new(),
    };
    let start = lowering.definitions()?;
    let start = lowering.started(start)?;
    lowering.templates()?;
    Ok(Grammar { rules: lowering.rules, start })
}

struct Lowering<'g, 'a> {
    grammar: &'g LarkGrammar<'a>,
    literals: Literals,
    size: GrammarSize,
    rules: Vec<Rule>,
    /// The rules of the definitions that are no templates.
    ids: HashMap<NameId, RuleId>,
    /// The rule of ignored texts.
    ignored: Option<RuleId>,
    /// The instances of templates by their names, which have the arguments in them.
    instances: HashMap<String, RuleId>,
    /// The instances whose rules have no bodies yet.
    waiting: VecDeque<Instance>,
}

/// A template with arguments.
struct Instance {
    definition: usize,
    rule: RuleId,
    arguments: Vec<BoundArgument>,
}

/// An argument of a template.
struct BoundArgument {
    parameter: NameId,
    /// Its text, in which parameters are replaced: equal labels mean equal arguments.
    label: String,
    body: Body,
    /// The characters of its literals.
    characters: usize,
}

/// Where a part stands.
struct Surroundings<'s> {
    in_terminal: bool,
    /// The arguments of the template of which it is a part.
    arguments: &'s [BoundArgument],
}

impl<'g, 'a> Lowering<'g, 'a> {
    /// A new rule, which derives the empty text until its body is set.
    fn rule(&mut self, name: String, at: Location) -> Result<RuleId, CompileError> {
        if self.rules.len() == MOST_RULES {
            return Err(too_big(place(at), "rules", MOST_RULES, SMALLER));
        }
        self.rules.push(Rule { name, at, body: Body::EMPTY });
        Ok(RuleId::new(self.rules.len() - 1))
    }

    /// Lowers what is not a template; the rule of the start.
    fn definitions(&mut self) -> Result<RuleId, CompileError> {
        let grammar = self.grammar;
        let rules = || grammar.definitions.iter().filter(|definition| definition.parameters.is_empty());
        for definition in rules() {
            let id = self.rule(grammar.names[definition.name].to_owned(), definition.at)?;
            self.ids.insert(definition.name, id);
        }
        if !grammar.ignored.is_empty() {
            self.ignored = Some(self.rule("%ignore".to_owned(), grammar.ignored_at)?);
        }
        for definition in rules() {
            let surroundings = Surroundings { in_terminal: definition.is_terminal, arguments: &[] };
            let body = self.node(&definition.body, &surroundings)?;
            self.rules[self.ids[&definition.name].index()].body = body;
        }
        let first = grammar.definitions.first().map_or(Location { line: 1, column: 1 }, |definition| definition.at);
        match grammar.ids.get(LARK_START).and_then(|name| self.ids.get(name)) {
            Some(&start) => Ok(start),
            None => Err(syntax(first, "no rule is named start, which derives the whole output; name one so")),
        }
    }

    /// The rule of whole outputs, with ignored text before the start.
    fn started(&mut self, start: RuleId) -> Result<RuleId, CompileError> {
        let Some(ignored) = self.ignored else { return Ok(start) };
        let surroundings = Surroundings { in_terminal: true, arguments: &[] };
        let grammar = self.grammar;
        let mut texts: Vec<_> =
            grammar.ignored.iter().map(|node| self.node(node, &surroundings)).collect::<Result<_, _>>()?;
        let text = if texts.len() == 1 { texts.remove(0) } else { Body::Choice(texts) };
        let max = grammar.options.ignore_once.then_some(1);
        self.rules[ignored.index()].body = Body::Repeat { min: 0, max, body: Box::new(text) };
        if !grammar.options.initial_skip {
            return Ok(start);
        }
        let output = self.rule("output".to_owned(), self.rules[start.index()].at)?;
        self.rules[output.index()].body = Body::Sequence(vec![Body::Rule(ignored), Body::Rule(start)]);
        Ok(output)
    }

    /// Lowers the instances of templates, which may use further ones.
    fn templates(&mut self) -> Result<(), CompileError> {
        while let Some(Instance { definition, rule, arguments }) = self.waiting.pop_front() {
            let surroundings = Surroundings { in_terminal: false, arguments: &arguments };
            let body = self.node(&self.grammar.definitions[definition].body, &surroundings)?;
            self.rules[rule.index()].body = body;
        }
        Ok(())
    }

    fn node(&mut self, node: &LarkNode<'a>, surroundings: &Surroundings) -> Result<Body, CompileError> {
        match node {
            LarkNode::Text(text) => {
                let body = self.literals.text(text);
                Ok(self.terminal(body, surroundings))
            }
            LarkNode::Lexeme(body) => Ok(self.terminal(body.clone(), surroundings)),
            LarkNode::Substring(chunks, at) => {
                let body = self.substring(chunks, *at)?;
                Ok(self.terminal(body, surroundings))
            }
            LarkNode::Name(name, at) => self.name(*name, *at, surroundings),
            LarkNode::Use(name, arguments, at) => Ok(Body::Rule(self.instance(*name, arguments, *at, surroundings)?)),
            LarkNode::Sequence(nodes) => {
                let mut parts = Vec::with_capacity(nodes.len());
                for node in nodes {
                    match self.node(node, surroundings)? {
                        Body::Sequence(inner) => parts.extend(inner),
                        part => parts.push(part),
                    }
                }
                Ok(Body::Sequence(parts))
            }
            LarkNode::Choice(nodes) => {
                Ok(Body::Choice(nodes.iter().map(|node| self.node(node, surroundings)).collect::<Result<_, _>>()?))
            }
            LarkNode::Repeat(min, max, node) => {
                let body = Box::new(self.node(node, surroundings)?);
                Ok(Body::Repeat { min: *min, max: *max, body })
            }
        }
    }

    /// A terminal, with ignored texts behind it in a rule.
    fn terminal(&self, body: Body, surroundings: &Surroundings) -> Body {
        match self.ignored {
            Some(ignored) if !surroundings.in_terminal => Body::Sequence(vec![body, Body::Rule(ignored)]),
            _ => body,
        }
    }

    fn name(&mut self, name: NameId, at: Location, surroundings: &Surroundings) -> Result<Body, CompileError> {
        if let Some(argument) = surroundings.arguments.iter().find(|argument| argument.parameter == name) {
            // Each use is a copy.
            self.size.add_part(at)?;
            self.size.add_characters(at, argument.characters)?;
            return Ok(argument.body.clone());
        }
        let body = Body::Rule(self.ids[&name]);
        let is_terminal = self.grammar.definition(name).is_some_and(|definition| definition.is_terminal);
        Ok(if is_terminal { self.terminal(body, surroundings) } else { body })
    }

    /// The rule of a template with these arguments.
    fn instance(
        &mut self,
        name: NameId,
        arguments: &[(&'a str, LarkNode<'a>)],
        at: Location,
        surroundings: &Surroundings,
    ) -> Result<RuleId, CompileError> {
        let definition = self.grammar.by_name[&name];
        let template = &self.grammar.definitions[definition];
        let mut bound = Vec::with_capacity(arguments.len());
        let mut label = format!("{}{{", self.grammar.names[name]);
        for (&parameter, (source, node)) in template.parameters.iter().zip(arguments) {
            let argument = self.argument(parameter, source, node, surroundings)?;
            let separator = if bound.is_empty() { "" } else { "," };
            label.push_str(separator);
            label.push_str(&argument.label);
            bound.push(argument);
        }
        label.push('}');
        // A template may use itself with ever longer arguments.
        self.size.add_part(at)?;
        self.size.add_characters(at, label.len())?;
        if let Some(&known) = self.instances.get(&label) {
            return Ok(known);
        }
        let rule = self.rule(label.clone(), template.at)?;
        self.instances.insert(label, rule);
        self.waiting.push_back(Instance { definition, rule, arguments: bound });
        Ok(rule)
    }

    fn argument(
        &mut self,
        parameter: NameId,
        source: &str,
        node: &LarkNode<'a>,
        surroundings: &Surroundings,
    ) -> Result<BoundArgument, CompileError> {
        let body = self.node(node, surroundings)?;
        let bound = match node {
            LarkNode::Name(name, _) => surroundings.arguments.iter().find(|argument| argument.parameter == *name),
            _ => None,
        };
        let (label, characters) = match (bound, &body, node) {
            (Some(argument), ..) => (argument.label.clone(), argument.characters),
            (_, Body::Rule(rule), LarkNode::Use(..)) => (self.rules[rule.index()].name.clone(), 0),
            (_, _, LarkNode::Name(..)) => (source.to_owned(), 0),
            _ => (source.to_owned(), source.len()),
        };
        Ok(BoundArgument { parameter, label, body, characters })
    }

    /// Any run of texts that stand side by side: for each text a rule that begins with it, or is empty.
    fn substring(&mut self, chunks: &[String], at: Location) -> Result<Body, CompileError> {
        let mut next: Option<RuleId> = None;
        let mut branches = vec![Body::EMPTY];
        for chunk in chunks.iter().rev() {
            self.size.add_part(at)?;
            let rule = self.rule("%regex".to_owned(), at)?;
            let text = self.literals.text(chunk);
            self.rules[rule.index()].body = match next {
                Some(next) => {
                    let rest = Body::Repeat { min: 0, max: Some(1), body: Box::new(Body::Rule(next)) };
                    Body::Sequence(vec![text, rest])
                }
                None => text,
            };
            branches.push(Body::Rule(rule));
            next = Some(rule);
        }
        Ok(if branches.len() == 1 { Body::EMPTY } else { Body::Choice(branches) })
    }
}
