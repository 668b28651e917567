//! Grammars in a compact form, for tests.

use crate::automaton::expression::Expression;
use crate::grammar::rules::{Body, Grammar};
use std::fmt::Write;

/// The rules, each on a line, and first the name of the one that derives outputs if it is not the first.
pub(crate) fn show(grammar: &Grammar) -> String {
    let mut lines = Vec::new();
    for (index, rule) in grammar.rules.iter().enumerate() {
        let mark = if index == grammar.start.index() { "> " } else { "" };
        lines.push(format!("{mark}{} = {}", rule.name, body(grammar, &rule.body)));
    }
    lines.join("\n")
}

fn body(grammar: &Grammar, shown: &Body) -> String {
    let all = |parts: &[Body], between: &str| {
        let parts: Vec<_> = parts.iter().map(|part| body(grammar, part)).collect();
        format!("({})", parts.join(between))
    };
    match shown {
        Body::Text(expression) => text(expression),
        Body::Regex { pattern, .. } => format!("/{pattern}/"),
        Body::Rule(id) => grammar.rules[id.index()].name.clone(),
        Body::Json { schema, .. } => format!("json {schema}"),
        Body::Token { id, .. } => format!("<{id}>"),
        Body::Sequence(parts) => all(parts, " "),
        Body::Choice(parts) => all(parts, " | "),
        Body::Repeat { min, max, body: inner } => {
            let max = max.map_or(String::new(), |max| max.to_string());
            format!("{}{{{min},{max}}}", body(grammar, inner))
        }
    }
}

fn text(expression: &Expression) -> String {
    match expression {
        Expression::Concat(parts) => {
            let parts: String = parts.iter().map(text).collect();
            format!("{:?}", parts.replace('\'', ""))
        }
        Expression::Set(set) => match set.as_slice() {
            [(low, high)] if low == high => format!("'{}'", character(*low)),
            ranges => {
                let mut shown = String::new();
                for &(low, high) in ranges {
                    let _ = match low == high {
                        true => write!(shown, "{}", character(low)),
                        false => write!(shown, "{}-{}", character(low), character(high)),
                    };
                }
                format!("[{shown}]")
            }
        },
        other => format!("{other:?}"),
    }
}

fn character(code: u32) -> String {
    match char::from_u32(code) {
        Some(c) if c.is_ascii_graphic() || c == ' ' => c.to_string(),
        _ => format!("<{code:X}>"),
    }
}
