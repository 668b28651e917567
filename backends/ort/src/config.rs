//! [`Config`]: what the files beside the graph say about the model.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jig_plugin_api::{Error, ErrorCode, Result};
use serde_json::Value;

use crate::files::GENAI_CONFIG;

/// The largest file of this kind that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Limits and sizes that a graph may leave open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) architecture: String,
    pub(crate) max_positions: Option<usize>,
    pub(crate) vocab_size: Option<usize>,
    pub(crate) kv_heads: Option<usize>,
    pub(crate) head_size: Option<usize>,
    /// The graph's file, if `genai_config.json` names it.
    pub(crate) file: Option<String>,
}

impl Config {
    /// Reads `config.json` and `genai_config.json`; at least one must exist.
    ///
    /// # Errors
    /// `NotFound` or `InvalidFile`, with the file.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let (plain, genai) = (object(&directory.join("config.json"))?, object(&directory.join(GENAI_CONFIG))?);
        if plain.is_none() && genai.is_none() {
            let message = format!("{}: neither config.json nor {GENAI_CONFIG} is there", directory.display());
            return Err(Error::new(ErrorCode::NotFound, message));
        }
        let from_genai = genai.as_ref().map(Self::of_genai).unwrap_or_default();
        let from_plain = plain.as_ref().map(Self::of_transformers).unwrap_or_default();
        let named = |names: [String; 2]| names.into_iter().find(|name| !name.is_empty());
        Ok(Self {
            architecture: named([from_plain.architecture, from_genai.architecture])
                .unwrap_or_else(|| "decoder".to_owned()),
            max_positions: from_genai.max_positions.or(from_plain.max_positions),
            vocab_size: from_genai.vocab_size.or(from_plain.vocab_size),
            kv_heads: from_genai.kv_heads.or(from_plain.kv_heads),
            head_size: from_genai.head_size.or(from_plain.head_size),
            file: from_genai.file,
        })
    }

    fn of_transformers(config: &Value) -> Self {
        // Vision models have the decoder's numbers one level down.
        let text = config.get("text_config").filter(|text| text.is_object());
        let size = |names: &[&str]| {
            let places = [Some(config), text].into_iter().flatten();
            places.flat_map(|place| names.iter().map(move |name| place.get(*name))).flatten().find_map(number)
        };
        let heads = size(&["num_attention_heads", "n_head", "num_heads"]);
        let width = size(&["hidden_size", "n_embd", "d_model"]);
        let architecture = config["architectures"][0].as_str().or(config["model_type"].as_str());
        Self {
            architecture: architecture.unwrap_or_default().to_owned(),
            max_positions: size(&["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"]),
            vocab_size: size(&["vocab_size"]),
            kv_heads: size(&["num_key_value_heads"]).or(heads),
            head_size: size(&["head_dim"]).or_else(|| width?.checked_div(heads?)),
            file: None,
        }
    }

    fn of_genai(config: &Value) -> Self {
        let (model, decoder) = (&config["model"], &config["model"]["decoder"]);
        Self {
            architecture: model["type"].as_str().unwrap_or_default().to_owned(),
            max_positions: number(&model["context_length"]),
            vocab_size: number(&model["vocab_size"]),
            kv_heads: number(&decoder["num_key_value_heads"]),
            head_size: number(&decoder["head_size"]),
            file: decoder["filename"].as_str().map(str::to_owned),
        }
    }
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|number| (1..1 << 31).contains(number))
}

/// The JSON object in a file; `None` if there is no file.
fn object(path: &Path) -> Result<Option<Value>> {
    let invalid = |problem: String| Error::new(ErrorCode::InvalidFile, format!("{}: {problem}", path.display()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(invalid(format!("can't be opened: {error}"))),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|error| invalid(format!("can't be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(invalid("is too large".to_owned()));
    }
    let value: Value = serde_json::from_slice(&text).map_err(|error| invalid(format!("is not JSON: {error}")))?;
    if !value.is_object() {
        return Err(invalid("is not a JSON object".to_owned()));
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Config> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Config::read(directory.path())
    }

    #[test]
    fn the_numbers_of_transformers_are_read_by_their_names() {
        let text = r#"{"architectures":["GPT2LMHeadModel"],"n_positions":1024,"n_head":4,"n_embd":32,"vocab_size":61}"#;
        let config = read(&[("config.json", text)]).unwrap();
        assert_eq!((config.max_positions, config.kv_heads, config.head_size), (Some(1024), Some(4), Some(8)));
        assert_eq!(config.architecture, "GPT2LMHeadModel");
        let nested = r#"{"model_type":"x","text_config":{"max_position_embeddings":7}}"#;
        assert_eq!(read(&[("config.json", nested)]).unwrap().max_positions, Some(7));
    }

    #[test]
    fn the_numbers_of_genai_come_first() {
        let genai = r#"{"model":{"type":"phi3","context_length":99,"decoder":{"filename":"m.onnx","head_size":16}}}"#;
        let config =
            read(&[("genai_config.json", genai), ("config.json", r#"{"max_position_embeddings":5}"#)]).unwrap();
        assert_eq!(
            (config.max_positions, config.head_size, config.file.as_deref()),
            (Some(99), Some(16), Some("m.onnx"))
        );
        assert_eq!(config.architecture, "phi3");
    }

    #[test]
    fn a_missing_or_broken_file_is_named() {
        assert_eq!(read(&[]).unwrap_err().code, ErrorCode::NotFound);
        for text in ["", "[]", "{"] {
            let error = read(&[("config.json", text)]).unwrap_err();
            assert!(error.code == ErrorCode::InvalidFile && error.message.contains("config.json"), "{error}");
        }
    }
}
