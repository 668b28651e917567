//! What every output must match: `schema`, `regex` and vLLM's `structured_outputs`.

use jig_guides::{Options, Source, Whitespace};

use super::body::Field;
use super::{Invalid, names};

/// What every output must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The field that asks for it, for errors.
    pub param: &'static str,
    /// The source of the guide.
    pub source: Source,
    /// How the guide is made of it.
    pub options: Options,
}

impl Constraint {
    fn new(param: &'static str, source: Source) -> Self {
        Self { param, source, options: Options::default() }
    }

    pub(super) fn schema(field: &Field<'_>) -> Result<Self, Invalid> {
        Ok(Self::new("schema", Source::JsonSchema(schema_text(field)?)))
    }

    pub(super) fn regex(field: &Field<'_>) -> Result<Self, Invalid> {
        Ok(Self::new("regex", Source::Regex(regex_text(field)?)))
    }

    /// `{"json" | "regex" | "choice" | "json_object": ...}`: exactly one of them.
    pub(super) fn structured_outputs(field: &Field<'_>) -> Result<Option<Self>, Invalid> {
        const PARAM: &str = "structured_outputs";
        const KEYS: [&str; 9] = [
            "json",
            "regex",
            "choice",
            "json_object",
            "grammar",
            "structural_tag",
            "disable_any_whitespace",
            "disable_additional_properties",
            "whitespace_pattern",
        ];
        let mut sources = Vec::new();
        let mut options = Options::default();
        for mut entry in field.object(r#"an object such as {"json": {...}} or {"choice": [...]}"#)? {
            let key = entry.name.clone();
            entry.name = format!("{PARAM}.{key}");
            if entry.is_null() && KEYS.contains(&key.as_str()) {
                continue;
            }
            let source = match key.as_str() {
                "json" => schema_text(&entry).map(Source::JsonSchema),
                "regex" => regex_text(&entry).map(Source::Regex),
                "choice" => choices(&entry).map(Source::Choice),
                "json_object" => match entry.boolean() {
                    Ok(true) => Ok(Source::JsonObject),
                    _ => Err(entry.must_be("true; leave it out otherwise")),
                },
                "disable_any_whitespace" => {
                    if entry.boolean().map_err(|error| error.within(PARAM))? {
                        options.whitespace = Whitespace::Compact;
                    }
                    continue;
                }
                "disable_additional_properties" => match entry.boolean() {
                    Ok(false) => continue,
                    Ok(true) => Err(Invalid::unsupported(
                        &entry.name,
                        r#"write "additionalProperties": false where the schema should have it"#,
                    )),
                    Err(error) => Err(error),
                },
                "whitespace_pattern" => {
                    Err(Invalid::unsupported(&entry.name, "leave it out, or use `disable_any_whitespace`"))
                }
                "grammar" | "structural_tag" => {
                    Err(Invalid::unsupported(&entry.name, "use `json`, `regex`, `choice` or `json_object`"))
                }
                _ => Err(Invalid::unknown(
                    &entry.name,
                    &match names::nearest(&key, KEYS.into_iter()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it may have {}", KEYS.join(", ")),
                    },
                )),
            };
            sources.push(source.map_err(|error| error.within(PARAM))?);
        }
        let mut sources = sources.into_iter();
        match (sources.next(), sources.next()) {
            (Some(source), None) => Ok(Some(Self { param: PARAM, source, options })),
            (None, _) => {
                Err(Invalid::value(PARAM, "must have one of `json`, `regex`, `choice` and `json_object`, and has none"))
            }
            (Some(_), Some(_)) => Err(Invalid::value(
                PARAM,
                "must have one of `json`, `regex`, `choice` and `json_object`, and has several",
            )),
        }
    }
}

/// The JSON text of a schema: the value as the client spelled it, or the text that it holds as a string.
fn schema_text(field: &Field<'_>) -> Result<String, Invalid> {
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

fn regex_text(field: &Field<'_>) -> Result<String, Invalid> {
    let regex = field.string()?;
    if regex.is_empty() {
        return Err(Invalid::value(
            &field.name,
            "is empty, which only the empty text matches; leave it out to get free text",
        ));
    }
    if let Some(place) = regex.chars().position(|character| character == '\0') {
        return Err(Invalid::value(
            &field.name,
            format_args!("has a NUL character (at character {place}); take it out"),
        ));
    }
    Ok(regex)
}

fn choices(field: &Field<'_>) -> Result<Vec<String>, Invalid> {
    let entries = field.list("a list of strings")?;
    if entries.is_empty() {
        return Err(field.must_be("a list of at least one string"));
    }
    entries.iter().map(Field::string).collect()
}
