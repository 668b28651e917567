//! `jig-bench curves`: how the time of a mask grows with the schema.
//!
//! Each family is a kind of schema whose masks once were slow, written with more and more of what made them slow. A row is one schema: it
//! is compiled with empty caches, and every mask of some random outputs is measured, with no budget, with a wide one and with one near the
//! least. Times are those of [`Stopwatch`].

use std::path::PathBuf;

use jig_guides::{Compiler, GuideState, Limits, Options, Source};
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::random::Random;
use crate::timer::Stopwatch;
use crate::tokens::Splitter;
use crate::walk::{Manner, draw};

/// Outputs for each schema and budget.
const OUTPUTS: usize = 4;

/// Outputs end after so many tokens, whole or not.
const LONGEST: usize = 150;

/// Tokens beyond the least that the budgets give; `None` for no budget.
const SLACKS: [Option<u32>; 3] = [None, Some(150), Some(8)];

/// Show how the time of a mask grows with the schema
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or its directory
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Use only families whose name contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The greatest count
    #[arg(long, value_name = "N", default_value_t = 64)]
    most: usize,
}

/// Where the text of a pattern of names stands in the name.
#[derive(Clone, Copy, Debug)]
enum Place {
    Start,
    Middle,
    End,
}

impl Place {
    const ALL: [Place; 3] = [Place::Start, Place::Middle, Place::End];

    /// The pattern of names with this number.
    fn pattern(self, number: usize) -> String {
        match self {
            Place::Start => format!("^Local{number}_"),
            Place::Middle => format!("_Local{number}_"),
            Place::End => format!("_Local{number}$"),
        }
    }
}

