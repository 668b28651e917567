//! The hostile sources. Each is named after the structure that it makes large.

use jig_guides::Source;
use serde_json::{Map, Value, json};

/// Builds a source. Sources are built when they are needed, because most are too large to hold all of them in memory.
type Make = fn() -> Source;

/// All sources by name.
pub(super) fn all() -> Vec<(&'static str, Make)> {
    let mut all: Vec<(&'static str, Make)> = Vec::new();
    all.extend(SIZES);
    all.extend(PAIRS);
    all.extend(COMBINATIONS);
    all.extend(REFERENCES);
    all.extend(REGEXES);
    all
}

/// Large texts, lists and bounds.
const SIZES: [(&str, Make); 19] = [
    ("schema text nested 100,000 deep", || text("{\"not\":".repeat(100_000) + "{}" + &"}".repeat(100_000))),
    ("schema text of brackets, unclosed", || text("[".repeat(1_000_000))),
    ("properties nested 200 deep", || nested(200, |inner| json!({"properties": {"a": inner}, "required": ["a"]}))),
    ("items nested 200 deep, minItems 2", || {
        nested(200, |inner| json!({"type": "array", "items": inner, "minItems": 2}))
    }),
    ("enum of 10,000 strings", || {
        schema(&json!({"enum": (0..10_000).map(|i| format!("value {i}")).collect::<Vec<_>>()}))
    }),
    ("enum of 10,000 objects", || {
        schema(&json!({"enum": (0..10_000).map(|i| json!({"a": i, "b": [i]})).collect::<Vec<_>>()}))
    }),
    ("const with 500 KB of text", || schema(&json!({"const": "x".repeat(500_000)}))),
    ("1 MB schema of 20,000 properties", || {
        let properties: Map<String, Value> =
            (0..20_000).map(|i| (format!("property{i}"), json!({"type": "string", "maxLength": i}))).collect();
        schema(&json!({"type": "object", "properties": properties}))
    }),
    ("5,000 required names", || {
        schema(&json!({"type": "object", "required": (0..5000).map(|i| format!("n{i}")).collect::<Vec<_>>()}))
    }),
    ("minItems 1,000,000", || schema(&json!({"type": "array", "minItems": 1_000_000}))),
    ("minItems 10^18 in minItems 10^18", || {
        schema(&json!({"type": "array", "minItems": 1e18, "items": {"type": "array", "minItems": 1e18}}))
    }),
    ("maxItems 10^18", || schema(&json!({"type": "array", "maxItems": 1_000_000_000_000_000_000_u64}))),
    ("minLength 10^9", || schema(&json!({"type": "string", "minLength": 1_000_000_000}))),
    ("minLength 10^5 and a pattern", || {
        schema(&json!({"type": "string", "minLength": 100_000, "pattern": "^(ab|c)+$"}))
    }),
    ("minProperties 1,000,000", || schema(&json!({"type": "object", "minProperties": 1_000_000}))),
    ("maximum with 300 digits", || text(format!("{{\"type\":\"integer\",\"maximum\":1{}}}", "0".repeat(300)))),
    ("maximum 1e308, multipleOf 1e-300", || schema(&json!({"type": "number", "maximum": 1e308, "multipleOf": 1e-300}))),
    ("multipleOf 999983 and 999979", || {
        schema(&json!({"type": "integer", "multipleOf": 999_983, "allOf": [{"multipleOf": 999_979}]}))
    }),
    ("uniqueItems of 10,000 from 10,000", || {
        let values: Vec<u32> = (0..10_000).collect();
        schema(&json!({"type": "array", "items": {"enum": values}, "uniqueItems": true, "minItems": 10_000}))
    }),
];

/// Lists whose entries might be compared in pairs.
const PAIRS: [(&str, Make); 12] = [
    ("oneOf of 500 kinds of objects", || kinds(500)),
    ("oneOf of 1,000 kinds of objects", || kinds(1_000)),
    ("oneOf of 2,000 kinds of objects", || kinds(2_000)),
    ("oneOf of 4,000 kinds of objects", || kinds(4_000)),
    ("oneOf of 8,000 kinds of objects", || kinds(8_000)),
    ("100,000 required names", || schema(&json!({"type": "object", "required": names(100_000)}))),
    ("310,000 required names", || schema(&json!({"type": "object", "required": names(310_000)}))),
    ("60,000 properties, all required", || {
        schema(&json!({"type": "object", "properties": named(60_000, &json!({})), "required": names(60_000)}))
    }),
    ("oneOf of two enums of 140,000", || {
        schema(&json!({"oneOf": [{"enum": names(140_000)}, {"enum": names(100_000)}]}))
    }),
    ("allOf of two enums of 140,000", || {
        schema(&json!({"allOf": [{"enum": names(140_000)}, {"enum": names(100_000)}]}))
    }),
    ("not of 60,000 properties", || {
        let properties = named(60_000, &json!({"type": "string"}));
        schema(&json!({"type": "object", "properties": properties, "not": {"properties": properties}}))
    }),
    ("40,000 properties below a name of 1.5 MB", || {
        schema(&json!({"properties": {"k".repeat(1_500_000): {"properties": named(40_000, &json!({}))}}}))
    }),
];

/// Combinations with an exponential number of cases.
const COMBINATIONS: [(&str, Make); 15] = [
    ("allOf of 20 anyOf of 8 objects", || {
        let one = |i: usize| {
            let branches: Vec<Value> = (0..8)
                .map(|j| json!({"properties": {format!("p{i}"): {"const": j}}, "required": [format!("p{i}")]}))
                .collect();
            json!({"anyOf": branches})
        };
        schema(&json!({"type": "object", "allOf": (0..20).map(one).collect::<Vec<_>>()}))
    }),
    ("oneOf of 200 overlapping objects", || {
        let branches: Vec<Value> = (0..200).map(|i| json!({"required": [format!("p{i}")]})).collect();
        schema(&json!({"type": "object", "oneOf": branches}))
    }),
    ("oneOf of 60 overlapping strings", || {
        let branches: Vec<Value> = (0..60).map(|i| json!({"minLength": i, "maxLength": 3 * i})).collect();
        schema(&json!({"type": "string", "oneOf": branches}))
    }),
    ("40 overlapping patternProperties", || {
        let patterns: Map<String, Value> =
            (0..40).map(|i| (format!("[a-z]{{{i}}}x"), json!({"minLength": i}))).collect();
        schema(&json!({"type": "object", "patternProperties": patterns}))
    }),
    ("30 contains", || {
        let all: Vec<Value> = (0..30).map(|i| json!({"contains": {"multipleOf": i + 2}})).collect();
        schema(&json!({"type": "array", "allOf": all}))
    }),
    ("contains with minContains 10,000", || {
        schema(&json!({"type": "array", "contains": {"type": "string"}, "minContains": 10_000, "maxContains": 20_000}))
    }),
    ("60 if/then/else", || {
        let all: Vec<Value> = (0..60)
            .map(|i| {
                json!({"if": {"required": [format!("a{i}")]}, "then": {"required": [format!("b{i}")]},
                    "else": {"not": {"required": [format!("c{i}")]}}})
            })
            .collect();
        schema(&json!({"type": "object", "allOf": all}))
    }),
    ("100 dependentSchemas", || {
        let all: Map<String, Value> =
            (0..100).map(|i| (format!("a{i}"), json!({"required": [format!("a{}", (i + 1) % 100)]}))).collect();
        schema(&json!({"type": "object", "dependentSchemas": all}))
    }),
    ("unevaluatedProperties over 40 anyOf", || {
        let all: Vec<Value> = (0..40).map(|i| json!({"anyOf": [{"properties": {format!("a{i}"): true}}, {"properties": {format!("b{i}"): true}}]})).collect();
        schema(&json!({"type": "object", "allOf": all, "unevaluatedProperties": false}))
    }),
    ("propertyNames with an exponential regex", || {
        schema(&json!({"type": "object", "propertyNames": {"pattern": "^(a|b)*a(a|b){24}$"}, "minProperties": 3}))
    }),
    ("not of not of 100", || nested(100, |inner| json!({"not": {"not": {"anyOf": [inner, {"minLength": 3}]}}}))),
    ("not of allOf of 40 objects", || {
        let all: Vec<Value> = (0..40).map(|i| json!({"properties": {format!("p{i}"): {"type": "string"}}})).collect();
        schema(&json!({"type": "object", "not": {"allOf": all}}))
    }),
    ("not of anyOf of 100 patterns", || {
        let all: Vec<Value> = (0..100).map(|i| json!({"pattern": format!("a{{{i}}}[bc]*d")})).collect();
        schema(&json!({"type": "string", "not": {"anyOf": all}}))
    }),
    ("uniqueItems of nested booleans", || {
        let pair = json!({"type": "array", "items": {"type": "boolean"}, "minItems": 8, "maxItems": 8});
        schema(&json!({"type": "array", "items": pair, "uniqueItems": true, "minItems": 256}))
    }),
    ("anyOf nested 9 deep, 3 wide", || {
        nested(9, |inner| json!({"anyOf": [inner, {"properties": {"a": inner}}, {"items": inner}]}))
    }),
];

/// References that form cycles, or that multiply a schema.
const REFERENCES: [(&str, Make); 11] = [
    ("a reference to itself", || schema(&json!({"$ref": "#"}))),
    ("allOf of each other", || {
        schema(&json!({"$ref": "#/$defs/a", "$defs": {
            "a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}))
    }),
    ("mutual recursion through allOf", || {
        schema(&json!({"$ref": "#/$defs/a", "$defs": {
            "a": {"type": "object", "allOf": [{"$ref": "#/$defs/b"}], "properties": {"x": {"$ref": "#/$defs/b"}}, "required": ["x"]},
            "b": {"anyOf": [{"type": "null"}, {"properties": {"x": {"$ref": "#/$defs/a"}}}]}}}))
    }),
    ("not of recursion", || {
        schema(&json!({"not": {"$ref": "#/$defs/t"}, "$defs": {
            "t": {"type": "object", "properties": {"c": {"$ref": "#/$defs/t"}}, "required": ["c"]}}}))
    }),
    ("not of itself", || schema(&json!({"not": {"$ref": "#"}}))),
    ("not of itself in a property", || {
        schema(&json!({"properties": {"a": {"not": {"$ref": "#"}}}, "required": ["a"]}))
    }),
    ("recursion that never ends", || {
        schema(&json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}))
    }),
    ("10,000 references in a row", || {
        let definitions: Map<String, Value> =
            (0..10_000).map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)}))).collect();
        let mut definitions = definitions;
        definitions.insert("d10000".to_owned(), json!({"type": "integer"}));
        schema(&json!({"$ref": "#/$defs/d0", "$defs": definitions}))
    }),
    ("2^60 objects by references", || {
        doubled(60, |next| json!({"type": "object", "properties": {"a": next, "b": next}, "required": ["a", "b"]}))
    }),
    ("2^60 in allOf by references", || doubled(60, |next| json!({"allOf": [next, next]}))),
    ("2^60 in oneOf by references", || {
        doubled(60, |next| json!({"oneOf": [next, {"allOf": [next, {"minLength": 3}]}]}))
    }),
];

