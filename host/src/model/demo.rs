//! The model that is embedded in the program, so that the first minute needs no download.

use std::path::PathBuf;

use super::error::ModelError;
use super::extracted::{Embedded, Extractor};

/// The files of the model, as its training program left them.
const FILES: [Embedded<'static>; 6] = [
    ("config.json", include_bytes!("../../demo/config.json")),
    ("generation_config.json", include_bytes!("../../demo/generation_config.json")),
    ("tokenizer.json", include_bytes!("../../demo/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../demo/tokenizer_config.json")),
    ("chat_template.jinja", include_bytes!("../../demo/chat_template.jinja")),
    ("model.safetensors", include_bytes!("../../demo/model.safetensors")),
];

/// Makes sure that the model lies in a directory, and says where.
pub(super) fn extract(extractor: &Extractor) -> Result<PathBuf, ModelError> {
    extractor.extract("demo", &FILES)
}
