//! The cases of MaskBench: one JSON object per line, `{"id", "schema", "tests": [{"valid", "data"}]}`; and the documents that their
//! schemas refer to, `{"id", "uris": [...], "schema"}`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use clap::Args;
use flate2::read::GzDecoder;
use jig_guides::Documents;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Outcome;
use crate::engines::Whitespace;

/// The selected cases of a file.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// File of cases, one JSON object per line, plain or compressed (`.gz`)
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<std::path::PathBuf>,
    /// Use every n-th case only
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) every: usize,
    /// Maximum number of cases
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Use only cases whose id contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
}

/// A schema with instances.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    /// The name of the case.
    pub(crate) id: String,
    /// The schema's text, unchanged from the file.
    pub(crate) schema: Box<RawValue>,
    /// Instances with their expected verdicts.
    pub(crate) tests: Vec<Test>,
}

/// The file of the documents that schemas may refer to.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DocumentFile {
    /// File of documents that the schemas may refer to, one JSON object per line, plain or compressed (`.gz`)
    #[arg(long = "documents", value_name = "FILE")]
    pub(crate) path: Option<std::path::PathBuf>,
}

/// A document that schemas may refer to.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    /// Its URIs. One that is relative is resolved by the document's own id.
    uris: Vec<String>,
    schema: Box<RawValue>,
}

impl DocumentFile {
    /// The text of each document by its absolute URIs.
    pub(crate) fn read(&self) -> Outcome<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        let Some(path) = &self.path else { return Ok(texts) };
        for line in lines(path)? {
            let Document { uris, schema } = serde_json::from_str(&line?)?;
            let ids: Ids = serde_json::from_str(schema.get())?;
            let absolute = uris.into_iter().chain([ids.id, ids.old_id].into_iter().flatten());
            for uri in absolute.filter(|uri| uri.contains("://")) {
                let uri = uri.trim_end_matches('#').to_owned();
                texts.entry(uri).or_insert_with(|| schema.get().to_owned());
            }
        }
        Ok(texts)
    }

    /// The documents for Jig's compiler.
    pub(crate) fn documents(&self) -> Outcome<Documents> {
        let mut documents = Documents::default();
        for (uri, text) in self.read()? {
            documents.add(Some(&uri), &text)?;
        }
        Ok(documents)
    }
}

/// The ids of a document.
#[derive(Deserialize)]
struct Ids {
    #[serde(rename = "$id")]
    id: Option<String>,
    #[serde(rename = "id")]
    old_id: Option<String>,
}

/// An instance.
#[derive(Debug, Deserialize)]
pub(crate) struct Test {
    /// Whether the instance is valid under the schema.
    pub(crate) valid: bool,
    /// The instance's text, unchanged from the file.
    pub(crate) data: Box<RawValue>,
}

impl Selection {
    /// The cases, in the file's order; `may_lack` says whether there need be no file.
    pub(crate) fn read(&self, may_lack: bool) -> Outcome<impl Iterator<Item = Outcome<Case>> + use<>> {
        if self.cases.is_none() && !may_lack {
            return Err("give a file of cases with --cases".into());
        }
        let file = self.cases.as_deref().map(lines).transpose()?;
        let lines = file.into_iter().flatten().step_by(self.every.max(1));
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

/// A JSON text with other white space: none, one space after each `,` and `:`, or lines as Python's `indent=2` writes them (indented
/// up to level 16).
pub(crate) fn respace(text: &str, whitespace: Whitespace) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let (mut inside, mut escaped) = (false, false);
    let (mut depth, mut opened) = (0usize, false);
    let lines = whitespace == Whitespace::Pretty;
    let line = |out: &mut String, depth: usize| {
        if lines {
            out.push('\n');
            (0..depth.min(16)).for_each(|_| out.push_str("  "));
        }
    };
    for c in text.chars() {
        if inside {
            out.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        depth -= usize::from(closes && depth > 0);
        if opened != closes {
            // A line break comes after an opening bracket and before a closing one, except in an empty object or array.
            line(&mut out, depth);
        }
        out.push(c);
        inside = c == '"';
        opened = matches!(c, '{' | '[');
        depth += usize::from(opened);
        match c {
            ',' if lines => line(&mut out, depth),
            ',' | ':' if whitespace != Whitespace::Compact => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Whitespace, respace};

    #[test]
    fn white_space_is_replaced_outside_strings_only() {
        let text = r#"{ "a, b" :1,"c\" :":[ 2,3 ], "d" : { }}"#;
        assert_eq!(respace(text, Whitespace::Compact), r#"{"a, b":1,"c\" :":[2,3],"d":{}}"#);
        assert_eq!(respace(text, Whitespace::Spaces), r#"{"a, b": 1, "c\" :": [2, 3], "d": {}}"#);
        let lines = "{\n  \"a, b\": 1,\n  \"c\\\" :\": [\n    2,\n    3\n  ],\n  \"d\": {}\n}";
        assert_eq!(respace(text, Whitespace::Pretty), lines);
        assert_eq!(respace(r#""\\","#, Whitespace::Optional), r#""\\", "#);
    }
}
