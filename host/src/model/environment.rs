//! The environment variables, so that tests can set them without touching the process.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Environment variables.
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. Those that are not Unicode are left out.
    pub(super) fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self(
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect(),
        )
    }

    /// The given variables and no others.
    #[cfg(test)]
    pub(super) fn of_pairs<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self::of_slice(&pairs)
    }

    /// The given variables and no others.
    #[cfg(test)]
    pub(super) fn of_slice(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// A variable without the white space around it; `None` where it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether a variable says yes, as huggingface_hub reads it.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
    }

    /// A variable that holds a path; `~` is the home directory.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.get(name)?;
        match (value.strip_prefix('~'), self.get("HOME")) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                Some(format!("{home}{rest}").into())
            }
            _ => Some(value.into()),
        }
    }

    /// The user's cache directory: `XDG_CACHE_HOME`, else `~/.cache`; `None` without a home.
    pub(super) fn cache_home(&self) -> Option<PathBuf> {
        // The XDG specification: a relative path is to be ignored.
        let named = self.path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        named.or_else(|| Some(PathBuf::from(self.get("HOME")?).join(".cache")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_one_that_is_not_set() {
        let environment = Environment::of_pairs([("A", "  "), ("B", " b\n")]);
        assert_eq!((environment.get("A"), environment.get("B"), environment.get("C")), (None, Some("b"), None));
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let environment = Environment::of_pairs([("HOME", "/home/u"), ("A", "~/x"), ("B", "~other/x"), ("C", "~")]);
        assert_eq!(environment.path("A"), Some("/home/u/x".into()));
        assert_eq!(environment.path("B"), Some("~other/x".into()));
        assert_eq!(environment.path("C"), Some("/home/u".into()));
    }

    #[test]
    fn the_cache_is_below_the_home_directory_unless_xdg_says_otherwise() {
        assert_eq!(Environment::of_pairs([("HOME", "/h")]).cache_home(), Some("/h/.cache".into()));
        assert_eq!(Environment::of_pairs([("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]).cache_home(), Some("/x".into()));
        assert_eq!(
            Environment::of_pairs([("HOME", "/h"), ("XDG_CACHE_HOME", "x")]).cache_home(),
            Some("/h/.cache".into())
        );
        assert_eq!(Environment::of_pairs([]).cache_home(), None);
    }
}
