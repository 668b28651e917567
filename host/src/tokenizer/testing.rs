//! A small tokenizer for tests.

use serde_json::{Value, json};

use super::Tokenizer;

/// The end-of-text token of [`byte_level`].
pub(crate) const END: u32 = 263;

/// The number of tokens of [`byte_level`].
pub(crate) const TOKENS: usize = 265;

/// A tokenizer in which token `b` below 256 is byte `b`, with a few longer tokens and [`END`].
pub(crate) fn byte_level() -> Tokenizer {
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::write(directory.path().join("tokenizer.json"), byte_level_json().to_string()).unwrap();
    std::fs::write(directory.path().join("tokenizer_config.json"), r#"{"eos_token": "<|end|>"}"#).unwrap();
    Tokenizer::load(directory.path()).unwrap()
}

/// The characters that stand for the 256 bytes in a byte-level vocabulary, in the order of the bytes.
fn byte_characters() -> Vec<char> {
    let mut next = 0x100;
    let character = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        _ => {
            next += 1;
            char::from_u32(next - 1).unwrap()
        }
    };
    (0..=255).map(character).collect()
}

/// Its `tokenizer.json`.
pub(crate) fn byte_level_json() -> Value {
    let mut names: Vec<String> = byte_characters().into_iter().map(String::from).collect();
    let merges = [("Ġ", "P"), ("ĠP", "a"), ("Ã", "©"), ("\"", ":"), ("ð", "Ł"), ("1", "2")];
    names.extend(merges.iter().map(|(left, right)| format!("{left}{right}")));
    names.push("<s>".to_owned()); // 262: in the vocabulary, and no merge leads to it
    let vocab: serde_json::Map<String, Value> =
        names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [
            {"id": 263, "content": "<|end|>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
            {"id": 264, "content": "<think>", "special": false, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "vocab": vocab,
                  "merges": merges.iter().map(|(l, r)| format!("{l} {r}")).collect::<Vec<_>>()},
    })
}
