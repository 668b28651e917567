//! Tests at load what a graph can do, with a few tokens.
//!
//! Exporters differ in what their graphs support. Some graphs take one token at a time once there is a past. Some
//! derive positions from the slots of the cache, so that a padded row would be computed at wrong positions. Names and
//! shapes don't show this, but the logits do.

use jig_plugin_api::{Error, ErrorCode, LogitsWanted, Result, SequenceId};

use crate::options::Batching;
use crate::runner::{Append, Runner};

/// The first sequence id of the tests; the model never hands out ids from here on.
const FIRST: u64 = 1 << 63;

/// Finds out what a graph can do, and sets the runner's limits accordingly.
///
/// # Errors
/// `Unsupported` if the graph does not continue from its cache, or can't do what an option asks for; any error of a
/// run.
pub(crate) fn check(runner: &mut Runner, batching: Batching, exact: bool) -> Result<()> {
    let result = Trials { runner, exact }.run(batching);
    for id in 0..8 {
        runner.cache().close(SequenceId(FIRST + id))?;
    }
    result
}

struct Trials<'a> {
    runner: &'a mut Runner,
    exact: bool,
}

impl Trials<'_> {
    fn run(&mut self, batching: Batching) -> Result<()> {
        let tokens = self.tokens(5);
        let whole = match self.append(&[(0, &tokens)]) {
            Ok(rows) => rows,
            // A graph may compute only the last logits without saying so in its shapes.
            Err(_) if !self.runner.abilities.last_only => {
                self.runner.abilities.last_only = true;
                self.runner.cache().close(id(0))?;
                self.append(&[(0, &tokens)])?
            }
            Err(error) => return Err(error),
        };
        self.append(&[(1, &tokens[..2])])?;
        let chunk = self.append(&[(1, &tokens[2..])]);
        if !chunk.is_ok_and(|chunk| self.same(&chunk, &whole)) {
            self.runner.abilities.chunks = false;
            self.append(&[(2, &tokens[..2])])?;
            let single = self.append(&[(2, &tokens[2..])])?;
            if !self.same(&single, &whole) {
                return Err(unsupported("it computes other logits with its KV cache than without"));
            }
        }
        self.runner.abilities.padding &= batching != Batching::Lengths;
        if self.runner.abilities.padding {
            self.runner.abilities.padding = self.pads(&tokens).unwrap_or(false);
        }
        match (batching, self.runner.abilities.padding) {
            (Batching::Padded, false) => Err(unsupported(
                "option `batching`: `padded` is not for this graph, which computes other logits for a padded sequence",
            )),
            _ => Ok(()),
        }
    }

    /// Whether sequences of different lengths have the same logits in one run as alone.
    fn pads(&mut self, tokens: &[u32]) -> Result<bool> {
        let last = &tokens[4..];
        for base in [3, 5] {
            self.append(&[(base, &tokens[..4])])?;
            self.append(&[(base + 1, &tokens[1..2])])?;
        }
        let (first, second) = (self.append(&[(3, last)])?, self.append(&[(4, last)])?);
        let together = self.append(&[(5, last), (6, last)])?;
        let (left, right) = together.split_at(together.len() / 2);
        Ok(self.same(left, &first) && self.same(right, &second))
    }

    /// Tokens that differ from each other.
    fn tokens(&self, count: usize) -> Vec<u32> {
        let vocabulary = self.runner.interface().vocab_size as u32;
        (0..count as u32).map(|index| (3 + index * 7) % vocabulary).collect()
    }

    /// Appends to sequences, and returns the logits after the last token of each.
    fn append(&mut self, chunks: &[(u64, &[u32])]) -> Result<Vec<f32>> {
        let append = |(sequence, tokens): &(u64, &[u32])| Append {
            sequence: id(*sequence),
            tokens: tokens.to_vec(),
            logits: LogitsWanted::Last,
        };
        self.runner.step(&chunks.iter().map(append).collect::<Vec<_>>(), Vec::new())
    }

    /// Equal up to rounding. Wrong positions or a wrong mask change logits by much more than this.
    fn same(&self, found: &[f32], expected: &[f32]) -> bool {
        let largest = expected.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        let tolerance = largest * if self.exact { 1e-3 } else { 1.0 / 30.0 };
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance)
    }
}

fn id(number: u64) -> SequenceId {
    SequenceId(FIRST + number)
}

fn unsupported(problem: &str) -> Error {
    Error::new(ErrorCode::Unsupported, format!("the graph can't be served: {problem}"))
}