/// A kind of schema: its name, and the schema by count and place of its patterns.
type Family = (&'static str, fn(usize, Place) -> Value);

/// The families whose schemas have patterns. Each is written with its patterns in each place.
const WITH_PATTERNS: [Family; 4] = [
    ("disallowed names", |count, place| {
        let patterns: Map<String, Value> = (0..count).map(|number| (place.pattern(number), nothing())).collect();
        json!({"type": "object", "patternProperties": patterns, "properties": {"stamp": {"type": "string"}}, "required": ["stamp"]})
    }),
    ("patterns beside free names", |count, place| {
        let schemas = [json!(false), json!({"type": "array"}), json!({"type": "boolean"})];
        let schema = |number: usize| schemas[number % schemas.len()].clone();
        let patterns: Map<String, Value> = (0..count).map(|number| (place.pattern(number), schema(number))).collect();
        json!({
            "type": "object", "patternProperties": patterns, "properties": {"stamp": {"type": "string", "maxLength": 8}},
            "required": ["stamp"], "minProperties": 6
        })
    }),
    ("patterns alone", |count, place| {
        let patterns: Map<String, Value> =
            (0..count).map(|number| (place.pattern(number), json!({"type": "integer"}))).collect();
        json!({"type": "object", "patternProperties": patterns, "additionalProperties": false, "minProperties": 3})
    }),
    ("names that match a pattern", |count, place| {
        let all: Vec<Value> = (0..count).map(|number| json!({"pattern": place.pattern(number)})).collect();
        json!({"type": "object", "propertyNames": {"anyOf": all}, "minProperties": 2})
    }),
];

/// The families without patterns.
const WITHOUT_PATTERNS: [Family; 4] = [
    (
        "unique of an enum of 16 n",
        |count, _| json!({"type": "array", "uniqueItems": true, "items": {"enum": words(16 * count)}, "minItems": 8 * count}),
    ),
    ("unique of an enum and free strings", |count, _| {
        let any_of = json!([{"enum": words(16 * count)}, {"type": "string", "pattern": "^x-"}]);
        json!({"type": "array", "uniqueItems": true, "items": {"anyOf": any_of}, "minItems": 8 * count})
    }),
    ("unique integers", |count, _| {
        json!({"type": "array", "uniqueItems": true, "items": {"type": "integer", "minimum": 1, "maximum": 16 * count},
            "minItems": 8 * count})
    }),
    (
        "unique objects",
        |count, _| json!({"type": "array", "uniqueItems": true, "items": {"type": "object"}, "minItems": count}),
    ),
];

/// What allows no value, spelled as in schemas of draft 4.
fn nothing() -> Value {
    json!({"not": {"type": ["array", "boolean", "integer", "number", "null", "object", "string"]}})
}

/// So many words, of which many begin alike.
fn words(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{}-{}", ["rule", "no-rule", "prefer", "style"][number % 4], number / 4)).collect()
}

/// The schema within `depth` objects of the same schema.
fn nested(schema: &Value, depth: usize) -> Value {
    (0..depth).fold(schema.clone(), |inner, _| {
        let mut outer = schema.clone();
        match outer.get_mut("properties") {
            Some(properties) => properties["inner"] = inner,
            None => return json!({"type": "object", "properties": {"inner": inner}, "required": ["inner"]}),
        }
        if let Some(Value::Array(required)) = outer.get_mut("required") {
            required.push(json!("inner"));
        }
        outer
    })
}

pub(crate) fn run(args: &Args) -> Outcome {
    let tokens = Splitter::load(&args.tokenizer)?.tokens().clone();
    let vocabulary = tokens.vocabulary()?;
    println!(
        "{:36} {:>6} {:>5} {:>5}  {:>12} {:>7} {:>8} {:>8} {:>8}",
        "family", "place", "depth", "n", "first ms", "masks", "mean us", "p99 us", "max us"
    );
    let measure = |(name, schema): &Family, place: Place, depth: usize, count: usize| -> Outcome {
        if args.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            return Ok(());
        }
        let compiler = Compiler::new(vocabulary.clone(), Limits::default());
        compiler.compile(&Source::JsonObject, &Options::default())?.start().mask(None);
        let source = Source::JsonSchema(nested(&schema(count, place), depth).to_string());
        let watch = Stopwatch::start();
        let place = format!("{place:?}").to_lowercase();
        let row = format!("{name:36} {place:>6} {depth:5} {count:5}");
        let guide = match compiler.compile(&source, &Options::default()) {
            Ok(guide) => guide,
            Err(error) => {
                println!("{row}  {:12.1} refused: {error}", watch.microseconds() / 1e3);
                return Ok(());
            }
        };
        guide.start().mask(None);
        let first = watch.microseconds() / 1e3;
        let mut times = Vec::new();
        let mut random = Random::new(7);
        for slack in SLACKS {
            let budget = slack.map(|slack| guide.min_tokens().saturating_add(slack));
            (0..OUTPUTS).for_each(|_| follow(guide.start(), budget, &mut random, &mut times));
        }
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
        let (p99, most) = (times[(times.len() * 99 / 100).min(times.len() - 1)], times[times.len() - 1]);
        println!("{row}  {first:12.1} {:7} {mean:8.1} {p99:8.0} {most:8.0}", times.len());
        Ok(())
    };
    let counts = || std::iter::successors(Some(1), |count| Some(count * 2)).take_while(|&count| count <= args.most);
    for family in &WITH_PATTERNS {
        for place in Place::ALL {
            counts().try_for_each(|count| measure(family, place, 0, count))?;
        }
        [1, 2, 4, 8].into_iter().try_for_each(|depth| measure(family, Place::End, depth, 2))?;
    }
    for family in &WITHOUT_PATTERNS {
        counts().try_for_each(|count| measure(family, Place::Start, 0, count))?;
        [1, 2, 4, 8].into_iter().try_for_each(|depth| measure(family, Place::Start, depth, 4))?;
    }
    Ok(())
}

/// Adds the time of each mask of one random output, in microseconds.
fn follow(mut state: GuideState, budget: Option<u32>, random: &mut Random, times: &mut Vec<f64>) {
    let vocabulary = state.guide().vocabulary().clone();
    let mut left = budget;
    for _ in 0..LONGEST {
        if state.must_end() {
            return;
        }
        let watch = Stopwatch::start();
        let mask = state.mask(left);
        times.push(watch.microseconds());
        let manner = if random.below(3) == 0 { Manner::Even } else { Manner::Short };
        let Some(token) = draw(&mask, &vocabulary, manner, random) else { return };
        if vocabulary.end_tokens().binary_search(&token).is_ok() || state.advance(token).is_err() {
            return;
        }
        left = left.map(|left| left.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_schemas_ask_for_as_many_objects_within_each_other() {
        for (name, schema) in WITH_PATTERNS.iter().chain(&WITHOUT_PATTERNS) {
            let text = nested(&schema(2, Place::End), 3).to_string();
            assert_eq!(text.matches(r#""inner":"#).count(), 3, "{name}");
        }
    }
}
