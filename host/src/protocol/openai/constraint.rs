//! What every output must match, in all spellings that clients have for it: OpenAI's `response_format`, vLLM's `structured_outputs` and
//! the older `guided_*`, SGLang's, llama.cpp's and TGI's forms, and the fields of `POST /generate`.
//!
//! A request has one constraint. Two spellings of the same one are fine; two different ones are refused, since one of them would be
//! ignored.

use jig_guides::{Formats, Options, Order, Source, Whitespace};

use super::closing;
use crate::protocol::fields::{Field, Refusal, nearest, one_of, regex_text, schema_text};
use crate::request::Constraint;

/// The names of the fields that [`Constraints::take`] reads.
pub(super) const NAMES: &[&str] = &[
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "guided_json_object",
    "guided_whitespace_pattern",
    "guided_decoding_backend",
    "json_schema",
    "schema",
    "regex",
    "grammar",
    "whitespace",
    "property_order",
    "formats",
];

/// The constraint that was read so far, and how its guide is made.
#[derive(Clone, Debug, Default)]
pub(super) struct Constraints {
    /// Each with the field that asks for it.
    asked: Vec<(String, Source)>,
    whitespace: Option<(String, Whitespace)>,
    order: Option<(String, Order)>,
    formats: Option<(String, Formats)>,
    /// The field that wants objects closed.
    closes: Option<String>,
}

/// A constraint, and the field that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) param: String,
    pub(super) constraint: Constraint,
}

