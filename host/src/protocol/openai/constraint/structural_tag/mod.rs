//! Structural tags: outputs in which free text and guided text alternate, as clients of vLLM and SGLang describe them.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the two forms: `{"structures", "triggers"}`, and `{"format"}` with a tree |
//! | `format` | the tree: each kind of format to a part of an output |
//! | `tag` | a beginning, a content and its ends |
//! | `style` | the ways in which the members of an object are written |
//!
//! The tree is that of XGrammar 0.2 (`structural_tag.py`). What a guide can't hold an output to is refused by its path and its name.

mod format;
mod style;
mod tag;

use jig_guides::{After, Marker, Part, TriggeredTags};

use super::members::Members;
use crate::protocol::fields::{Field, Refusal};

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StructuralTag {
    /// The output. Its texts may spell special tokens: see [`SpecialTokens::resolved`](crate::output::SpecialTokens::resolved).
    pub(super) part: Part,
    /// The tokens that are asked for by name, each with its path.
    pub(super) tokens: Vec<(String, String)>,
    /// The path of an option of its own of how JSON is written, if it has one.
    pub(super) option: Option<String>,
}

/// Reads a structural tag: an object, or a string that holds the JSON text of one.
///
/// # Errors
/// What is none, and what no guide enforces.
pub(super) fn read(field: &Field<'_>) -> Result<StructuralTag, Refusal> {
    if field.value.get().starts_with('"') {
        let text = field.string()?;
        let value = serde_json::from_str(&text);
        let value = value.map_err(|error| Refusal::value(&field.name, format_args!("holds no JSON text: {error}")))?;
        return read(&Field { name: field.name.clone(), value });
    }
    let members = Members::of(field, &["type", "structures", "triggers", "format"])?;
    if let Some(kind) = members.get("type")
        && kind.string()? != "structural_tag"
    {
        return Err(kind.must_be("\"structural_tag\""));
    }
    let mut reader = Reader::default();
    let part = match (members.get("format"), members.get("structures")) {
        (Some(_), Some(structures)) => {
            let rest = "is the older form of `format`; give one of the two";
            return Err(Refusal::value(&structures.name, rest));
        }
        (Some(format), None) => {
            if let Some(triggers) = members.get("triggers") {
                return Err(Refusal::value(&triggers.name, "belongs to `structures`; leave it out beside `format`"));
            }
            reader.format(format, 0)?
        }
        (None, Some(structures)) => reader.structures(structures, members.demand("triggers")?)?,
        (None, None) => {
            let remedy = r#"give a format such as {"type": "triggered_tags", "triggers": [...], "tags": [...]}"#;
            return Err(Refusal::missing(&format!("{}.format", field.name), remedy));
        }
    };
    Ok(StructuralTag { part, tokens: reader.tokens, option: reader.option })
}

/// Reads formats, and notes what is not of the part itself.
#[derive(Default)]
struct Reader {
    tokens: Vec<(String, String)>,
    option: Option<String>,
}

impl Reader {
    /// The older form: free text, in which a trigger begins one of the structures.
    fn structures(&mut self, structures: &Field<'_>, triggers: &Field<'_>) -> Result<Part, Refusal> {
        let mut tags = Vec::new();
        for structure in structures.list(r#"a list of {"begin", "schema", "end"}"#)? {
            let members = Members::of(&structure, &["begin", "schema", "end"])?;
            let begin = members.demand("begin")?.string()?;
            let schema = crate::protocol::fields::schema_text(members.demand("schema")?)?;
            let ends = match members.get("end").map(Field::string).transpose()?.unwrap_or_default() {
                end if end.is_empty() => Vec::new(),
                end => vec![Marker::text(end)],
            };
            tags.push(tag::closed(Marker::text(begin), Part::json(schema), ends));
        }
        if tags.is_empty() {
            return Err(structures.must_be("a list of at least one structure"));
        }
        let triggers = markers(triggers)?;
        if triggers.is_empty() {
            return Err(Refusal::value(&structures.name, "needs `triggers`, at least one"));
        }
        Ok(Part::triggered(TriggeredTags {
            triggers,
            tags,
            excludes: Vec::new(),
            min: 0,
            max: None,
            after: After::Free,
        }))
    }
}

/// Texts, none of them empty.
fn markers(field: &Field<'_>) -> Result<Vec<Marker>, Refusal> {
    Ok(field.strings(false)?.into_iter().map(Marker::Text).collect())
}

#[cfg(test)]
mod tests;
