//! The file between the process that tokenizes and those that measure: a line with the vocabulary, then a line a case.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Lines, Write};
use std::path::Path;

use jig_guides::{Compiler, Guide, Limits, Options, Source};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::cases::{Case, respace};
use crate::engines::{Order, Whitespace};
use crate::spelling;
use crate::tokens::{Splitter, Tokens};

/// A case whose instances are tokens.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Prepared {
    pub(super) id: String,
    pub(super) schema: String,
    pub(super) tests: Vec<PreparedTest>,
}

/// An instance as tokens.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PreparedTest {
    pub(super) valid: bool,
    pub(super) tokens: Vec<u32>,
}

/// Writes the file and returns the number of cases.
pub(super) fn write(
    path: &Path,
    splitter: &Splitter,
    cases: impl Iterator<Item = Outcome<Case>>,
    order: Order,
    whitespace: Whitespace,
) -> Outcome<usize> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "{}", serde_json::to_string(splitter.tokens())?)?;
    let compiler = Compiler::new(Tokens::of_bytes().vocabulary()?, Limits::default());
    let spaces = whitespace != Whitespace::Compact;
    let mut count = 0;
    for case in cases {
        let case = case?;
        let schema = case.schema.get().to_owned();
        let guide = match order {
            Order::Given => None,
            Order::Schema => compiler.compile(&Source::JsonSchema(schema.clone()), &Options::default()).ok(),
        };
        let tests: Outcome<Vec<PreparedTest>> = case
            .tests
            .iter()
            .map(|test| {
                let text = spelled(guide.as_ref(), test.data.get(), spaces)?;
                Ok(PreparedTest { valid: test.valid, tokens: splitter.split(&text)? })
            })
            .collect();
        let prepared = Prepared { id: case.id, schema, tests: tests? };
        writeln!(out, "{}", serde_json::to_string(&prepared)?)?;
        count += 1;
    }
    out.flush()?;
    Ok(count)
}

/// The instance as it stands, unless a guide accepts it in another spelling only.
fn spelled(guide: Option<&Guide>, instance: &str, spaces: bool) -> Outcome<String> {
    let given = respace(instance, spaces);
    let Some(guide) = guide else { return Ok(given) };
    let mut state = guide.start();
    if given.bytes().all(|byte| state.advance(u32::from(byte)).is_ok()) && state.may_end() {
        return Ok(given);
    }
    let found = spelling::find(&guide.start(), &serde_json::from_str(instance)?, spaces);
    Ok(found.unwrap_or(given))
}

/// Reads the file from its beginning.
pub(super) struct Reader {
    lines: Lines<BufReader<File>>,
}

impl Reader {
    /// The vocabulary, and a reader of the cases.
    pub(super) fn open(path: &Path) -> Outcome<(Tokens, Reader)> {
        let mut lines = BufReader::new(File::open(path)?).lines();
        let head = lines.next().ok_or("the file is empty")??;
        Ok((serde_json::from_str(&head)?, Reader { lines }))
    }
}

impl Iterator for Reader {
    type Item = Outcome<Prepared>;

    fn next(&mut self) -> Option<Outcome<Prepared>> {
        let line = self.lines.next()?;
        Some(line.map_err(Into::into).and_then(|line| serde_json::from_str(&line).map_err(Into::into)))
    }
}
