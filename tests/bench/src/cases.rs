//! The cases of MaskBench: one JSON object a line, `{"id", "schema", "tests": [{"valid", "data"}]}`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use clap::Args;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Outcome;

/// Which cases of a file are taken.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// A file of cases, one JSON object a line, plain or compressed (`.gz`)
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: std::path::PathBuf,
    /// Take every n-th case
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) every: usize,
    /// Take at most so many cases
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Take cases whose id contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
}

/// A schema with instances.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    /// The name of the case.
    pub(crate) id: String,
    /// The schema's text as it stands in the file.
    pub(crate) schema: Box<RawValue>,
    /// Instances, with what the schema says of them.
    pub(crate) tests: Vec<Test>,
}

/// An instance.
#[derive(Debug, Deserialize)]
pub(crate) struct Test {
    /// Whether the instance is valid under the schema.
    pub(crate) valid: bool,
    /// The instance's text as it stands in the file.
    pub(crate) data: Box<RawValue>,
}

impl Selection {
    /// The cases, in the file's order.
    pub(crate) fn read(&self) -> Outcome<impl Iterator<Item = Outcome<Case>> + use<>> {
        let lines = lines(&self.cases)?.step_by(self.every.max(1));
        let only = self.only.clone();
        let parsed = lines.map(|line| -> Outcome<Case> { Ok(serde_json::from_str(&line?)?) });
        let wanted = parsed.filter(move |case| match (case, &only) {
            (Ok(case), Some(only)) => case.id.contains(only.as_str()),
            _ => true,
        });
        Ok(wanted.take(self.limit.unwrap_or(usize::MAX)))
    }
}

fn lines(path: &Path) -> Outcome<impl Iterator<Item = std::io::Result<String>> + use<>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> = if compressed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(reader).lines())
}

/// A JSON text with its own white space replaced: none, or one space after each `,` and `:`.
pub(crate) fn respace(text: &str, spaces: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        if inside {
            out.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if !c.is_ascii_whitespace() {
            out.push(c);
            inside = c == '"';
            if spaces && matches!(c, ',' | ':') {
                out.push(' ');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::respace;

    #[test]
    fn white_space_changes_outside_strings_only() {
        let text = r#"{ "a, b" :1,"c\" :":[ 2,3 ]}"#;
        assert_eq!(respace(text, false), r#"{"a, b":1,"c\" :":[2,3]}"#);
        assert_eq!(respace(text, true), r#"{"a, b": 1, "c\" :": [2, 3]}"#);
        assert_eq!(respace(r#""\\","#, true), r#""\\", "#);
    }
}
