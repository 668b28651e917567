//! Reads the tables in `tests/data`. Their `README.md` describes the fields of an entry.

use jig_guides::{
    CompileError, Compiler, Digits, Formats, Guide, Limits, Options, Order, Source, Vocabulary, Whitespace,
};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// The names of the tables.
pub const TABLES: [&str; 17] = [
    "strings",
    "patterns",
    "numbers",
    "multiples",
    "digits",
    "arrays",
    "objects",
    "combining",
    "conditions",
    "contradictions",
    "formats",
    "masks",
    "shortest",
    "limits",
    "refused",
    "regex",
    "unique",
];

/// An entry of a table.
pub struct Case {
    /// The file and the name of the entry.
    pub name: String,
    pub source: Source,
    pub options: Options,
    pub limits: Limits,
    /// A vocabulary of its own, instead of the tests' one.
    pub tokens: Option<Vec<String>>,
    /// Values with a spelling that is an answer, and values without one.
    pub valid: Vec<Value>,
    pub invalid: Vec<Value>,
    /// Texts that are answers, and texts that are not, byte for byte.
    pub valid_text: Vec<String>,
    pub invalid_text: Vec<String>,
    /// Beginnings of answers after which masks are checked.
    pub beginnings: Vec<String>,
    /// A shortest answer.
    pub shortest: Option<String>,
    /// The expected error of a source that is refused.
    pub refused: Option<Value>,
    /// Whether the independent validator is known to judge this schema otherwise.
    pub unvalidated: bool,
}

/// The entries of all tables.
pub fn all() -> Vec<Case> {
    TABLES.iter().flat_map(|table| read(table)).collect()
}

/// The entries with a schema that is not refused, and with the default options and limits.
pub fn plain() -> Vec<Case> {
    let usual = |case: &Case| case.options == Options::default() && case.limits == Limits::default();
    let is_plain = |case: &Case| usual(case) && case.refused.is_none() && matches!(case.source, Source::JsonSchema(_));
    all().into_iter().filter(is_plain).collect()
}

/// An independent implementation of JSON Schema.
pub fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

/// The entries of one table.
pub fn read(table: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{table}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entries: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Vec<Case> = entries.as_array().expect("an array").iter().map(|entry| Case::new(table, entry)).collect();
    for (index, case) in cases.iter().enumerate() {
        assert!(cases[..index].iter().all(|other| other.name != case.name), "{}: the name is not unique", case.name);
    }
    cases
}

const FIELDS: [&str; 14] = [
    "name",
    "schema",
    "regex",
    "options",
    "limits",
    "tokens",
    "valid",
    "invalid",
    "valid_text",
    "invalid_text",
    "refused",
    "beginnings",
    "shortest",
    "unvalidated",
];

impl Case {
    fn new(table: &str, entry: &Value) -> Case {
        let name = format!("{table}.json: {}", entry["name"].as_str().expect("a name"));
        let fields = entry.as_object().expect("an object");
        let unknown = fields.keys().find(|field| !FIELDS.contains(&field.as_str()));
        assert!(unknown.is_none(), "{name}: unknown field {unknown:?}");
        let source = match (entry.get("schema"), entry.get("regex")) {
            (Some(schema), None) => Source::JsonSchema(schema.to_string()),
            (None, Some(regex)) => Source::Regex(regex.as_str().expect("a regex").to_owned()),
            _ => panic!("{name}: either a schema or a regex"),
        };
        let values = |field: &str| match entry.get(field) {
            None => Vec::new(),
            Some(list) => list.as_array().unwrap_or_else(|| panic!("{name}: {field} is a list")).clone(),
        };
        let texts = |field: &str| {
            let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{name}: {field} has texts")).to_owned();
            values(field).iter().map(text).collect::<Vec<String>>()
        };
        let case = Case {
            options: options(&name, entry.get("options").and_then(Value::as_object).unwrap_or(&Map::new())),
            limits: limits(&name, entry.get("limits").and_then(Value::as_object).unwrap_or(&Map::new())),
            tokens: entry.get("tokens").is_some().then(|| texts("tokens")),
            valid: values("valid"),
            invalid: values("invalid"),
            valid_text: texts("valid_text"),
            invalid_text: texts("invalid_text"),
            beginnings: texts("beginnings"),
            shortest: entry.get("shortest").map(|text| text.as_str().expect("a text").to_owned()),
            refused: entry.get("refused").cloned(),
            unvalidated: entry.get("unvalidated").is_some(),
            source,
            name,
        };
        let answers = case.valid.len() + case.valid_text.len();
        assert_eq!(answers == 0, case.refused.is_some(), "{}: it has valid answers, or it is refused", case.name);
        case
    }

