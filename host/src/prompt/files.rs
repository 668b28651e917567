//! All places in which models keep templates and special tokens.
//!
//! The first of these that is there holds the template: the command line, `chat_template.jinja`, `tokenizer_config.json`,
//! `chat_template.json`. A model may have several by name: beside `chat_template.jinja` in `additional_chat_templates/NAME.jinja`, or in a
//! list of `tokenizer_config.json`. That of the name `default` is taken, and `tool_use` for conversations with tools.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::TemplateError;

/// The largest template that is read. The largest in use have about 30 KB.
const MAX_TEMPLATE_BYTES: u64 = 4 << 20;
/// The largest JSON file that is read.
const MAX_JSON_BYTES: u64 = 64 << 20;

const DEFAULT: &str = "default";
const TOOL_USE: &str = "tool_use";

/// The templates of a model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where they are from.
    pub(super) source: String,
    pub(super) default: String,
    /// For conversations with tools.
    pub(super) with_tools: Option<String>,
}

/// Finds a model's templates in directories, the first of which that has some wins. `flag` is the value of `--chat-template`: a file, a
/// template, or the name of one of the model's own.
///
/// # Errors
/// A file that can't be read or is malformed, a flag that is none of the three.
pub(super) fn find(directories: &[&Path], flag: Option<&str>) -> Result<Option<Found>, TemplateError> {
    let named = match flag {
        Some(flag) => match of_flag(flag)? {
            Some(found) => return Ok(Some(found)),
            None => Some(flag),
        },
        None => None,
    };
    let mut known = Vec::new();
    for directory in directories {
        let Some((path, mut templates)) = of_directory(directory)? else { continue };
        let name = named.unwrap_or(DEFAULT);
        let source = match named {
            None => path.display().to_string(),
            Some(name) => format!("{}, `{name}`", path.display()),
        };
        if let Some(default) = templates.remove(name) {
            // Who names a template wants that one for all conversations.
            let with_tools = templates.remove(TOOL_USE).filter(|_| named.is_none());
            return Ok(Some(Found { source, default, with_tools }));
        }
        known.extend(templates.into_keys().map(|name| format!("`{name}`")));
    }
    let known = known.join(", ");
    match named {
        Some(flag) => {
            let own = if known.is_empty() { "this model has none".to_owned() } else { format!("here {known}") };
            let problem = format!(
                "--chat-template `{flag}`: there is no such file; give a file, a template, which has a `{{`, or the name of one of the \
                 model's own ({own})"
            );
            Err(TemplateError::Flag(problem))
        }
        None if !known.is_empty() => {
            let problem = format!(
                "this model has the chat templates {known} and none is its default; name one with --chat-template"
            );
            Err(TemplateError::Flag(problem))
        }
        None => Ok(None),
    }
}

fn of_flag(flag: &str) -> Result<Option<Found>, TemplateError> {
    let path = Path::new(flag);
    if path.is_file() {
        let default = text(path, MAX_TEMPLATE_BYTES)?.unwrap_or_default();
        return Ok(Some(Found { source: path.display().to_string(), default, with_tools: None }));
    }
    let is_template = flag.contains('{');
    let found = || Found { source: "--chat-template".to_owned(), default: flag.to_owned(), with_tools: None };
    Ok(is_template.then(found))
}

/// Templates by name.
type ByName = BTreeMap<String, String>;

/// The templates of a directory, and the file that they are from.
fn of_directory(directory: &Path) -> Result<Option<(PathBuf, ByName)>, TemplateError> {
    let path = directory.join("chat_template.jinja");
    let mut templates = ByName::new();
    if let Some(template) = text(&path, MAX_TEMPLATE_BYTES)? {
        templates.insert(DEFAULT.to_owned(), template);
    }
    if let Ok(entries) = std::fs::read_dir(directory.join("additional_chat_templates")) {
        for entry in entries.flatten().map(|entry| entry.path()) {
            let name = entry.file_stem().and_then(|name| name.to_str()).map(ToOwned::to_owned);
            if entry.extension().is_some_and(|extension| extension == "jinja")
                && let (Some(name), Some(template)) = (name, text(&entry, MAX_TEMPLATE_BYTES)?)
            {
                templates.insert(name, template);
            }
        }
    }
    if !templates.is_empty() {
        return Ok(Some((path, templates)));
    }
    for file in ["tokenizer_config.json", "chat_template.json"] {
        let path = directory.join(file);
        let Some(object) = object(&path)? else { continue };
        let invalid = || TemplateError::Invalid {
            path: path.clone(),
            problem: "`chat_template` must be a text, or a list of {\"name\", \"template\"}".to_owned(),
        };
        match object.get("chat_template") {
            None | Some(Value::Null) => {}
            Some(Value::String(template)) => {
                return Ok(Some((path, ByName::from([(DEFAULT.to_owned(), template.clone())]))));
            }
            Some(Value::Array(list)) => {
                let named = list.iter().map(|entry| {
                    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
                    text("name").zip(text("template")).ok_or_else(invalid)
                });
                return Ok(Some((path.clone(), named.collect::<Result<_, _>>()?)));
            }
            Some(Value::Object(list)) => {
                let named = list.iter().map(|(name, template)| {
                    let template = template.as_str().ok_or_else(invalid)?;
                    Ok((name.clone(), template.to_owned()))
                });
                return Ok(Some((path.clone(), named.collect::<Result<_, TemplateError>>()?)));
            }
            Some(_) => return Err(invalid()),
        }
    }
    Ok(None)
}

