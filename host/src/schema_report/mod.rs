//! What the guides make of a JSON Schema, without a model: whether it can be enforced, which of its keywords are, how long an answer is, and a
//! few random ones.
//!
//! | module | what it holds |
//! |---|---|
//! | `keywords` | which keywords a schema has, where, and whether they constrain anything |
//! | `longest` | how long an answer can become at most |
//! | `sample` | random answers |
//!
//! The report is data: the command line prints it, an endpoint can send it.

mod keywords;
mod longest;
mod sample;

use std::time::{Duration, Instant};

use jig_guides::{CompileError, Compiler, Interrupt, Options, Source};
use serde_json::Value;

pub use self::keywords::{Keywords, Places};

/// What is known of a schema that can be enforced.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SchemaReport {
    /// How long it took to compile.
    pub compile_time: Duration,
    /// How long the first mask took.
    pub first_mask_time: Duration,
    /// Tokens of the vocabulary that it was compiled for.
    pub vocabulary_size: usize,
    /// The fewest tokens of an answer.
    pub min_tokens: u32,
    /// The most bytes of an answer, and so the most tokens; `None` where no limit was found.
    pub max_bytes: Option<u64>,
    /// Its keywords, by what they do.
    pub keywords: Keywords,
    /// Random valid answers. Fewer than were wanted where every answer is very long.
    pub samples: Vec<String>,
    /// States of the guide that were met so far.
    pub states: usize,
    /// Bytes that these take, with their masks.
    pub bytes: usize,
}

/// What a report is to hold beside what it always does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The number of random answers.
    pub samples: u32,
    /// The same seed gives the same answers.
    pub seed: u64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The schema is refused.
    #[error(transparent)]
    Refused(#[from] CompileError),
    /// The schema compiles, but its JSON text is too deep to list its keywords.
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
}

impl SchemaReport {
    /// Compiles a schema, given as JSON text, until the interrupt is raised, and says what became of it.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn new(compiler: &Compiler, schema: &str, wanted: Wanted, interrupt: &Interrupt) -> Result<Self, Failure> {
        let begun = Instant::now();
        let source = Source::JsonSchema(schema.to_owned());
        let guide = compiler.compile_until(&source, &Options::default(), interrupt)?;
        let compile_time = begun.elapsed();
        let begun = Instant::now();
        guide.start().mask(None);
        let first_mask_time = begun.elapsed();
        let schema: Value = serde_json::from_str(schema)?;
        let draw = |number: u32| sample::draw(&guide, wanted.seed.wrapping_add(u64::from(number)));
        let samples = (0..wanted.samples).map_while(draw);
        let samples = samples.map(|text| String::from_utf8_lossy(&text).into_owned()).collect();
        Ok(Self {
            compile_time,
            first_mask_time,
            vocabulary_size: guide.vocabulary().len(),
            min_tokens: guide.min_tokens(),
            max_bytes: longest::bytes(&schema),
            keywords: Keywords::of(&schema),
            samples,
            states: guide.known_masks(),
            bytes: guide.bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jig_guides::{Limits, Vocabulary};
    use serde_json::json;
    use std::sync::Arc;

    fn report(schema: &Value, samples: u32) -> Result<SchemaReport, Failure> {
        let bytes = (0..=255).map(|byte| Some(vec![byte])).chain([None]).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(bytes, vec![256]).unwrap()), Limits::default());
        SchemaReport::new(&compiler, &schema.to_string(), Wanted { samples, seed: 1 }, &Interrupt::new())
    }

    #[test]
    fn a_schema_that_can_be_enforced_is_told_with_its_limits_and_answers() {
        let report = report(&json!({"type": "string", "maxLength": 2, "title": "t"}), 4).unwrap();
        assert_eq!((report.vocabulary_size, report.min_tokens, report.max_bytes), (257, 2, Some(26)));
        assert_eq!((report.keywords.enforced.len(), report.keywords.annotations.len()), (2, 1));
        assert_eq!(report.samples.len(), 4);
        assert!(report.samples.iter().all(|sample| sample.starts_with('"') && sample.ends_with('"')));
        assert!(report.states > 0 && report.bytes > 0);
    }

    #[test]
    fn a_schema_that_is_refused_and_one_whose_answers_are_long_are_told() {
        assert!(matches!(report(&json!({"type": "strin"}), 1), Err(Failure::Refused(CompileError::Syntax { .. }))));
        assert!(report(&json!({"type": "string", "minLength": 1_000_000}), 2).unwrap().samples.is_empty());
    }
}
