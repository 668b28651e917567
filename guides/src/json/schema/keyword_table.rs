//! The table of the keywords of JSON Schema: what each does, and where its value holds schemas.
//!
//! The search for schemas that references may name goes by it, and so does the report of the parts of a schema that are enforced.

use crate::json::language::format;

/// The role of a name in a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It constrains values, or refers to a schema that does.
    Constraint,
    /// It names, identifies or describes, and constrains nothing.
    Annotation,
    /// No draft defines it; it constrains nothing, as the specification says.
    Unknown,
}

/// Keywords that constrain, or refer to schemas that do, in some draft.
#[rustfmt::skip]
const CONSTRAINTS: [&str; 43] = [
    "$dynamicRef", "$recursiveRef", "$ref", "additionalItems", "additionalProperties", "allOf", "anyOf", "const",
    "contains", "dependencies", "dependentRequired", "dependentSchemas", "else", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "if", "items", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum",
    "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "required", "then", "type", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems",
];

/// Keywords that name, identify or describe, in some draft; and `example`, which OpenAPI adds.
#[rustfmt::skip]
const ANNOTATIONS: [&str; 21] = [
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "$vocabulary",
    "contentEncoding", "contentMediaType", "contentSchema", "default", "definitions", "deprecated", "description",
    "example", "examples", "id", "readOnly", "title", "writeOnly",
];

/// The role of a name in a schema, in the newest draft that has it; [`draft_has_keyword`](crate::draft_has_keyword) tells whether another
/// draft has it too.
pub fn kind(name: &str) -> Kind {
    if CONSTRAINTS.contains(&name) {
        Kind::Constraint
    } else if ANNOTATIONS.contains(&name) {
        Kind::Annotation
    } else {
        Kind::Unknown
    }
}

/// The names of all keywords that constrain, or refer to schemas that do, in some draft.
pub fn constraints() -> impl Iterator<Item = &'static str> {
    CONSTRAINTS.into_iter()
}

/// Whether `format` constrains strings with this value: the formats of drafts from 4 on, and older names of two of them.
pub fn is_format(name: &str) -> bool {
    format::DEFINED.contains(&name)
}

/// The values of a keyword that hold schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holds {
    /// An object is a schema.
    pub schema: bool,
    /// The entries of an array are schemas.
    pub list: bool,
    /// The values of an object's members are schemas.
    pub map: bool,
}

