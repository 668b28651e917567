//! `response_format` in the forms of OpenAI, llama.cpp and TGI, and TGI's `grammar`.

use jig_guides::Source;

use super::Constraints;
use super::members::Members;
use crate::protocol::fields::{Field, Refusal, nearest};

impl Constraints {
    /// A grammar as text, as llama.cpp has it, or TGI's `{"type": "json" | "regex", "value"}`.
    pub(super) fn grammar(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if !field.value.get().starts_with('{') {
            return self.grammar_text(field);
        }
        let entries = Members::of(field, &["type", "value"])?;
        let kind = entries.kind()?;
        let value = entries.demand("value")?;
        match kind.as_str() {
            "json" => self.json(value),
            "regex" => self.regex(value),
            "grammar" => self.grammar_text(value),
            other => Err(Refusal::value(
                &format!("{}.type", field.name),
                format_args!(r#"must be "json", "regex" or "grammar", not "{other}""#),
            )),
        }
    }

    pub(super) fn response_format(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        const KNOWN: [&str; 13] = [
            "type",
            "json_schema",
            "schema",
            "value",
            "regex",
            "pattern",
            "grammar",
            "ebnf",
            "gbnf",
            "lark",
            "name",
            "description",
            "strict",
        ];
        if Members::kind_of(field)? == "structural_tag" {
            return self.structural_tag(field);
        }
        let entries = Members::of(field, &KNOWN)?;
        let kind = entries.kind()?;
        match kind.as_str() {
            "text" => Ok(()),
            // With a schema it is llama.cpp's and TGI's form.
            "json_object" | "json" => match entries.get("schema").or_else(|| entries.get("value")) {
                Some(schema) => self.json(schema),
                None if kind == "json" => Err(entries.missing("value")),
                None => {
                    self.ask(field, Source::JsonObject);
                    Ok(())
                }
            },
            "json_schema" => match entries.get("json_schema").or_else(|| entries.get("value")) {
                Some(named) => self.named_schema(named),
                None => match entries.get("schema") {
                    Some(schema) => self.json(schema),
                    None => Err(entries.missing("json_schema")),
                },
            },
            "regex" => {
                let names = ["regex", "pattern", "value"];
                match names.iter().find_map(|name| entries.get(name)) {
                    Some(regex) => self.regex(regex),
                    None => Err(entries.missing("regex")),
                }
            }
            "grammar" | "ebnf" | "gbnf" | "lark" => {
                let names = ["grammar", kind.as_str(), "value"];
                match names.iter().find_map(|name| entries.get(name)) {
                    Some(grammar) => self.grammar_text(grammar),
                    None => Err(entries.missing("grammar")),
                }
            }
            other => {
                let kinds = ["text", "json_object", "json_schema", "regex", "grammar", "structural_tag"];
                let near = nearest(other, kinds.into_iter()).map(|near| format!("; did you mean \"{near}\"?"));
                let what = format!(
                    r#"must be "text", "json_object", "json_schema", "regex", "grammar" or "structural_tag", not "{other}"{}"#,
                    near.unwrap_or_default()
                );
                Err(Refusal::value(&format!("{}.type", field.name), what))
            }
        }
    }

    /// `{"name", "schema", "strict", "description"}`, or the bare schema in its place. Whether it is strict or not, it is enforced.
    fn named_schema(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        const OF_SCHEMAS: [&str; 6] = ["type", "properties", "$ref", "anyOf", "oneOf", "allOf"];
        if !field.value.get().starts_with('{') {
            return Err(field.must_be(r#"an object such as {"name": "answer", "schema": {...}}"#));
        }
        let members = field.object("an object")?;
        let has = |name: &str| members.iter().any(|member| member.name == name);
        if !has("schema") && OF_SCHEMAS.iter().any(|name| has(name)) {
            return self.json(field);
        }
        let entries = Members::of(field, &["name", "description", "schema", "strict"])?;
        entries.get("name").map(Field::string).transpose()?;
        entries.get("description").map(Field::string).transpose()?;
        entries.get("strict").map(Field::boolean).transpose()?;
        self.json(entries.demand("schema")?)
    }
}
