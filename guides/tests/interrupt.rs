//! Compilations that are interrupted, and sources that are expensive to compile.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jig_guides::{CompileError, Compiler, Guide, Interrupt, Limits, Options, Source};
use serde_json::{Map, Value, json};
use support::compiler;

type Compiled = Result<Guide, CompileError>;

fn schema(schema: &Value) -> Source {
    Source::JsonSchema(schema.to_string())
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

/// Definitions that each refer to the next one twice.
fn doubled(around: &Value) -> Source {
    let mut root = around.clone();
    let twice = |i: usize| json!({"allOf": vec![json!({"$ref": format!("#/$defs/d{}", i + 1)}); 2]});
    let mut definitions: Map<String, Value> = (0..60).map(|i| (format!("d{i}"), twice(i))).collect();
    definitions.insert("d60".to_owned(), json!({}));
    root["$defs"] = definitions.into();
    schema(&root)
}

/// The result of compiling a source.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Compiles,
    /// The source is refused by this limit.
    Refused(&'static str),
    /// No value is valid.
    Nothing,
}
use Outcome::{Compiles, Nothing, Refused};

const STEPS: Outcome = Refused("steps of the schema's analysis");
const POINTERS: Outcome = Refused("bytes of the JSON pointers to all schemas");
const REGEX: Outcome = Refused("states of the regex's automaton");

/// Sources that each make one structure large.
fn hostile() -> Vec<(&'static str, Source, Outcome)> {
    let long = "k".repeat(200_000);
    let overlapping = names(3_000);
    vec![
        ("oneOf of 2,000 objects", kinds(2_000), Compiles),
        ("oneOf of 20,000 objects", kinds(20_000), STEPS),
        ("100,000 required names", schema(&json!({"type": "object", "required": names(100_000)})), Compiles),
        ("310,000 required names", schema(&json!({"type": "object", "required": names(310_000)})), STEPS),
        (
            "20,000 properties, all required",
            schema(&json!({"properties": named(20_000, &json!({})), "required": names(20_000)})),
            Compiles,
        ),
        (
            "oneOf of two enums of 50,000",
            schema(&json!({"oneOf": [{"enum": names(50_000)}, {"enum": names(60_000)}]})),
            Compiles,
        ),
        (
            "oneOf of 3,000 names that may come together",
            schema(&json!({"oneOf": overlapping.iter().map(|name| json!({"required": [name]})).collect::<Vec<_>>()})),
            STEPS,
        ),
        (
            "not of 60,000 properties",
            schema(&json!({"type": "object", "properties": named(60_000, &json!({"type": "string"})),
                "not": {"properties": named(60_000, &json!({"type": "string"}))}})),
            Nothing,
        ),
        (
            "4,000 properties below a long name",
            schema(&json!({"properties": {long: {"properties": named(4_000, &json!({}))}}})),
            POINTERS,
        ),
        ("unevaluatedItems around 2^60", doubled(&json!({"$ref": "#/$defs/d0", "unevaluatedItems": false})), Compiles),
        ("a million open braces", Source::Regex("{".repeat(1_000_000)), REGEX),
        ("20,000 different characters", Source::Regex(('一'..).take(20_000).collect()), REGEX),
        ("(a|b)*a(a|b){24}", Source::Regex("(a|b)*a(a|b){24}".into()), REGEX),
    ]
}

fn outcome(compiled: &Compiled) -> Result<Outcome, String> {
    match compiled {
        Ok(_) => Ok(Compiles),
        Err(CompileError::TooBig { limit, .. }) => Ok(Refused(limit)),
        Err(CompileError::Unsatisfiable { .. }) => Ok(Nothing),
        Err(other) => Err(other.to_string()),
    }
}

#[test]
fn hostile_sources_compile_or_are_refused_by_a_limit() {
    for (name, source, expected) in hostile() {
        assert_eq!(outcome(&compiler().compile(&source, &Options::default())), Ok(expected), "{name}");
    }
}

/// A source that compiles faster than a thread starts.
const QUICK: &str = "unevaluatedItems around 2^60";

#[test]
fn an_interrupt_that_was_raised_before_ends_the_compilation_of_each_hostile_source() {
    for (name, source, _) in hostile() {
        let interrupt = Interrupt::new();
        interrupt.raise();
        let compiled = compiler().compile_until(&source, &Options::default(), &interrupt);
        assert_eq!(compiled.err(), Some(CompileError::Interrupted), "{name}");
    }
}

#[test]
fn an_interrupt_from_another_thread_ends_the_compilation_of_each_slow_hostile_source() {
    for (name, source, _) in hostile().into_iter().filter(|(name, ..)| *name != QUICK) {
        // The interrupt may arrive before, during or after the compilation. After it, it has no effect, so the test retries.
        let interrupted = (0..100).any(|_| {
            let interrupt = Interrupt::new();
            let raising = interrupt.clone();
            let thread = thread::spawn(move || raising.raise());
            let compiled = compiler().compile_until(&source, &Options::default(), &interrupt);
            thread.join().expect("no panic");
            compiled.err() == Some(CompileError::Interrupted)
        });
        assert!(interrupted, "{name}");
    }
}

#[test]
fn a_deadline_ends_a_compilation_with_an_error_that_is_not_cached() {
    let (compiler, source) = (compiler(), kinds(2_000));
    let interrupt = Interrupt::at(Instant::now() + Duration::from_millis(1));
    let compiled = compiler.compile_until(&source, &Options::default(), &interrupt);
    assert!(matches!(compiled, Err(CompileError::TooSlow { .. })), "{:?}", compiled.err());
    assert!(compiler.compiled(&source, &Options::default()).is_none());
    assert!(compiler.compile(&source, &Options::default()).is_ok());
    assert!(matches!(compiler.compiled(&source, &Options::default()), Some(Ok(_))));
}

#[test]
fn a_refusal_is_cached_and_an_unknown_source_has_no_result() {
    let (compiler, options) = (compiler(), Options::default());
    let source = Source::JsonSchema("{".to_owned());
    assert!(compiler.compiled(&source, &options).is_none());
    let refused = compiler.compile(&source, &options).err();
    assert!(refused.is_some());
    assert_eq!(compiler.compiled(&source, &options).and_then(Result::err), refused);
    let long = Source::Regex("a".repeat(Limits::default().source_bytes + 1));
    assert!(matches!(compiler.compiled(&long, &options), Some(Err(CompileError::TooBig { .. }))));
}

#[test]
fn an_interrupt_of_one_waiter_does_not_end_the_compilation_for_others() {
    let compiler: Arc<Compiler> = Arc::new(compiler());
    let source = Arc::new(kinds(1_000));
    let interrupts: Vec<Interrupt> = (0..6).map(|_| Interrupt::new()).collect();
    let compile = |interrupt: &Interrupt| {
        let (compiler, source, interrupt) = (compiler.clone(), source.clone(), interrupt.clone());
        thread::spawn(move || compiler.compile_until(&source, &Options::default(), &interrupt))
    };
    let threads: Vec<_> = interrupts.iter().map(compile).collect();
    // All but the last one are interrupted.
    interrupts[..5].iter().for_each(Interrupt::raise);
    let results: Vec<Compiled> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    assert!(results[5].is_ok());
    let left = results[..5].iter().filter_map(|result| result.as_ref().err());
    assert!(left.into_iter().all(|error| *error == CompileError::Interrupted));
}
