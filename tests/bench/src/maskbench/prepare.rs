//! The file that one process tokenizes and the measuring processes read: one line with the vocabulary, then one line per case.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Lines, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::cases::{Case, respace};
use crate::engines::Whitespace;
use crate::tokens::{Splitter, Tokens};

/// A case with tokenized instances.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Prepared {
    pub(super) id: String,
    pub(super) schema: String,
    pub(super) tests: Vec<PreparedTest>,
}

/// A tokenized instance.
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
    whitespace: Whitespace,
) -> Outcome<usize> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "{}", serde_json::to_string(splitter.tokens())?)?;
    let mut count = 0;
    for case in cases {
        let case = case?;
        let tests: Outcome<Vec<PreparedTest>> = case
            .tests
            .iter()
            .map(|test| {
                let tokens = splitter.split(&respace(test.data.get(), whitespace))?;
                Ok(PreparedTest { valid: test.valid, tokens })
            })
            .collect();
        let prepared = Prepared { id: case.id, schema: case.schema.get().to_owned(), tests: tests? };
        writeln!(out, "{}", serde_json::to_string(&prepared)?)?;
        count += 1;
    }
    out.flush()?;
    Ok(count)
}

/// A reader of the file.
pub(super) struct Reader {
    lines: Lines<BufReader<File>>,
}

impl Reader {
    /// Reads the vocabulary and returns it with a reader of the cases.
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
