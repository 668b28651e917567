//! What a value of `--model` or `--tokenizer` means.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ModelError;

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The model that is embedded in the program.
    Demo,
    /// A directory that exists.
    Directory(PathBuf),
    /// A repository of the hub.
    Hub(RepositoryId),
}

/// The id of a model on the hub: `organisation/name`, or `name` alone for the oldest ones. Safe as part of a path and
/// of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RepositoryId(String);

impl Source {
    /// Reads a value. `demo` is the embedded model (a directory of that name is `./demo`), a directory that exists is
    /// that directory, and anything else that doesn't look like a path is an id of the hub.
    pub(super) fn parse(value: &str, flag: &'static str) -> Result<Self, ModelError> {
        let invalid = |reason: String| ModelError::InvalidName { flag, value: value.to_owned(), reason };
        if value.trim().is_empty() {
            return Err(invalid("the value is empty".to_owned()));
        }
        if value == "demo" {
            return Ok(Self::Demo);
        }
        let path = Path::new(value);
        if path.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        if path.exists() {
            return Err(ModelError::NotADirectory { path: path.to_owned() });
        }
        if let Some((_, rest)) = value.split_once("://") {
            let id: Vec<_> = rest.split('/').skip(1).take(2).collect();
            return Err(invalid(format!("it is a URL; the hub's id in it may be `{}`", id.join("/"))));
        }
        if looks_like_a_path(value) {
            return Err(ModelError::MissingDirectory { path: path.to_owned() });
        }
        RepositoryId::parse(value).map(Self::Hub).map_err(invalid)
    }
}

fn looks_like_a_path(value: &str) -> bool {
    value.starts_with(['/', '.', '~']) || value.ends_with('/') || value.contains('\\') || value.matches('/').count() > 1
}

impl RepositoryId {
    /// The hub's rule: one or two parts of letters, digits, `-`, `_` and `.`, each at most 96 long, that do not begin or
    /// end with `-` or `.`, without `--` or `..`, and no `.git` at the end.
    pub(super) fn parse(value: &str) -> Result<Self, String> {
        let parts: Vec<_> = value.split('/').collect();
        if parts.len() > 2 {
            return Err("an id of the hub has at most one `/`".to_owned());
        }
        for part in parts {
            let foreign = part.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
            if let Some(character) = foreign {
                return Err(format!("an id of the hub can't have the character {character:?}"));
            }
            if part.is_empty() || part.len() > 96 {
                return Err("each part of an id of the hub has 1 to 96 characters".to_owned());
            }
            if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
                return Err(format!("`{part}` begins or ends with `-` or `.`, which an id of the hub can't"));
            }
        }
        if value.contains("--") || value.contains("..") || value.ends_with(".git") {
            return Err("an id of the hub has no `--`, no `..` and no `.git` at its end".to_owned());
        }
        Ok(Self(value.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(value: &str) -> String {
        Source::parse(value, "--model").unwrap_err().to_string()
    }

    #[test]
    fn ids_of_the_hub_have_one_part_or_two() {
        for id in ["gpt2", "facebook/opt-125m", "mistralai/Mistral-7B-Instruct-v0.2", "Qwen/Qwen2.5-0.5B", "a/b_c"] {
            assert_eq!(Source::parse(id, "--model").unwrap(), Source::Hub(RepositoryId(id.to_owned())));
        }
    }

    #[test]
    fn demo_is_the_embedded_model() {
        assert_eq!(Source::parse("demo", "--model").unwrap(), Source::Demo);
    }

    #[test]
    fn an_id_of_bad_syntax_says_what_is_wrong() {
        for (id, what) in [
            ("", "empty"),
            ("org/my model", "' '"),
            ("org/a--b", "`--`"),
            ("org/-b", "`-b`"),
            ("org/b.", "`b.`"),
            ("org/b.git", ".git"),
            ("örg/b", "'ö'"),
            (&"x".repeat(97), "96"),
        ] {
            let message = refusal(id);
            assert!(message.contains(what) && message.contains("--model"), "{id}: {message}");
        }
    }

    #[test]
    fn a_missing_path_is_not_taken_for_an_id() {
        for path in ["./opt", "/nonexistent/opt", "../x", "~/models/opt", "models/opt/", "a/b/c", "a\\b"] {
            assert!(matches!(Source::parse(path, "--model"), Err(ModelError::MissingDirectory { .. })), "{path}");
        }
    }

    #[test]
    fn a_file_is_refused_with_the_hint_to_give_its_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(refusal(file.path().to_str().unwrap()).contains("directory"));
    }

    #[test]
    fn a_url_is_refused_with_the_id_in_it() {
        assert!(refusal("https://huggingface.co/facebook/opt-125m").contains("`facebook/opt-125m`"));
    }

    proptest! {
        #[test]
        fn an_id_that_is_accepted_stays_inside_a_directory(value in "\\PC{0,40}") {
            if let Ok(id) = RepositoryId::parse(&value) {
                let folder = format!("models--{}", id.as_str().replace('/', "--"));
                prop_assert!(Path::new(&folder).file_name().is_some_and(|name| name == folder.as_str()));
            }
        }
    }
}
