//! `tokenizer.json` from the `vocab.json` and `merges.txt` of older models.
//!
//! Models of the GPT-2 and OPT time, `facebook/opt-125m` among them, have their tokenizer as a vocabulary and a list of
//! merges; what lies around them is fixed by the class `GPT2Tokenizer` of transformers. This writes the same as one
//! `tokenizer.json`, into Jig's own cache: the model's directory may be shared with other programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::ModelError;
use super::extracted::Extractor;
use super::files::{self, LEGACY_TOKENIZER, OPTIONAL, TOKENIZER};

/// The largest list of merges that is read, in bytes. GPT-2's has 0.5 MB.
const MAX_MERGES_BYTES: u64 = 64 << 20;

/// The directory itself if it has a `tokenizer.json`, else one with a `tokenizer.json` made from the older files.
pub(super) fn with_tokenizer_json(directory: &Path, extractor: &Extractor) -> Result<PathBuf, ModelError> {
    if directory.join(TOKENIZER).is_file() {
        return Ok(directory.to_owned());
    }
    let text = convert(directory)?.to_string();
    let mut extracted = vec![(TOKENIZER, text.into_bytes())];
    for name in OPTIONAL {
        let path = directory.join(name);
        if path.is_file() {
            extracted.push((name, fs::read(&path).map_err(ModelError::io(&path, "read the file"))?));
        }
    }
    let extracted: Vec<_> = extracted.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    let converted = extractor.extract("tokenizer", &extracted)?;
    tracing::info!("{}: no {TOKENIZER}; made one from {}", directory.display(), LEGACY_TOKENIZER.join(" and "));
    Ok(converted)
}

/// The content of `tokenizer.json`.
fn convert(directory: &Path) -> Result<Value, ModelError> {
    let optional = |name: &str| {
        let path = directory.join(name);
        if path.is_file() { files::read_object(&path) } else { Ok(Map::new()) }
    };
    let settings = optional("tokenizer_config.json")?;
    if !is_gpt2(&settings, &optional("config.json")?) {
        return Err(files::missing_tokenizer(&directory.display().to_string()));
    }
    let [vocabulary, merges] = LEGACY_TOKENIZER.map(|name| directory.join(name));
    let vocabulary = files::read_object(&vocabulary)?;
    let merges = read_merges(&merges)?;
    let roles = optional("special_tokens_map.json")?;
    let added = added_tokens(&settings, &roles, &vocabulary, &optional("added_tokens.json")?);
    let prefix = settings.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level(prefix, true),
        "post_processor": post_processor(&settings, &roles, &added, prefix),
        "decoder": byte_level(true, true),
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": false,
            "byte_fallback": false,
            "vocab": vocabulary,
            "merges": merges,
        },
    }))
}

/// Whether transformers would read the files as a GPT-2 tokenizer.
fn is_gpt2(settings: &Map<String, Value>, config: &Map<String, Value>) -> bool {
    match settings.get("tokenizer_class").and_then(Value::as_str) {
        Some(class) => matches!(class, "GPT2Tokenizer" | "GPT2TokenizerFast"),
        None => matches!(config.get("model_type").and_then(Value::as_str), Some("gpt2" | "opt")),
    }
}

fn byte_level(add_prefix_space: bool, trim_offsets: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": trim_offsets, "use_regex": true})
}

/// One merge a line, two parts with a space between; a first line `#version` says nothing.
fn read_merges(path: &Path) -> Result<Vec<[String; 2]>, ModelError> {
    let invalid = |problem: String| ModelError::InvalidFile { file: path.display().to_string(), problem };
    let size = fs::metadata(path).map_err(ModelError::io(path, "read the file"))?.len();
    if size > MAX_MERGES_BYTES {
        return Err(invalid(format!("is larger than {} MB", MAX_MERGES_BYTES >> 20)));
    }
    let text = fs::read_to_string(path).map_err(ModelError::io(path, "read the file"))?;
    let mut merges = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (index == 0 && line.starts_with("#version")) {
            continue;
        }
        let merge =
            line.split_once(' ').filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '));
        let (left, right) =
            merge.ok_or_else(|| invalid(format!("line {} is not two parts with a space between", index + 1)))?;
        merges.push([left.to_owned(), right.to_owned()]);
    }
    Ok(merges)
}

