//! Which files a model needs, and the check that a directory has them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::error::ModelError;

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// Files that say more about a model or a tokenizer; small, and taken where they exist.
pub(super) const OPTIONAL: [&str; 6] = [
    CONFIG,
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
];

/// The folder in which a model keeps chat templates beside its default one.
const CHAT_TEMPLATES: &str = "additional_chat_templates/";

/// Whether a file is a chat template beside the model's default one.
pub(super) fn is_chat_template(name: &str) -> bool {
    let name = name.strip_prefix(CHAT_TEMPLATES).and_then(|name| name.strip_suffix(".jinja"));
    name.is_some_and(is_plain_name)
}

/// What a tokenizer of the GPT-2 kind has instead of `tokenizer.json`; see `legacy`.
pub(super) const LEGACY_TOKENIZER: [&str; 2] = ["vocab.json", "merges.txt"];

/// The largest JSON file that is read here, in bytes.
const MAX_JSON_BYTES: u64 = 64 << 20;
/// The most files that an index may name. The largest models have a few hundred.
const MAX_SHARDS: usize = 10_000;

/// The file that describes a model of onnxruntime-genai, in place of `config.json` or beside it.
pub(super) const GENAI_CONFIG: &str = "genai_config.json";

/// The files that a backend wants of a model, by the names of all there are; `None` for the safetensors. An error is the backend's.
pub type Choose<'a> = dyn Fn(&[String]) -> Result<Option<Vec<String>>, String> + 'a;

/// What a directory or repository must have.
#[derive(Clone, Copy)]
pub(super) struct Need<'a> {
    /// `config.json` and weights.
    pub(super) model: bool,
    /// Which weights; `None` for the safetensors.
    pub(super) choose: Option<&'a Choose<'a>>,
    /// `tokenizer.json`, or what it can be made from.
    pub(super) tokenizer: bool,
}

/// Where the weights of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// In one file.
    Single,
    /// In the files that an index names.
    Sharded,
}

impl Need<'_> {
    /// The files that the backend chooses from a place with these names; `None` for the safetensors.
    ///
    /// # Errors
    /// What the backend says, and a choice that is not among the names or could lead out of the place.
    pub(super) fn chosen(self, place: &str, names: &[String]) -> Result<Option<Vec<String>>, ModelError> {
        let Some(choose) = self.choose.filter(|_| self.model) else { return Ok(None) };
        let failed = |problem: String| ModelError::Backend { place: place.to_owned(), problem };
        let Some(chosen) = choose(names).map_err(failed)? else { return Ok(None) };
        if !names.iter().any(|name| name == CONFIG || name == GENAI_CONFIG) {
            return Err(missing_config(place));
        }
        match chosen.iter().find(|file| !names.contains(file) || !file.split('/').all(is_plain_name)) {
            None => Ok(Some(chosen)),
            Some(file) => Err(failed(format!("the backend wants the file {file:?}, which is not one of this place"))),
        }
    }
}

/// Finds the weights among the names of a directory or repository. One file wins over an index, as in transformers.
pub(super) fn weights<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> Option<Weights> {
    if names.clone().any(|name| name == SINGLE) {
        return Some(Weights::Single);
    }
    names.any(|name| name == INDEX).then_some(Weights::Sharded)
}

/// Whether there is a tokenizer among the names.
pub(super) fn has_tokenizer<'a>(names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let has = |file: &str| names.clone().any(|name| name == file);
    has(TOKENIZER) || LEGACY_TOKENIZER.into_iter().all(has)
}

/// The error for a place that lacks `config.json`.
pub(super) fn missing_config(place: &str) -> ModelError {
    let remedy =
        "a model has its config.json beside the weights; check that this is a model for transformers".to_owned();
    ModelError::MissingFile { place: place.to_owned(), file: CONFIG.to_owned(), remedy }
}

/// The error for a place that lacks a tokenizer.
pub(super) fn missing_tokenizer(place: &str) -> ModelError {
    let remedy = "name another model's tokenizer with --tokenizer, or make the file in Python: \
                  AutoTokenizer.from_pretrained(MODEL).save_pretrained(DIRECTORY)";
    ModelError::MissingFile { place: place.to_owned(), file: TOKENIZER.to_owned(), remedy: remedy.to_owned() }
}

/// The error for a place without safetensors, which says what it has instead.
pub(super) fn no_weights<'a>(place: &str, names: impl Iterator<Item = &'a str>) -> ModelError {
    const FORMATS: [&str; 8] = [".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx", ".safetensors"];
    let others: BTreeSet<_> = names.filter(|name| FORMATS.iter().any(|format| name.ends_with(format))).collect();
    let shown: Vec<_> = others.iter().take(4).copied().collect();
    let (found, remedy) = if others.is_empty() {
        ("no weights of any kind".to_owned(), "check that this is a model and that all of it is there".to_owned())
    } else if others.iter().all(|name| name.ends_with(".safetensors")) {
        (shown.join(", "), format!("the weights must be {SINGLE}, or several files with {INDEX}"))
    } else {
        let remedy = "convert it in Python: AutoModelForCausalLM.from_pretrained(MODEL).save_pretrained(DIRECTORY), and the \
                      same with AutoTokenizer; then give --model DIRECTORY";
        (shown.join(", "), remedy.to_owned())
    };
    ModelError::NoWeights { place: place.to_owned(), found, remedy }
}