/// The values of a keyword that hold schemas, by its name.
pub fn holds(keyword: &str) -> Holds {
    let none = Holds::default();
    match keyword {
        "items" => Holds { schema: true, list: true, map: false },
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds { list: true, ..none },
        "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties" | "properties" => {
            Holds { map: true, ..none }
        }
        "additionalItems"
        | "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds { schema: true, ..none },
        _ => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compiler, Limits, Options, Source, Vocabulary};
    use std::sync::Arc;

    /// Whether a text is JSON that a schema allows.
    fn allows(compiler: &Compiler, schema: &str, text: &str) -> bool {
        let guide = compiler.compile(&Source::JsonSchema(schema.to_owned()), &Options::default()).expect(schema);
        let mut state = guide.start();
        text.bytes().all(|byte| state.advance(byte.into()).is_ok()) && state.may_end()
    }

    /// For each keyword a schema without it, the keyword, and a text that it forbids.
    const EFFECTS: [(&str, &str, &str); 43] = [
        (r#""$defs":{"a":{"$dynamicAnchor":"a","type":"null"}}"#, r##""$dynamicRef":"#a""##, "1"),
        (
            r#""$schema":"https://json-schema.org/draft/2019-09/schema","type":["array","null"]"#,
            r##""items":{"$recursiveRef":"#"}"##,
            "[1]",
        ),
        (r#""$defs":{"a":{"type":"null"}}"#, r##""$ref":"#/$defs/a""##, "1"),
        (r#""$schema":"http://json-schema.org/draft-07/schema","items":[{}]"#, r#""additionalItems":false"#, "[1,2]"),
        (r#""properties":{"a":{}}"#, r#""additionalProperties":false"#, r#"{"b":1}"#),
        ("", r#""allOf":[{"type":"null"}]"#, "1"),
        ("", r#""anyOf":[{"type":"null"}]"#, "1"),
        ("", r#""const":2"#, "1"),
        (r#""type":"array""#, r#""contains":{"const":2}"#, "[1]"),
        (r#""type":"object""#, r#""dependencies":{"a":["b"]}"#, r#"{"a":1}"#),
        (r#""type":"object""#, r#""dependentRequired":{"a":["b"]}"#, r#"{"a":1}"#),
        (r#""type":"object""#, r#""dependentSchemas":{"a":{"required":["b"]}}"#, r#"{"a":1}"#),
        (r#""if":{"type":"null"}"#, r#""else":{"const":2}"#, "1"),
        ("", r#""enum":[2]"#, "1"),
        ("", r#""exclusiveMaximum":1"#, "1"),
        ("", r#""exclusiveMinimum":1"#, "1"),
        ("", r#""format":"date""#, r#""x""#),
        (r#""then":{"const":2}"#, r#""if":{"type":"integer"}"#, "1"),
        ("", r#""items":{"type":"null"}"#, "[1]"),
        (r#""contains":{"const":1}"#, r#""maxContains":1"#, "[1,1]"),
        ("", r#""maxItems":0"#, "[1]"),
        ("", r#""maxLength":0"#, r#""x""#),
        ("", r#""maxProperties":0"#, r#"{"a":1}"#),
        ("", r#""maximum":0"#, "1"),
        (r#""contains":{"const":1}"#, r#""minContains":2"#, "[1]"),
        ("", r#""minItems":2"#, "[1]"),
        ("", r#""minLength":2"#, r#""x""#),
        ("", r#""minProperties":2"#, r#"{"a":1}"#),
        ("", r#""minimum":2"#, "1"),
        ("", r#""multipleOf":2"#, "1"),
        ("", r#""not":{"type":"integer"}"#, "1"),
        ("", r#""oneOf":[{"type":"null"}]"#, "1"),
        ("", r#""pattern":"a""#, r#""x""#),
        ("", r#""patternProperties":{"a":{"type":"null"}}"#, r#"{"a":1}"#),
        ("", r#""prefixItems":[{"type":"null"}]"#, "[1]"),
        ("", r#""properties":{"a":{"type":"null"}}"#, r#"{"a":1}"#),
        ("", r#""propertyNames":{"maxLength":0}"#, r#"{"a":1}"#),
        ("", r#""required":["b"]"#, r#"{"a":1}"#),
        (r#""if":{"type":"integer"}"#, r#""then":{"const":2}"#, "1"),
        ("", r#""type":"null""#, "1"),
        (r#""prefixItems":[{}]"#, r#""unevaluatedItems":false"#, "[1,2]"),
        (r#""properties":{"a":{}}"#, r#""unevaluatedProperties":false"#, r#"{"b":1}"#),
        ("", r#""uniqueItems":true"#, "[1,1]"),
    ];

    #[test]
    fn each_keyword_listed_as_a_constraint_forbids_a_text() {
        let bytes = (0..=255).map(|byte| Some(vec![byte])).chain([None]).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(bytes, vec![256]).unwrap()), Limits::default());
        for (keyword, (without, with, text)) in CONSTRAINTS.iter().zip(EFFECTS) {
            assert!(with.contains(&format!("\"{keyword}\"")), "{keyword}");
            let comma = if without.is_empty() { "" } else { "," };
            assert!(allows(&compiler, &format!("{{{without}}}"), text), "{keyword} is what forbids {text}");
            assert!(!allows(&compiler, &format!("{{{without}{comma}{with}}}"), text), "{keyword}");
        }
    }

    #[test]
    fn annotations_and_unknown_names_with_any_value_constrain_nothing() {
        let bytes = (0..=255).map(|byte| Some(vec![byte])).chain([None]).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(bytes, vec![256]).unwrap()), Limits::default());
        for name in ["title", "readOnly", "example", "x-order", "maxlength"] {
            assert_ne!(kind(name), Kind::Constraint);
            assert!(allows(&compiler, &format!(r#"{{"{name}":["no","sense"]}}"#), "1"), "{name}");
        }
    }

    #[test]
    fn formats_of_draft_3_alone_constrain_nothing() {
        assert!(["date", "regex", "host-name", "ip-address"].into_iter().all(is_format));
        assert!(!["color", "phone", "style", "utc-millisec", "colour"].into_iter().any(is_format));
    }
}
