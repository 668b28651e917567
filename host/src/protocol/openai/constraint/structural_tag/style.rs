//! The ways in which the members of an object are written.

use std::borrow::Cow;

use jig_guides::{Delimiters, Options, Order, Style, Values, Whitespace};

use crate::protocol::fields::{Field, Refusal, nearest};

/// `<parameter=K>\nV\n</parameter>`, a line feed between two.
pub(super) const QWEN: Style = xml("<parameter=", ">\n", "\n</parameter>", "\n");

/// The styles that a guide enforces; `None` for JSON.
const STYLES: [(&str, Option<Style>); 6] = [
    ("json", None),
    ("qwen_xml", Some(QWEN)),
    ("minimax_xml", Some(xml("<parameter name=\"", "\">", "</parameter>", "\n"))),
    ("glm_xml", Some(xml("<arg_key>", "</arg_key><arg_value>", "</arg_value>", ""))),
    ("deepseek_xml", Some(dsml("<｜DSML｜parameter name=\"", "</｜DSML｜parameter>"))),
    ("deepseek_v4_1_xml", Some(dsml("<｜DSML｜ parameter name=\"", "</｜DSML｜ parameter>"))),
];

/// Those that XGrammar has and no guide enforces.
const OTHERS: [&str; 4] = ["cohere_xml", "kimi_k3_xml", "minimax_m3_xml", "gemma"];

const fn delimiters(
    member: &'static str,
    (before_string, before_other): (&'static str, &'static str),
    after: &'static str,
    separator: &'static str,
) -> Style {
    Style::Delimited(Delimiters {
        member: Cow::Borrowed(member),
        before_string: Cow::Borrowed(before_string),
        after_string: Cow::Borrowed(after),
        before_other: Cow::Borrowed(before_other),
        after_other: Cow::Borrowed(after),
        separator: Cow::Borrowed(separator),
        values: Values::Raw,
    })
}

const fn xml(member: &'static str, before: &'static str, after: &'static str, separator: &'static str) -> Style {
    delimiters(member, (before, before), after, separator)
}

const fn dsml(member: &'static str, after: &'static str) -> Style {
    delimiters(member, ("\" string=\"true\">", "\" string=\"false\">"), after, "\n")
}

/// The style of this name; `None` for JSON.
pub(super) fn read(field: &Field<'_>) -> Result<Option<Style>, Refusal> {
    let name = field.string()?;
    if let Some((_, style)) = STYLES.iter().find(|(known, _)| *known == name) {
        return Ok(style.clone());
    }
    let known = STYLES.map(|(known, _)| known);
    if OTHERS.contains(&name.as_str()) {
        let rest = format_args!("is \"{name}\", which no guide enforces yet; there are {}", known.join(", "));
        return Err(Refusal { code: "unsupported", ..Refusal::value(&field.name, rest) });
    }
    let near = nearest(&name, known.into_iter()).map(|near| format!("; did you mean \"{near}\"?"));
    let rest = format_args!("is \"{name}\"; there are {}{}", known.join(", "), near.unwrap_or_default());
    Err(Refusal::value(&field.name, rest))
}

/// The options of a value that asks for an order or a white space of its own.
pub(super) fn options(any_order: bool, is_compact: bool) -> Option<Options> {
    let mut options = Options::default();
    if any_order {
        options.order = Order::Any;
    }
    if is_compact {
        options.whitespace = Whitespace::Compact;
    }
    (any_order || is_compact).then_some(options)
}