/// Reads a JSON object from a file.
pub(super) fn read_object(path: &Path) -> Result<serde_json::Map<String, Value>, ModelError> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(ModelError::io(path, "open the file"))?;
    file.take(MAX_JSON_BYTES + 1).read_to_end(&mut text).map_err(ModelError::io(path, "read the file"))?;
    let invalid = |problem: String| ModelError::InvalidFile { file: path.display().to_string(), problem };
    if text.len() as u64 > MAX_JSON_BYTES {
        return Err(invalid(format!("is larger than {} MB", MAX_JSON_BYTES >> 20)));
    }
    match serde_json::from_slice(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(invalid("is JSON, but not an object".to_owned())),
        Err(error) => Err(invalid(format!("is not JSON: {error}"))),
    }
}

/// The files that an index names. A name that could lead out of the directory is an error.
pub(super) fn shards(index: &Path) -> Result<BTreeSet<String>, ModelError> {
    let invalid = |problem: String| ModelError::InvalidFile { file: index.display().to_string(), problem };
    let object = read_object(index)?;
    let map = object.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| invalid("the field `weight_map` is not an object".to_owned()))?;
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        let file = file.as_str().filter(|file| is_plain_name(file) && file.ends_with(".safetensors"));
        let file = file.ok_or_else(|| {
            invalid(format!("the field `weight_map.{tensor}` is not the name of a .safetensors file beside the index"))
        })?;
        files.insert(file.to_owned());
    }
    match files.len() {
        0 => Err(invalid("the field `weight_map` names no file".to_owned())),
        count if count > MAX_SHARDS => Err(invalid(format!("names {count} files; at most {MAX_SHARDS} are read"))),
        _ => Ok(files),
    }
}

/// A name that can't lead out of its directory, on no file system.
fn is_plain_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|last| last == name)
        && !name.starts_with('.')
        && name.len() <= 255
        && !name.contains(|c: char| matches!(c, '/' | '\\' | ':') || c.is_control())
}

/// Makes sure that a directory has what is needed.
///
/// # Errors
/// The first file that is missing or not what it should be.
pub(super) fn check(directory: &Path, need: Need<'_>) -> Result<(), ModelError> {
    let place = directory.display().to_string();
    let names = list(directory, "")?;
    let chosen = match need.choose {
        Some(_) => need.chosen(&place, &with_folders(directory, &names)?)?,
        None => None,
    };
    let names = || names.iter().map(String::as_str);
    if need.model && chosen.is_none() {
        if !names().any(|name| name == CONFIG) {
            return Err(missing_config(&place));
        }
        read_object(&directory.join(CONFIG))?;
        match weights(names()) {
            None => return Err(no_weights(&place, names())),
            Some(Weights::Single) => {}
            Some(Weights::Sharded) => {
                for file in shards(&directory.join(INDEX))? {
                    if !names().any(|name| name == file) {
                        let remedy = format!("{INDEX} names it; the model is incomplete");
                        return Err(ModelError::MissingFile { place, file, remedy });
                    }
                }
            }
        }
    }
    if need.tokenizer && !has_tokenizer(names()) {
        return Err(missing_tokenizer(&place));
    }
    Ok(())
}

/// The names of the files in a directory, with `prefix` before each. A link that leads nowhere is no file.
fn list(directory: &Path, prefix: &str) -> Result<Vec<String>, ModelError> {
    let failed = || ModelError::io(directory, "list the directory");
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if let Ok(name) = entry.file_name().into_string()
            && entry.path().is_file()
        {
            names.push(format!("{prefix}{name}"));
        }
    }
    Ok(names)
}

