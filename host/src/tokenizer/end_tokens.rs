//! Which tokens end a text, by all the files that say so.
//!
//! Chat models have more than one (`<|im_end|>` after an answer, `<|endoftext|>` after a document), and no file names
//! them all: a mask that forgets one lets a text end in the middle of an object.

use std::path::Path;

use serde_json::Value;

use super::library::Library;
use super::{TokenizerError, read_limited};

/// The end tokens that `tokenizer_config.json` names and those of the model's `config.json`,
/// `generation_config.json` and `genai_config.json`, in rising order. Files that are not there say nothing.
pub(super) fn find(
    tokenizer_directory: &Path,
    model_directory: &Path,
    library: &Library,
) -> Result<Vec<u32>, TokenizerError> {
    let mut found = Vec::new();
    if let Some(config) = read(&tokenizer_directory.join("tokenizer_config.json"))? {
        let token = &config["eos_token"];
        let name = token.as_str().or_else(|| token["content"].as_str());
        found.extend(name.and_then(|name| library.token_id(name)));
    }
    for file in ["config.json", "generation_config.json", "genai_config.json"] {
        if let Some(config) = read(&model_directory.join(file))? {
            collect_ids(&config["eos_token_id"], &mut found);
            // Where the decoder is a part of the model, and in genai_config.json.
            for part in ["text_config", "model"] {
                collect_ids(&config[part]["eos_token_id"], &mut found);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// An id or a list of ids. Negative ones, by which some configurations say "none", are left out.
fn collect_ids(value: &Value, into: &mut Vec<u32>) {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    into.extend(values.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()));
}

fn read(path: &Path) -> Result<Option<Value>, TokenizerError> {
    let text = match read_limited(path) {
        Ok(text) => text,
        Err(TokenizerError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let invalid = |error: serde_json::Error| TokenizerError::Invalid {
        path: path.to_owned(),
        message: format!("not a JSON object: {error}"),
    };
    serde_json::from_slice(&text).map(Some).map_err(invalid)
}