    /// The schema.
    pub fn schema(&self) -> Value {
        match &self.source {
            Source::JsonSchema(schema) => serde_json::from_str(schema).expect("JSON"),
            _ => panic!("{} has no schema", self.name),
        }
    }

    /// The independent validator, if it enforces all keywords of the schema.
    pub fn validator(&self) -> Option<jsonschema::Validator> {
        let schema = self.schema();
        // It accepts nearly any text as an `idn-hostname`.
        (!self.unvalidated && !schema.to_string().contains("idn-hostname")).then(|| validator(&schema))
    }

    /// Compiles the source for the entry's vocabulary or, if it has none, for this one.
    pub fn compile(&self, vocabulary: &Arc<Vocabulary>) -> Result<Guide, CompileError> {
        let own = self.tokens.as_ref().map(|tokens| {
            let tokens = tokens.iter().map(|token| Some(token.clone().into_bytes())).chain([None]).collect::<Vec<_>>();
            let end = tokens.len() as u32 - 1;
            Arc::new(Vocabulary::new(tokens, vec![end]).expect("a vocabulary"))
        });
        let vocabulary = own.unwrap_or_else(|| vocabulary.clone());
        Compiler::new(vocabulary, self.limits.clone()).compile(&self.source, &self.options)
    }
}

fn options(name: &str, given: &Map<String, Value>) -> Options {
    let mut options = Options::default();
    for (field, value) in given {
        match (field.as_str(), value.as_str().unwrap_or_default()) {
            ("digits", "any") => options.digits = Some(Digits::Any),
            ("formats", "annotate") => options.formats = Formats::Annotate,
            ("order", "any") => options.order = Order::Any,
            ("whitespace", "any") => options.whitespace = Whitespace::Any,
            ("whitespace", "compact") => options.whitespace = Whitespace::Compact,
            ("whitespace", "pretty") => options.whitespace = Whitespace::Pretty,
            ("whitespace", "spaces") => options.whitespace = Whitespace::Spaces,
            _ => panic!("{name}: unknown option {field}: {value}"),
        }
    }
    options
}

fn limits(name: &str, given: &Map<String, Value>) -> Limits {
    let mut limits = Limits::default();
    for (field, value) in given {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match field.as_str() {
            "string_length" => limits.string_length = number,
            "array_length" => limits.array_length = number,
            _ => panic!("{name}: unknown limit {field}"),
        }
    }
    limits
}

/// An error in the form of the tables: its kind and its fields.
pub fn refusal(error: &CompileError) -> Value {
    let place = |at: &jig_guides::Place| at.to_string();
    match error {
        CompileError::Syntax { at, reason } => {
            serde_json::json!({"as": "syntax", "at": place(at), "reason": reason})
        }
        CompileError::Unsupported { at, keyword, reason } => {
            serde_json::json!({"as": "unsupported", "at": place(at), "keyword": keyword, "reason": reason})
        }
        CompileError::Unsatisfiable { pointers, reason } => {
            serde_json::json!({"as": "unsatisfiable", "pointers": pointers, "reason": reason})
        }
        CompileError::TooBig { at, limit, allowed, remedy } => {
            serde_json::json!({"as": "too big", "at": place(at), "limit": limit, "allowed": allowed, "remedy": remedy})
        }
        CompileError::TooSlow { limit } => serde_json::json!({"as": "too slow", "limit": limit.as_secs_f64()}),
        CompileError::Interrupted => serde_json::json!({"as": "interrupted"}),
        CompileError::Vocabulary { at, what, byte } => {
            serde_json::json!({"as": "vocabulary", "at": place(at), "what": what, "byte": byte})
        }
    }
}