/// Adds the files of the folders inside of a directory, as `FOLDER/NAME`.
fn with_folders(directory: &Path, files: &[String]) -> Result<Vec<String>, ModelError> {
    let failed = || ModelError::io(directory, "list the directory");
    let mut names = files.to_vec();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
            && entry.path().is_dir()
        {
            names.extend(list(&entry.path(), &format!("{name}/"))?);
        }
    }
    Ok(names)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use tempfile::TempDir;

    const ALL: Need<'_> = Need { model: true, choose: None, tokenizer: true };

    /// A directory with the files of a small model, whose weights are empty.
    pub(in crate::model) fn model_directory() -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (file, content) in [(CONFIG, "{}"), (TOKENIZER, "{}"), (SINGLE, "")] {
            fs::write(directory.path().join(file), content).unwrap();
        }
        directory
    }

    fn refusal(directory: &TempDir) -> String {
        check(directory.path(), ALL).unwrap_err().to_string()
    }

    #[test]
    fn a_complete_directory_passes() {
        check(model_directory().path(), ALL).unwrap();
    }

    #[test]
    fn each_missing_file_is_named() {
        for file in [CONFIG, TOKENIZER] {
            let directory = model_directory();
            fs::remove_file(directory.path().join(file)).unwrap();
            assert!(refusal(&directory).contains(&format!("{file} is missing")));
        }
    }

    #[test]
    fn a_config_that_is_no_json_object_is_named() {
        for (content, problem) in [("{", "not JSON"), ("[]", "not an object"), ("\u{1}", "not JSON")] {
            let directory = model_directory();
            fs::write(directory.path().join(CONFIG), content).unwrap();
            let message = refusal(&directory);
            assert!(message.contains(CONFIG) && message.contains(problem), "{message}");
        }
    }

    #[test]
    fn other_weights_are_named_with_how_to_convert_them() {
        let directory = model_directory();
        fs::rename(directory.path().join(SINGLE), directory.path().join("pytorch_model.bin")).unwrap();
        let message = refusal(&directory);
        assert!(message.contains("pytorch_model.bin") && message.contains("save_pretrained"), "{message}");
        fs::remove_file(directory.path().join("pytorch_model.bin")).unwrap();
        assert!(refusal(&directory).contains("no weights of any kind"));
        fs::write(directory.path().join("weights.safetensors"), "").unwrap();
        assert!(refusal(&directory).contains("must be model.safetensors"));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_missing_file() {
        let directory = model_directory();
        fs::remove_file(directory.path().join(SINGLE)).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join(SINGLE)).unwrap();
        assert!(refusal(&directory).contains("safetensors"));
    }

    #[test]
    fn all_files_of_an_index_must_be_there() {
        let directory = model_directory();
        fs::remove_file(directory.path().join(SINGLE)).unwrap();
        let index = r#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}}"#;
        fs::write(directory.path().join(INDEX), index).unwrap();
        fs::write(directory.path().join("model-1.safetensors"), "").unwrap();
        assert!(refusal(&directory).contains("model-2.safetensors"));
        fs::write(directory.path().join("model-2.safetensors"), "").unwrap();
        check(directory.path(), ALL).unwrap();
    }

    #[test]
    fn an_index_can_not_lead_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let index = directory.path().join(INDEX);
        for name in [
            "../x.safetensors",
            "/x.safetensors",
            "a/b.safetensors",
            "a\\b.safetensors",
            ".x.safetensors",
            "x\u{0}.safetensors",
        ] {
            fs::write(&index, serde_json::json!({"weight_map": {"t": name}}).to_string()).unwrap();
            let message = shards(&index).unwrap_err().to_string();
            assert!(message.contains("weight_map.t"), "{name}: {message}");
        }
    }

    #[test]
    fn an_index_of_a_wrong_shape_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let index = directory.path().join(INDEX);
        for content in [
            "{}",
            r#"{"weight_map":[]}"#,
            r#"{"weight_map":{}}"#,
            r#"{"weight_map":{"a":1}}"#,
            r#"{"weight_map":{"a":"x.bin"}}"#,
        ] {
            fs::write(&index, content).unwrap();
            assert!(shards(&index).unwrap_err().to_string().contains("weight_map"), "{content}");
        }
    }

    #[test]
    fn a_backend_that_chooses_its_files_needs_no_safetensors() {
        let directory = model_directory();
        fs::remove_file(directory.path().join(SINGLE)).unwrap();
        fs::create_dir(directory.path().join("onnx")).unwrap();
        fs::write(directory.path().join("onnx/model.onnx"), "").unwrap();
        let onnx = |names: &[String]| {
            let found: Vec<_> = names.iter().filter(|name| name.ends_with(".onnx")).cloned().collect();
            if found.is_empty() { Err("no ONNX".to_owned()) } else { Ok(Some(found)) }
        };
        let need = Need { choose: Some(&onnx), ..ALL };
        check(directory.path(), need).unwrap();
        assert!(refusal(&directory).contains("safetensors"));
        fs::rename(directory.path().join(CONFIG), directory.path().join(GENAI_CONFIG)).unwrap();
        check(directory.path(), need).unwrap();
        fs::remove_file(directory.path().join(GENAI_CONFIG)).unwrap();
        assert!(check(directory.path(), need).unwrap_err().to_string().contains(CONFIG));
        fs::remove_file(directory.path().join("onnx/model.onnx")).unwrap();
        assert!(check(directory.path(), need).unwrap_err().to_string().contains("no ONNX"));
        for file in ["../x", "config.json/..", "missing"] {
            let outside = |_: &[String]| Ok(Some(vec![file.to_owned()]));
            let need = Need { choose: Some(&outside), ..ALL };
            fs::write(directory.path().join(CONFIG), "{}").unwrap();
            assert!(check(directory.path(), need).unwrap_err().to_string().contains(file), "{file}");
        }
    }

    #[test]
    fn vocabulary_and_merges_stand_in_for_a_tokenizer() {
        assert!(has_tokenizer(["vocab.json", "merges.txt"].into_iter()));
        assert!(!has_tokenizer(["vocab.json"].into_iter()));
    }
}
