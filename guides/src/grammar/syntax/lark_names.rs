//! Checks the names of a Lark grammar: each is defined, and used as it is defined.

use crate::error::CompileError;
use crate::grammar::rules::Location;
use crate::grammar::syntax::cursor::{syntax, unsupported};
use crate::grammar::syntax::lark_tree::{LarkDefinition, LarkGrammar, LarkNode, NameId};

/// Checks all definitions, also templates that are not used.
pub(super) fn check(grammar: &LarkGrammar) -> Result<(), CompileError> {
    for definition in &grammar.definitions {
        check_node(grammar, &definition.parameters, &definition.body)?;
    }
    for ignored in &grammar.ignored {
        check_node(grammar, &[], ignored)?;
    }
    check_recursion(grammar)
}

fn check_node(grammar: &LarkGrammar, parameters: &[NameId], node: &LarkNode) -> Result<(), CompileError> {
    match node {
        LarkNode::Text(_) | LarkNode::Lexeme(_) | LarkNode::Substring(..) => Ok(()),
        LarkNode::Name(name, at) => check_use(grammar, parameters, *name, None, *at),
        LarkNode::Use(name, arguments, at) => {
            check_use(grammar, parameters, *name, Some(arguments.len()), *at)?;
            arguments.iter().try_for_each(|(_, argument)| check_node(grammar, parameters, argument))
        }
        LarkNode::Sequence(parts) | LarkNode::Choice(parts) => {
            parts.iter().try_for_each(|part| check_node(grammar, parameters, part))
        }
        LarkNode::Repeat(_, _, body) => check_node(grammar, parameters, body),
    }
}

/// Checks a name that is used with a number of arguments, or without.
fn check_use(
    grammar: &LarkGrammar,
    parameters: &[NameId],
    name: NameId,
    arguments: Option<usize>,
    at: Location,
) -> Result<(), CompileError> {
    let written = grammar.names[name];
    if parameters.contains(&name) {
        return match arguments {
            None => Ok(()),
            Some(_) => Err(unsupported(
                at,
                format!("parameter {written}"),
                "a parameter has no arguments; use the template by its name",
            )),
        };
    }
    let Some(definition) = grammar.definition(name) else {
        let reason = match written.chars().any(|c| c.is_ascii_uppercase()) {
            true => {
                format!("no terminal is named {written}; define it, import it from common, or put a literal in quotes")
            }
            false => format!("no rule is named {written}; define it with {written}: ..., or put a literal in quotes"),
        };
        return Err(syntax(at, reason));
    };
    let line = definition.at.line;
    match (definition.parameters.len(), arguments) {
        (0, None) => Ok(()),
        (0, Some(_)) => {
            Err(syntax(at, format!("{written}, defined on line {line}, has no parameters; write it without '{{'")))
        }
        (expected, Some(given)) if given == expected => Ok(()),
        (expected, given) => Err(syntax(
            at,
            format!(
                "{written}, defined on line {line}, takes as many arguments in '{{' and '}}' as it has parameters, {expected}, not {}",
                given.unwrap_or(0)
            ),
        )),
    }
}

/// Checks that no terminal is made of itself.
fn check_recursion(grammar: &LarkGrammar) -> Result<(), CompileError> {
    /// How far a terminal was followed. It is on the way from the first one while it is begun.
    #[derive(Clone, Copy, PartialEq)]
    enum Followed {
        Not,
        Begun,
        Done,
    }
    let mut followed = vec![Followed::Not; grammar.definitions.len()];
    for first in 0..grammar.definitions.len() {
        // Deep chains of terminals are followed without recursion.
        let mut path = vec![first];
        while let Some(&index) = path.last() {
            let definition = &grammar.definitions[index];
            if !definition.is_terminal || followed[index] != Followed::Not {
                followed[index] = Followed::Done;
                path.pop();
                continue;
            }
            followed[index] = Followed::Begun;
            for (name, at) in names(definition) {
                let Some(&next) = grammar.by_name.get(&name) else { continue };
                match followed[next] {
                    Followed::Not => path.push(next),
                    Followed::Begun => {
                        let written = grammar.names[name];
                        let reason = format!(
                            "the terminal {written} is made of itself; make it a rule, with lower-case letters"
                        );
                        return Err(syntax(at, reason));
                    }
                    Followed::Done => {}
                }
            }
        }
    }
    Ok(())
}

/// The names in a definition.
fn names(definition: &LarkDefinition) -> Vec<(NameId, Location)> {
    fn collect(node: &LarkNode, found: &mut Vec<(NameId, Location)>) {
        match node {
            LarkNode::Text(_) | LarkNode::Lexeme(_) | LarkNode::Substring(..) => {}
            LarkNode::Name(name, at) => found.push((*name, *at)),
            LarkNode::Use(_, arguments, _) => arguments.iter().for_each(|(_, argument)| collect(argument, found)),
            LarkNode::Sequence(parts) | LarkNode::Choice(parts) => parts.iter().for_each(|part| collect(part, found)),
            LarkNode::Repeat(_, _, body) => collect(body, found),
        }
    }
    let mut found = Vec::new();
    collect(&definition.body, &mut found);
    found
}
