//! Fields that say what an output must match, and in which form.

use super::body::Field;
use super::refusal::Refusal;

/// The value of a name.
pub(in crate::protocol) fn one_of<T: Copy>(field: &Field<'_>, known: &[(&str, T)]) -> Result<T, Refusal> {
    let names = known.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(" or ");
    let text = field.string().map_err(|_| field.must_be(&names))?;
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| field.must_be(&names))
}

/// The JSON text of a schema: the value as the client spelled it, or the text that it holds as a string.
pub(in crate::protocol) fn schema_text(field: &Field<'_>) -> Result<String, Refusal> {
    let what = "a JSON Schema: an object, a boolean, or a string that holds the JSON text of one";
    match field.value.get().as_bytes().first() {
        Some(b'{' | b't' | b'f') => Ok(field.value.get().to_owned()),
        Some(b'"') => {
            let text = field.string()?;
            if text.trim_ascii().is_empty() { Err(field.must_be(what)) } else { Ok(text) }
        }
        _ => Err(field.must_be(what)),
    }
}

/// The text of a grammar, in GBNF or Lark.
pub(in crate::protocol) fn grammar_text(field: &Field<'_>) -> Result<String, Refusal> {
    let grammar = field.string()?;
    if grammar.trim().is_empty() {
        return Err(Refusal::value(
            &field.name,
            "is empty; leave it out to get free text, or write a grammar such as root ::= \"yes\" | \"no\"",
        ));
    }
    Ok(grammar)
}

/// The text of a regular expression.
pub(in crate::protocol) fn regex_text(field: &Field<'_>) -> Result<String, Refusal> {
    let regex = field.string()?;
    if regex.is_empty() {
        return Err(Refusal::value(
            &field.name,
            "is empty, which only the empty text matches; leave it out to get free text",
        ));
    }
    if let Some(place) = regex.chars().position(|character| character == '\0') {
        return Err(Refusal::value(
            &field.name,
            format_args!("has a NUL character (at character {place}); take it out"),
        ));
    }
    Ok(regex)
}
