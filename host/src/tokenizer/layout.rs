//! What of `tokenizer.json` the crate keeps to itself: the steps of the decoder and the merges of BPE.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

/// The parts of a `tokenizer.json` that say what tokens spell.
pub(super) struct Layout {
    /// The steps of the decoder in their order; a decoder that is no sequence is one step. `Null`: none is given.
    pub(super) decoder: Vec<Value>,
    /// For BPE whose every longer token comes from a merge: those that do. `None`: any entry may be produced.
    pub(super) merged: Option<HashSet<String>>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    decoder: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    merges: Option<Vec<Merge>>,
    #[serde(default)]
    ignore_merges: Option<bool>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
}

/// Two tokens that become one: `["a", "b"]`, in older files `"a b"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

impl Layout {
    /// Reads the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// Where it is malformed.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let decoder = match file.decoder {
            Value::Null => Vec::new(),
            Value::Object(mut step) if step.get("type").is_some_and(|kind| kind == "Sequence") => {
                match step.remove("decoders") {
                    Some(Value::Array(steps)) => steps,
                    _ => return Err("the decoder is a Sequence without a list of `decoders`".to_owned()),
                }
            }
            step => vec![step],
        };
        Ok(Self { decoder, merged: file.model.merged() })
    }
}

impl Model {
    fn merged(self) -> Option<HashSet<String>> {
        // With `ignore_merges`, a word that is an entry as a whole becomes that entry, whether merges lead to it or not.
        if self.ignore_merges == Some(true) {
            return None;
        }
        let prefix = self.continuing_subword_prefix.unwrap_or_default();
        let join = |left: &str, right: &str| format!("{left}{}", right.strip_prefix(&prefix).unwrap_or(right));
        let merged = |merge| match merge {
            Merge::Pair(left, right) => Some(join(&left, &right)),
            Merge::Line(line) => line.split_once(' ').map(|(left, right)| join(left, right)),
        };
        Some(self.merges?.into_iter().filter_map(merged).collect())
    }
}