/// The named special tokens of a model, as variables of templates: `bos_token`, `eos_token` and all others that its files name. The first
/// directory that names one wins.
///
/// # Errors
/// A file that can't be read or is no JSON object.
pub(super) fn variables(directories: &[&Path]) -> Result<Map<String, Value>, TemplateError> {
    let mut variables = Map::new();
    for directory in directories {
        for file in ["tokenizer_config.json", "special_tokens_map.json"] {
            let Some(object) = object(&directory.join(file))? else { continue };
            let extra = object.get("extra_special_tokens").and_then(Value::as_object);
            for (name, value) in object.iter().chain(extra.into_iter().flatten()) {
                let value = match (name.as_str(), value) {
                    ("additional_special_tokens", Value::Array(tokens)) => {
                        tokens.iter().filter_map(token_text).map(Value::from).collect()
                    }
                    (name, value) if name.ends_with("_token") => match token_text(value) {
                        Some(text) => Value::from(text),
                        None => continue,
                    },
                    _ => continue,
                };
                variables.entry(name.clone()).or_insert(value);
            }
        }
    }
    Ok(variables)
}

/// The text of a token that is a text itself, or an object with its `content`.
fn token_text(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// The text of a file; `None` where it is not there.
fn text(path: &Path, most: u64) -> Result<Option<String>, TemplateError> {
    let read = |source| TemplateError::Read { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read(error)),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(read)?;
    let invalid = |problem: String| TemplateError::Invalid { path: path.to_owned(), problem };
    if bytes.len() as u64 > most {
        return Err(invalid(format!("is larger than {} MiB", most >> 20)));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| invalid(error.to_string()))
}

fn object(path: &Path) -> Result<Option<Map<String, Value>>, TemplateError> {
    let Some(text) = text(path, MAX_JSON_BYTES)? else { return Ok(None) };
    let invalid = |error: serde_json::Error| TemplateError::Invalid {
        path: path.to_owned(),
        problem: format!("is not a JSON object: {error}"),
    };
    serde_json::from_str(&text).map(Some).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        directory
    }

    fn found(files: &[(&str, &str)], flag: Option<&str>) -> Result<Option<(String, Option<String>)>, TemplateError> {
        let directory = directory(files);
        Ok(find(&[directory.path()], flag)?.map(|found| (found.default, found.with_tools)))
    }

    fn default(text: &str) -> Option<(String, Option<String>)> {
        Some((text.to_owned(), None))
    }

    #[test]
    fn each_place_is_read_and_the_first_wins() {
        let (config, json) = (
            ("tokenizer_config.json", r#"{"chat_template": "c"}"#),
            ("chat_template.json", r#"{"chat_template": "d"}"#),
        );
        let jinja = ("chat_template.jinja", "a");
        assert_eq!(found(&[json], None).expect("a template"), default("d"));
        assert_eq!(found(&[json, config], None).expect("a template"), default("c"));
        assert_eq!(found(&[json, config, jinja], None).expect("a template"), default("a"));
        assert_eq!(found(&[json, config, jinja], Some("{{ x }}")).expect("a template"), default("{{ x }}"));
        assert_eq!(found(&[("tokenizer_config.json", r#"{"chat_template": null}"#)], None).expect("no error"), None);
        assert_eq!(found(&[], None).expect("no error"), None);
    }

    #[test]
    fn the_template_for_tools_is_found_in_lists_and_in_files() {
        let list =
            r#"{"chat_template": [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]}"#;
        let both = Some(("a".to_owned(), Some("b".to_owned())));
        assert_eq!(found(&[("tokenizer_config.json", list)], None).expect("templates"), both);
        let files = [("chat_template.jinja", "a"), ("additional_chat_templates/tool_use.jinja", "b")];
        assert_eq!(found(&files, None).expect("templates"), both);
        assert_eq!(found(&files, Some("tool_use")).expect("a template"), default("b"));
    }

    #[test]
    fn a_flag_that_is_nothing_says_what_there_is() {
        let list = r#"{"chat_template": [{"name": "rag", "template": "a"}]}"#;
        let error = |flag| found(&[("tokenizer_config.json", list)], flag).expect_err("an error").to_string();
        assert!(error(Some("nowhere.jinja")).contains("`rag`"));
        assert!(error(None).contains("--chat-template"));
    }

    #[test]
    fn a_malformed_file_is_named() {
        for text in ["{", r#"{"chat_template": 1}"#, r#"{"chat_template": [{"name": "a"}]}"#] {
            let error = found(&[("tokenizer_config.json", text)], None).expect_err("an error").to_string();
            assert!(error.contains("tokenizer_config.json"), "{error}");
        }
    }

    #[test]
    fn special_tokens_are_texts_or_objects_and_those_without_one_are_left_out() {
        let directory = directory(&[
            (
                "tokenizer_config.json",
                r#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null, "add_bos_token": true,
                    "extra_special_tokens": {"image_token": "<image>"}, "additional_special_tokens": ["<a>", {"content": "<b>"}]}"#,
            ),
            ("special_tokens_map.json", r#"{"eos_token": "<other>", "unk_token": {"content": "<unk>"}}"#),
        ]);
        let variables = variables(&[directory.path()]).expect("variables");
        let expected = serde_json::json!({"bos_token": "<s>", "eos_token": "</s>", "additional_special_tokens": ["<a>", "<b>"],
            "image_token": "<image>", "unk_token": "<unk>"});
        assert_eq!(Value::Object(variables), expected);
    }
}