impl Constraints {
    /// Reads a field that is not null. Returns whether it is one of [`NAMES`].
    pub(super) fn take(&mut self, field: &Field<'_>) -> Result<bool, Refusal> {
        match field.name.as_str() {
            "response_format" => self.response_format(field)?,
            "structured_outputs" => self.structured_outputs(field)?,
            "guided_json" | "json_schema" | "schema" => self.json(field)?,
            "guided_regex" | "regex" => self.regex(field)?,
            "guided_choice" => self.choice(field)?,
            "guided_json_object" => self.json_object(field)?,
            "guided_grammar" => return Err(no_grammar(field)),
            "grammar" => self.grammar(field)?,
            "guided_whitespace_pattern" => self.whitespace_pattern(field)?,
            // Which library makes the masks is this server's business.
            "guided_decoding_backend" => _ = field.string()?,
            "whitespace" | "property_order" | "formats" => self.option(field)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The one constraint.
    ///
    /// # Errors
    /// Two different ones, or an option of JSON where there is no JSON.
    pub(super) fn finish(self) -> Result<Option<Asked>, Refusal> {
        let mut asked = self.asked.into_iter();
        let first = asked.next();
        if let Some((param, source)) = &first
            && let Some((other, _)) = asked.find(|(_, other)| other != source)
        {
            let rest = format_args!("asks for another form of the output than `{param}`; give one of the two");
            return Err(Refusal::value(&other, rest));
        }
        let mut options = Options::default();
        let mut given = None;
        if let Some((param, whitespace)) = self.whitespace {
            (options.whitespace, given) = (whitespace, Some(param));
        }
        if let Some((param, order)) = self.order {
            (options.order, given) = (order, Some(param));
        }
        if let Some((param, formats)) = self.formats {
            (options.formats, given) = (formats, Some(param));
        }
        let is_json = matches!(&first, Some((_, Source::JsonSchema(_) | Source::JsonObject)));
        if let Some(param) = given.filter(|_| !is_json) {
            let rest = "is about JSON, and no schema is given; leave it out, or give a schema in `response_format`";
            return Err(Refusal::value(&param, rest));
        }
        let Some((param, mut source)) = first else {
            return match self.closes {
                None => Ok(None),
                Some(closes) => Err(Refusal::value(&closes, "is about a schema, and none is given")),
            };
        };
        if let Some(closes) = self.closes {
            let Source::JsonSchema(schema) = &source else {
                return Err(Refusal::value(&closes, "is about a schema, and none is given"));
            };
            source = Source::JsonSchema(closing::closed(schema).map_err(|why| Refusal::value(&closes, why))?);
        }
        Ok(Some(Asked { param, constraint: Constraint { source, options } }))
    }

    fn ask(&mut self, field: &Field<'_>, source: Source) {
        self.asked.push((field.name.clone(), source));
    }

    fn json(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.ask(field, Source::JsonSchema(schema_text(field)?));
        Ok(())
    }

    fn regex(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        self.ask(field, Source::Regex(regex_text(field)?));
        Ok(())
    }

    fn choice(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let entries = field.list("a list of strings")?;
        if entries.is_empty() {
            return Err(field.must_be("a list of at least one string"));
        }
        let choices = entries.iter().map(Field::string).collect::<Result<_, _>>()?;
        self.ask(field, Source::Choice(choices));
        Ok(())
    }

    /// `false` asks for nothing.
    fn json_object(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if field.boolean()? {
            self.ask(field, Source::JsonObject);
        }
        Ok(())
    }

    /// TGI's `{"type": "json" | "regex", "value"}`. A text is a grammar of llama.cpp.
    fn grammar(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if !field.value.get().starts_with('{') {
            return Err(no_grammar(field));
        }
        let entries = Members::of(field, &["type", "value"])?;
        let kind = entries.kind()?;
        let value = entries.demand("value")?;
        match kind.as_str() {
            "json" => self.json(value),
            "regex" => self.regex(value),
            _ => Err(no_grammar(field)),
        }
    }

    fn response_format(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        const KNOWN: [&str; 9] =
            ["type", "json_schema", "schema", "value", "regex", "pattern", "name", "description", "strict"];
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
            "grammar" | "lark" | "gbnf" => Err(no_grammar(field)),
            "structural_tag" => Err(Refusal::unsupported(
                &field.name,
                r#"of the type `structural_tag` it is none; use "json_schema", or `tools`"#,
            )),
            other => {
                let kinds = ["text", "json_object", "json_schema", "regex"];
                let near = nearest(other, kinds.into_iter()).map(|near| format!("; did you mean \"{near}\"?"));
                let what = format!(
                    r#"must be "text", "json_object", "json_schema" or "regex", not "{other}"{}"#,
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

    fn structured_outputs(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        const KNOWN: [&str; 12] = [
            "json",
            "regex",
            "choice",
            "json_object",
            "grammar",
            "structural_tag",
            "disable_any_whitespace",
            "disable_additional_properties",
            "whitespace_pattern",
            "whitespace",
            "property_order",
            "formats",
        ];
        let before = self.asked.len();
        let entries = Members::of(field, &KNOWN)?;
        for entry in &entries.members {
            match entry.name.rsplit('.').next().unwrap_or_default() {
                "json" => self.json(entry)?,
                "regex" => self.regex(entry)?,
                "choice" => self.choice(entry)?,
                "json_object" => self.json_object(entry)?,
                "disable_any_whitespace" => {
                    if entry.boolean()? {
                        self.set_whitespace(entry, Whitespace::Compact)?;
                    }
                }
                "disable_additional_properties" => {
                    if entry.boolean()? {
                        self.closes = Some(entry.name.clone());
                    }
                }
                "whitespace_pattern" => self.whitespace_pattern(entry)?,
                "grammar" => return Err(no_grammar(entry)),
                "structural_tag" => {
                    return Err(Refusal::unsupported(&entry.name, "use `json`, `regex`, `choice` or `json_object`"));
                }
                _ => self.option(entry)?,
            }
        }
        match self.asked.len() - before {
            0 => Err(Refusal::value(
                &field.name,
                "must have one of `json`, `regex`, `choice` and `json_object`, and has none",
            )),
            1 => Ok(()),
            _ => Err(Refusal::value(
                &field.name,
                "must have one of `json`, `regex`, `choice` and `json_object`, and has several",
            )),
        }
    }

    /// How JSON is written, by this server's own names.
    fn option(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let known = |name| field.name == name || field.name.ends_with(&format!(".{name}"));
        if known("whitespace") {
            let whitespace = one_of(
                field,
                &[
                    ("optional", Whitespace::Optional),
                    ("compact", Whitespace::Compact),
                    ("spaces", Whitespace::Spaces),
                    ("pretty", Whitespace::Pretty),
                    ("any", Whitespace::Any),
                ],
            )?;
            return self.set_whitespace(field, whitespace);
        }
        if known("property_order") {
            let order = one_of(field, &[("schema", Order::Schema), ("any", Order::Any)])?;
            self.order = Some((field.name.clone(), order));
        } else {
            let formats = one_of(field, &[("assert", Formats::Assert), ("annotate", Formats::Annotate)])?;
            self.formats = Some((field.name.clone(), formats));
        }
        Ok(())
    }

    /// A regex of the white space between the tokens of JSON. Those that clients send are known by their text: what stands for each is the
    /// richest that the regex allows, if it is not the regex itself.
    fn whitespace_pattern(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let whitespace = match field.string()?.as_str() {
            "" => Whitespace::Compact,
            " ?" | "[ ]?" | "[ ]{0,1}" | r"\s?" | r"[\s]?" | r"[\n ]?" | "[\n ]?" | r"[ \n]?" | " *" | "[ ]*"
            | r"[\n ]*" | "[\n ]*" | r"[ \n]*" => Whitespace::Optional,
            r"\s*" | r"[\s]*" | r"[\n\t ]*" | "[\n\t ]*" | r"[ \n\t]*" | "[ \n\t]*" | r"[ \t\n]*" | r"[ \t\n\r]*"
            | "[ \t\n\r]*" | r"[\t\n\r ]*" | r"[\n\r\t ]*" | r"[ \t\r\n]*" | r"[ \n\r\t]*" => Whitespace::Any,
            _ => {
                let rest = r#"is a pattern that is not known; use `whitespace` ("optional", "compact", "spaces", "pretty" or "any")"#;
                return Err(Refusal::value(&field.name, rest));
            }
        };
        self.set_whitespace(field, whitespace)
    }

    fn set_whitespace(&mut self, field: &Field<'_>, whitespace: Whitespace) -> Result<(), Refusal> {
        match &self.whitespace {
            Some((other, before)) if *before != whitespace => {
                Err(Refusal::value(&field.name, format_args!("says otherwise than `{other}`; give one of the two")))
            }
            _ => {
                self.whitespace = Some((field.name.clone(), whitespace));
                Ok(())
            }
        }
    }
}

/// The members of an object that are not null, each named by its path.
struct Members<'a> {
    name: String,
    members: Vec<Field<'a>>,
}

impl<'a> Members<'a> {
    fn of(field: &Field<'a>, known: &[&'static str]) -> Result<Self, Refusal> {
        let mut members = Vec::new();
        for mut member in field.object(r#"an object such as {"type": "json_schema", ...}"#)? {
            let path = format!("{}.{}", field.name, member.name);
            if !known.contains(&member.name.as_str()) {
                let remedy = match nearest(&member.name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it may have {}", known.join(", ")),
                };
                return Err(Refusal::unknown(&path, &remedy));
            }
            member.name = path;
            if !member.is_null() {
                members.push(member);
            }
        }
        Ok(Self { name: field.name.clone(), members })
    }

    fn get(&self, name: &str) -> Option<&Field<'a>> {
        let path = format!("{}.{name}", self.name);
        self.members.iter().find(|member| member.name == path)
    }

    fn demand(&self, name: &str) -> Result<&Field<'a>, Refusal> {
        self.get(name).ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Refusal {
        Refusal::missing(&format!("{}.{name}", self.name), "give it")
    }

    fn kind(&self) -> Result<String, Refusal> {
        self.demand("type")?.string()
    }
}

fn no_grammar(field: &Field<'_>) -> Refusal {
    Refusal::unsupported(&field.name, "a grammar is none yet; use a JSON Schema, a regex or a list of choices")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::fields;

    fn read(body: &Value) -> Result<Option<Asked>, Refusal> {
        let text = body.to_string();
        let mut constraints = Constraints::default();
        for field in fields::read(text.as_bytes())? {
            if !field.is_null() {
                assert!(constraints.take(&field)?, "{}", field.name);
            }
        }
        constraints.finish()
    }

    fn schema(text: &str) -> Source {
        Source::JsonSchema(text.to_owned())
    }

    #[test]
    fn each_spelling_asks_for_its_form() {
        let regex = || Source::Regex("a+".to_owned());
        let choice = || Source::Choice(vec!["a".to_owned(), "b".to_owned()]);
        let object = r#"{"type":"object"}"#;
        let cases = [
            (json!({"response_format": {"type": "json_object"}}), Source::JsonObject),
            (json!({"response_format": {"type": "json_object", "schema": {"type": "object"}}}), schema(object)),
            (json!({"response_format": {"type": "json_object", "schema": null}}), Source::JsonObject),
            (json!({"response_format": {"type": "json_object", "value": {"type": "object"}}}), schema(object)),
            (json!({"response_format": {"type": "json", "value": {"type": "object"}}}), schema(object)),
            (json!({"response_format": {"type": "json_schema", "schema": {"type": "object"}}}), schema(object)),
            (json!({"response_format": {"type": "json_schema", "json_schema": {"type": "object"}}}), schema(object)),
            (
                json!({"response_format": {"type": "json_schema", "json_schema":
                {"name": "Response[int]", "strict": null, "description": "d", "schema": {"type": "object"}}}}),
                schema(object),
            ),
            (
                json!({"response_format": {"type": "json_schema", "value": {"name": "x", "schema": {"type": "object"}}}}),
                schema(object),
            ),
            (json!({"response_format": {"type": "regex", "pattern": "a+"}}), regex()),
            (json!({"response_format": {"type": "regex", "value": "a+"}}), regex()),
            (json!({"structured_outputs": {"json": {"type": "object"}}}), schema(object)),
            (json!({"structured_outputs": {"json": object}}), schema(object)),
            (json!({"structured_outputs": {"regex": "a+", "json": null}}), regex()),
            (json!({"structured_outputs": {"choice": ["a", "b"]}}), choice()),
            (json!({"structured_outputs": {"json_object": true}}), Source::JsonObject),
            (json!({"guided_json": {"type": "object"}, "guided_decoding_backend": "xgrammar"}), schema(object)),
            (json!({"guided_json": object}), schema(object)),
            (json!({"guided_regex": "a+"}), regex()),
            (json!({"guided_choice": ["a", "b"]}), choice()),
            (json!({"guided_json_object": true}), Source::JsonObject),
            (json!({"json_schema": object}), schema(object)),
            (json!({"schema": true}), schema("true")),
            (json!({"regex": "a+"}), regex()),
            (json!({"grammar": {"type": "regex", "value": "a+"}}), regex()),
            (json!({"grammar": {"type": "json", "value": {"type": "object"}}}), schema(object)),
            // The same form twice is one.
            (json!({"guided_regex": "a+", "structured_outputs": {"regex": "a+"}}), regex()),
        ];
        for (body, source) in cases {
            let asked = read(&body).unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
            assert_eq!(asked.map(|asked| asked.constraint.source), Some(source), "{body}");
        }
        for free in [
            json!({}),
            json!({"response_format": null}),
            json!({"response_format": {"type": "text"}}),
            json!({"guided_json_object": false}),
        ] {
            assert_eq!(read(&free).unwrap(), None, "{free}");
        }
    }

    #[test]
    fn what_can_not_be_honoured_is_refused_with_its_path() {
        for (body, param, says) in [
            (json!({"response_format": "json"}), "response_format", "an object"),
            (json!({"response_format": {}}), "response_format.type", "missing"),
            (
                json!({"response_format": {"type": "json_shema"}}),
                "response_format.type",
                "did you mean \"json_schema\"",
            ),
            (json!({"response_format": {"type": "json_schema"}}), "response_format.json_schema", "missing"),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": null}}),
                "response_format.json_schema",
                "missing",
            ),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
                "response_format.json_schema.schema",
                "missing",
            ),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": 3}}}),
                "response_format.json_schema.schema",
                "JSON Schema",
            ),
            (
                json!({"response_format": {"type": "json_schema", "json_shema": {}}}),
                "response_format.json_shema",
                "did you mean",
            ),
            (json!({"response_format": {"type": "grammar", "value": "x"}}), "response_format", "not supported"),
            (json!({"response_format": {"type": "structural_tag"}}), "response_format", "not supported"),
            (json!({"structured_outputs": {}}), "structured_outputs", "has none"),
            (json!({"structured_outputs": {"json_object": false}}), "structured_outputs", "has none"),
            (json!({"structured_outputs": {"json": true, "regex": "a"}}), "structured_outputs", "has several"),
            (json!({"structured_outputs": {"grammar": "root ::= x"}}), "structured_outputs.grammar", "not supported"),
            (json!({"structured_outputs": {"jason": true}}), "structured_outputs.jason", "did you mean `json`?"),
            (json!({"structured_outputs": {"choice": []}}), "structured_outputs.choice", "at least one"),
            (json!({"structured_outputs": {"choice": [1]}}), "structured_outputs.choice[0]", "a string"),
            (json!({"guided_grammar": "root ::= x"}), "guided_grammar", "not supported"),
            (json!({"grammar": "root ::= x"}), "grammar", "not supported"),
            (json!({"guided_regex": ""}), "guided_regex", "empty"),
            (
                json!({"guided_regex": "a", "response_format": {"type": "json_object"}}),
                "response_format",
                "`guided_regex`",
            ),
            (
                json!({"guided_regex": "a", "structured_outputs": {"regex": "b"}}),
                "structured_outputs.regex",
                "`guided_regex`",
            ),
        ] {
            let refusal = read(&body).expect_err(&body.to_string());
            assert_eq!(refusal.param.as_deref(), Some(param), "{body}: {refusal}");
            assert!(refusal.message.contains(says), "{body}: {refusal}");
        }
    }

    #[test]
    fn how_json_is_written_is_asked_for_in_several_ways() {
        let whitespace = |body: Value| read(&body).map(|asked| asked.unwrap().constraint.options.whitespace);
        for (pattern, expected) in [
            ("", Whitespace::Compact),
            ("[ ]?", Whitespace::Optional),
            (r"[\n\t ]*", Whitespace::Any),
            ("[\n\t ]*", Whitespace::Any),
        ] {
            let body = json!({"guided_json": true, "guided_whitespace_pattern": pattern});
            assert_eq!(whitespace(body), Ok(expected), "{pattern:?}");
            let body = json!({"structured_outputs": {"json": true, "whitespace_pattern": pattern}});
            assert_eq!(whitespace(body), Ok(expected), "{pattern:?}");
        }
        let compact = json!({"structured_outputs": {"json": true, "disable_any_whitespace": true}});
        assert_eq!(whitespace(compact), Ok(Whitespace::Compact));
        let pretty = json!({"response_format": {"type": "json_object"}, "whitespace": "pretty"});
        assert_eq!(whitespace(pretty), Ok(Whitespace::Pretty));
        let inside = json!({"structured_outputs": {"json": true, "whitespace": "any", "property_order": "any"}});
        assert_eq!(whitespace(inside), Ok(Whitespace::Any));
        for (body, param) in [
            (json!({"guided_json": true, "guided_whitespace_pattern": "x*"}), "guided_whitespace_pattern"),
            (
                json!({"guided_json": true, "whitespace": "any", "guided_whitespace_pattern": ""}),
                "guided_whitespace_pattern",
            ),
            (json!({"guided_regex": "a", "whitespace": "any"}), "whitespace"),
            (json!({"formats": "annotate"}), "formats"),
        ] {
            let refusal = read(&body).expect_err(&body.to_string());
            assert_eq!(refusal.param.as_deref(), Some(param), "{body}: {refusal}");
        }
    }

    #[test]
    fn objects_are_closed_where_asked() {
        let body = json!({"structured_outputs": {"json": {"type": "object"}, "disable_additional_properties": true}});
        let expected = schema(r#"{"type":"object","additionalProperties":false}"#);
        assert_eq!(read(&body).unwrap().unwrap().constraint.source, expected);
        let body = json!({"structured_outputs": {"regex": "a", "disable_additional_properties": true}});
        assert!(read(&body).unwrap_err().message.contains("about a schema"));
    }
}