/// Regexes with large automata.
const REGEXES: [(&str, Make); 12] = [
    ("regex of 2^30 states", || regex("(a|b)*a(a|b){30}")),
    ("regex of nested stars", || regex("((a*)*b*)*c")),
    ("regex of nested counts", || regex("((a{0,100}){0,100}){0,100}")),
    ("look-ahead in a repetition", || regex("(?:(?=.*a.{9}c)(?=.*b.{9}a).)*")),
    ("look-ahead of 2^30 states", || regex("(?:(?=[ab]*a[ab]{30}c)[ab])*c")),
    ("regex of 1,000 letters of any script", || regex(r"\w{1000}")),
    ("regex of 10 counts of letters", || regex(r"(\w{1,200} ){10}")),
    ("regex of 10,000 alternatives", || {
        Source::Regex((0..10_000).map(|i| format!("word{i}x*")).collect::<Vec<_>>().join("|"))
    }),
    ("pattern of 2^30 states", || schema(&json!({"type": "string", "pattern": "^(a|b)*a(a|b){30}$"}))),
    ("three patterns at once", || {
        schema(&json!({"type": "string", "allOf": [
            {"pattern": "(a|b)*a(a|b){8}c"}, {"pattern": "d[a-f]{1,20}e"}, {"pattern": r"^\w+[0-9]{3,9}$"}]}))
    }),
    ("parentheses 100,000 deep", || Source::Regex("(".repeat(100_000) + "a" + &")".repeat(100_000))),
    ("choice of 100,000 strings", || Source::Choice((0..100_000).map(|i| format!("choice number {i}")).collect())),
];