/// The text of a special token: a string, or an object with the field `content`.
fn content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// The special token that plays a role such as `bos_token`.
fn role<'a>(name: &str, settings: &'a Map<String, Value>, roles: &'a Map<String, Value>) -> Option<&'a str> {
    settings.get(name).or_else(|| roles.get(name)).and_then(content)
}

/// All tokens that are matched before any merge: the special ones first, then those of `added_tokens.json`.
fn added_tokens(
    settings: &Map<String, Value>,
    roles: &Map<String, Value>,
    vocabulary: &Map<String, Value>,
    added: &Map<String, Value>,
) -> Vec<Value> {
    let mut tokens = BTreeMap::new();
    let mut insert = |text: &str, special: bool| {
        if let Some(id) = vocabulary.get(text).or_else(|| added.get(text)).and_then(Value::as_u64) {
            tokens.entry(id).or_insert_with(|| {
                // There is no normalizer, so `normalized` says nothing.
                json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": special})
            });
        }
    };
    for name in ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] {
        if let Some(text) = role(name, settings, roles) {
            insert(text, true);
        }
    }
    for text in added.keys() {
        insert(text, false);
    }
    tokens.into_values().collect()
}

/// Puts the first token before a text if `add_bos_token` says so, as OPT does.
fn post_processor(settings: &Map<String, Value>, roles: &Map<String, Value>, added: &[Value], prefix: bool) -> Value {
    let wanted = settings.get("add_bos_token").and_then(Value::as_bool).unwrap_or(false);
    let first = role("bos_token", settings, roles).filter(|_| wanted);
    let id =
        first.and_then(|text| added.iter().find(|token| token["content"] == text)).map(|token| token["id"].clone());
    let (Some(first), Some(id)) = (first, id) else { return byte_level(prefix, false) };
    let special = |kind: u8| json!({"SpecialToken": {"id": first, "type_id": kind}});
    let sequence = |name: &str, kind: u8| json!({"Sequence": {"id": name, "type_id": kind}});
    json!({
        "type": "TemplateProcessing",
        "single": [special(0), sequence("A", 0)],
        "pair": [special(0), sequence("A", 0), special(1), sequence("B", 1)],
        "special_tokens": {first: {"id": first, "ids": [id], "tokens": [first]}},
    })
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::*;
    use crate::tokenizer::Tokenizer;
    use tempfile::TempDir;

    /// The characters that stand for the 256 bytes in a byte-level vocabulary: those that can be seen stand for
    /// themselves and come first, the others for what follows 255.
    fn byte_characters() -> Vec<char> {
        let seen = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let hidden = (0..256).filter(|byte| !seen(byte)).count() as u32;
        (0..256).filter(seen).chain(256..256 + hidden).filter_map(char::from_u32).collect()
    }

    /// The same files as `legacy_golden.py` makes.
    fn directory(settings: Value, model_type: &str) -> TempDir {
        let merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld"];
        let tokens = ["<s>", "<pad>", "</s>"].map(str::to_owned).into_iter();
        let tokens = tokens
            .chain(byte_characters().into_iter().map(String::from))
            .chain(merges.map(|merge| merge.replace(' ', "")));
        let vocabulary: Map<String, Value> = tokens.enumerate().map(|(id, token)| (token, id.into())).collect();
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: String| fs::write(directory.path().join(name), content).unwrap();
        write("vocab.json", Value::Object(vocabulary).to_string());
        write("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n")));
        write("tokenizer_config.json", settings.to_string());
        write("config.json", json!({"model_type": model_type}).to_string());
        directory
    }

    fn opt() -> TempDir {
        let token = |text: &str| json!({"__type": "AddedToken", "content": text, "normalized": true});
        let settings = json!({
            "tokenizer_class": "GPT2Tokenizer", "add_bos_token": true, "add_prefix_space": false,
            "bos_token": token("</s>"), "eos_token": token("</s>"), "unk_token": token("</s>"), "pad_token": token("<pad>"),
        });
        directory(settings, "opt")
    }

    fn gpt2() -> TempDir {
        let settings =
            json!({"tokenizer_class": "GPT2Tokenizer", "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>"});
        directory(settings, "gpt2")
    }

    fn converted(directory: &TempDir) -> (TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let extractor = Extractor::new(&Environment::of_pairs([("HOME", home.path().to_str().unwrap())]));
        let converted = with_tokenizer_json(directory.path(), &extractor).unwrap();
        (home, converted)
    }

    /// A directory, and texts with the tokens that transformers makes of them.
    type Case = (TempDir, [(&'static str, &'static [u32]); 5]);

    #[test]
    fn opt_and_gpt2_encode_as_in_transformers() {
        // Made by legacy_golden.py with transformers 5.23.0.
        let cases: [Case; 2] = [
            (
                opt(),
                [
                    ("hello world", &[2, 262, 267]),
                    ("hello</s> world ü", &[2, 262, 2, 267, 223, 130, 123]),
                    ("", &[2]),
                    ("  hello\nworld", &[2, 223, 223, 262, 201, 89, 264, 266]),
                    (" <pad>x", &[2, 223, 1, 90]),
                ],
            ),
            (
                gpt2(),
                [
                    ("hello world", &[262, 267]),
                    ("hello</s> world ü", &[262, 2, 267, 223, 130, 123]),
                    ("", &[]),
                    ("  hello\nworld", &[223, 223, 262, 201, 89, 264, 266]),
                    (" <pad>x", &[223, 30, 82, 67, 70, 32, 90]),
                ],
            ),
        ];
        for (directory, texts) in cases {
            let (_home, converted) = converted(&directory);
            let tokenizer = Tokenizer::load(&converted).unwrap();
            for (text, tokens) in texts {
                assert_eq!(tokenizer.encode(text, true).unwrap(), tokens, "{text:?}");
            }
            assert_eq!(tokenizer.end_tokens(), [2]);
        }
    }

    #[test]
    fn the_models_own_directory_is_left_as_it_was() {
        let directory = opt();
        let (_home, converted) = converted(&directory);
        assert!(!directory.path().join(TOKENIZER).exists());
        assert!(converted.join("tokenizer_config.json").is_file() && converted.join("config.json").is_file());
    }

    #[test]
    fn a_tokenizer_json_that_is_there_is_used() {
        let directory = opt();
        fs::write(directory.path().join(TOKENIZER), "{}").unwrap();
        assert_eq!(converted(&directory).1, directory.path());
    }

    #[test]
    fn another_kind_of_tokenizer_is_refused_with_what_to_do() {
        let directory = directory(json!({"tokenizer_class": "RobertaTokenizer"}), "roberta");
        let message = convert(directory.path()).unwrap_err().to_string();
        assert!(message.contains("tokenizer.json is missing") && message.contains("--tokenizer"), "{message}");
    }

    #[test]
    fn a_merge_that_is_not_two_parts_is_named_by_its_line() {
        let directory = opt();
        for merge in ["ab", "a b c", " b", "a "] {
            fs::write(directory.path().join("merges.txt"), format!("#version: 0.2\nh e\n{merge}\n")).unwrap();
            let message = convert(directory.path()).unwrap_err().to_string();
            assert!(message.contains("merges.txt") && message.contains("line 3"), "{merge:?}: {message}");
        }
    }
}
