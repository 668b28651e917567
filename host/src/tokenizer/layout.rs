//! What of `tokenizer.json` the crate keeps to itself: the steps of the normalizer, the pre-tokenizer and the decoder, and the merges
//! of BPE.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

/// The parts of a `tokenizer.json` that say what tokens spell.
pub(super) struct Layout {
    /// The steps of the decoder in their order; a decoder that is no sequence is one step. `Null`: none is given.
    pub(super) decoder: Vec<Value>,
    /// For BPE whose every longer token comes from a merge: those that do. `None`: any entry may be produced.
    pub(super) merged: Option<HashSet<String>>,
    /// What the tokenizer does to a text.
    pub(super) encoding: Encoding,
}

/// The parts of a `tokenizer.json` that say how a text becomes tokens, as far as its length is concerned.
pub(super) struct Encoding {
    /// The steps of the normalizer, sequences resolved.
    pub(super) normalizers: Vec<Value>,
    /// The steps of the pre-tokenizer, sequences resolved.
    pub(super) pre_tokenizers: Vec<Value>,
    /// Whether the model is BPE whose entries are parts of words as they stand, without a prefix or suffix.
    pub(super) is_plain_bpe: bool,
    /// Whether a character without a token becomes the tokens of its bytes.
    pub(super) byte_fallback: bool,
    /// The tokens that are found in a text before it comes to the model.
    pub(super) added: Vec<AddedToken>,
}

/// A token that is found in a text by its name.
#[derive(Clone, Deserialize)]
pub(super) struct AddedToken {
    pub(super) content: String,
    /// Whether it takes the white space before it.
    #[serde(default)]
    pub(super) lstrip: bool,
    /// Whether it takes the white space behind it.
    #[serde(default)]
    pub(super) rstrip: bool,
    /// Whether it is looked for in the text that the normalizer has made.
    #[serde(default)]
    pub(super) normalized: bool,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
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
        let encoding = Encoding {
            normalizers: steps(file.normalizer, "normalizers"),
            pre_tokenizers: steps(file.pre_tokenizer, "pretokenizers"),
            is_plain_bpe: file.model.is_plain_bpe(),
            byte_fallback: file.model.byte_fallback == Some(true),
            added: file.added_tokens,
        };
        Ok(Self { decoder, merged: file.model.merged(), encoding })
    }
}

/// The steps of a part, where it is a `Sequence` those of its list; none where there is no such part.
fn steps(part: Value, list: &str) -> Vec<Value> {
    match part {
        Value::Null => Vec::new(),
        Value::Object(mut step) if step.get("type").is_some_and(|kind| kind == "Sequence") => match step.remove(list) {
            Some(Value::Array(inner)) => inner.into_iter().flat_map(|step| steps(step, list)).collect(),
            _ => vec![Value::Object(step)],
        },
        step => vec![step],
    }
}

impl Model {
    fn is_plain_bpe(&self) -> bool {
        let has = |affix: &Option<String>| affix.as_ref().is_some_and(|affix| !affix.is_empty());
        // Old files do not name the kind.
        let is_bpe = self.kind.as_ref().map_or(self.merges.is_some(), |kind| kind == "BPE");
        is_bpe && !has(&self.continuing_subword_prefix) && !has(&self.end_of_word_suffix)
    }

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