fn schema(schema: &Value) -> Source {
    text(schema.to_string())
}

fn text(schema: String) -> Source {
    Source::JsonSchema(schema)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("name{i}")).collect()
}

/// The same condition for each of `count` names.
fn named(count: usize, condition: &Value) -> Map<String, Value> {
    names(count).into_iter().map(|name| (name, condition.clone())).collect()
}

/// Alternatives of objects that differ in the constant of a property.
fn kinds(count: usize) -> Source {
    let one = |i: usize| {
        json!({"type": "object", "required": ["kind", "v"], "properties": {
            "kind": {"const": format!("k{i}")}, "v": {"type": "string"}, format!("n{}", i % 7): {"type": "integer"}}})
    };
    schema(&json!({"oneOf": (0..count).map(one).collect::<Vec<_>>()}))
}

fn regex(regex: &str) -> Source {
    Source::Regex(regex.to_owned())
}

/// A schema, nested so many times.
fn nested(depth: usize, outer: fn(Value) -> Value) -> Source {
    schema(&(0..depth).fold(json!({"type": "string"}), |inner, _| outer(inner)))
}

/// Definitions that each refer to the next one more than once.
fn doubled(depth: usize, outer: fn(Value) -> Value) -> Source {
    let definition = |i: usize| (format!("d{i}"), outer(json!({"$ref": format!("#/$defs/d{}", i + 1)})));
    let mut definitions: Map<String, Value> = (0..depth).map(definition).collect();
    definitions.insert(format!("d{depth}"), json!({"type": "string"}));
    schema(&json!({"$ref": "#/$defs/d0", "$defs": definitions}))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_names_of_the_sources_are_unique() {
        let all = super::all();
        let names: std::collections::HashSet<&str> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), all.len());
    }
}
