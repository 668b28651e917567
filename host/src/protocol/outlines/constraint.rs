//! What every output must match: `schema`, `regex` and vLLM's `structured_outputs`.

use jig_guides::{Digits, Formats, Options, Order, Source, Whitespace};

use crate::protocol::fields::{Field, Refusal, grammar_text, nearest, one_of, regex_text, schema_text};
use crate::request::Constraint;

/// A constraint and the field that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The field, for errors.
    pub(super) param: &'static str,
    /// What it asks for.
    pub(super) constraint: Constraint,
}

impl Asked {
    fn new(param: &'static str, source: Source) -> Self {
        Self { param, constraint: Constraint { source, options: Options::default() } }
    }

    pub(super) fn schema(field: &Field<'_>) -> Result<Self, Refusal> {
        Ok(Self::new("schema", Source::JsonSchema(schema_text(field)?)))
    }

    pub(super) fn regex(field: &Field<'_>) -> Result<Self, Refusal> {
        Ok(Self::new("regex", Source::Regex(regex_text(field)?)))
    }

    pub(super) fn grammar(field: &Field<'_>) -> Result<Self, Refusal> {
        Ok(Self::new("grammar", Source::Grammar(grammar_text(field)?)))
    }

    /// `{"json" | "regex" | "choice" | "json_object" | "grammar": ...}`: exactly one of them.
    pub(super) fn structured_outputs(field: &Field<'_>) -> Result<Option<Self>, Refusal> {
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
                    Ok(true) => Err(Refusal::unsupported(
                        &entry.name,
                        r#"write "additionalProperties": false where the schema should have it"#,
                    )),
                    Err(error) => Err(error),
                },
                "whitespace_pattern" => {
                    Err(Refusal::unsupported(&entry.name, "leave it out, or use `disable_any_whitespace`"))
                }
                "grammar" => grammar_text(&entry).map(Source::Grammar),
                "structural_tag" => {
                    Err(Refusal::unsupported(&entry.name, "use `json`, `regex`, `choice`, `json_object` or `grammar`"))
                }
                _ => Err(Refusal::unknown(
                    &entry.name,
                    &match nearest(&key, KEYS.into_iter()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it may have {}", KEYS.join(", ")),
                    },
                )),
            };
            sources.push(source.map_err(|error| error.within(PARAM))?);
        }
        let mut sources = sources.into_iter();
        match (sources.next(), sources.next()) {
            (Some(source), None) => Ok(Some(Self { param: PARAM, constraint: Constraint { source, options } })),
            (None, _) => Err(Refusal::value(
                PARAM,
                "must have one of `json`, `regex`, `choice`, `json_object` and `grammar`, and has none",
            )),
            (Some(_), Some(_)) => Err(Refusal::value(
                PARAM,
                "must have one of `json`, `regex`, `choice`, `json_object` and `grammar`, and has several",
            )),
        }
    }
}

/// How guides are made, beside what they must match: the fields of a request that say so.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    options: Options,
    /// The fields that were given.
    given: Vec<&'static str>,
}

impl Choices {
    pub(super) fn whitespace(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let known = [
            ("optional", Whitespace::Optional),
            ("compact", Whitespace::Compact),
            ("spaces", Whitespace::Spaces),
            ("pretty", Whitespace::Pretty),
            ("any", Whitespace::Any),
        ];
        self.options.whitespace = one_of(field, &known)?;
        self.given.push("whitespace");
        Ok(())
    }

    pub(super) fn property_order(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.options.order = one_of(field, &[("schema", Order::Schema), ("any", Order::Any)])?;
        self.given.push("property_order");
        Ok(())
    }

    pub(super) fn formats(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.options.formats = one_of(field, &[("assert", Formats::Assert), ("annotate", Formats::Annotate)])?;
        self.given.push("formats");
        Ok(())
    }

    pub(super) fn digits(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.options.digits = Some(one_of(field, &[("bounded", Digits::Bounded), ("any", Digits::Any)])?);
        self.given.push("digits");
        Ok(())
    }

    /// Has a constraint made so.
    ///
    /// # Errors
    /// Where a field was given and there is no JSON that it could be about.
    pub(super) fn apply(self, asked: &mut Option<Asked>) -> Result<(), Refusal> {
        let Some(field) = self.given.first() else { return Ok(()) };
        match asked {
            Some(Asked { constraint, .. })
                if matches!(constraint.source, Source::JsonSchema(_) | Source::JsonObject) =>
            {
                let compact = constraint.options.whitespace == Whitespace::Compact;
                if compact && self.given.contains(&"whitespace") && self.options.whitespace != Whitespace::Compact {
                    let rest = "says otherwise than `structured_outputs.disable_any_whitespace`; give one of the two";
                    return Err(Refusal::value("whitespace", rest));
                }
                constraint.options = self.options;
                if compact {
                    constraint.options.whitespace = Whitespace::Compact;
                }
                Ok(())
            }
            _ => Err(Refusal::value(field, "is about JSON, and no schema is given; leave it out, or give `schema`")),
        }
    }
}

fn choices(field: &Field<'_>) -> Result<Vec<String>, Refusal> {
    let entries = field.list("a list of strings")?;
    if entries.is_empty() {
        return Err(field.must_be("a list of at least one string"));
    }
    entries.iter().map(Field::string).collect()
}
