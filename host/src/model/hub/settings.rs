//! The environment variables of huggingface_hub, with the meaning they have there.

use std::fmt;
use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::environment::Environment;
use crate::model::error::ModelError;

/// How to reach the hub, and where its cache is.
#[derive(Clone, Debug)]
pub(in crate::model) struct Settings {
    /// `HF_ENDPOINT`, without a slash at the end.
    pub(super) endpoint: String,
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`.
    pub(super) cache: PathBuf,
    /// `HF_TOKEN`, or what `hf auth login` has stored.
    pub(super) token: Option<Token>,
    /// The variable that forbids the network.
    pub(super) offline: Option<&'static str>,
    /// Certificates to trust instead of the built-in ones.
    pub(super) certificates: Option<PathBuf>,
    /// Whether to draw bars.
    pub(super) bars: bool,
    pub(super) retry: Retry,
}

/// An access token. Its text never shows in logs or errors.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) secret: String,
    /// The variable or file that it comes from.
    pub(super) source: String,
}

/// How often to try again, and how long to wait.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    /// Attempts in a row that bring nothing, before giving up. At least 1.
    pub(super) attempts: u32,
    /// The first wait; each further one is twice as long.
    pub(super) first_wait: Duration,
    /// The longest wait.
    pub(super) longest_wait: Duration,
    /// To connect, and to wait for an answer.
    pub(super) connect_timeout: Duration,
    /// Without a byte of the answer.
    pub(super) read_timeout: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// How long to wait after the given number of failures, if the server doesn't say.
    pub(super) fn wait(&self, failures: u32, asked_for: Option<Duration>) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16));
        asked_for.unwrap_or(doubled).min(self.longest_wait)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.source)
    }
}

impl Settings {
    /// Reads the variables.
    ///
    /// # Errors
    /// A variable that can't be used, or no home directory and no `HF_HOME`.
    pub(in crate::model) fn read(environment: &Environment) -> Result<Self, ModelError> {
        let home = environment.path("HF_HOME").or_else(|| Some(environment.cache_home()?.join("huggingface")));
        let named = environment.path("HF_HUB_CACHE").or_else(|| environment.path("HUGGINGFACE_HUB_CACHE"));
        let cache = named.or_else(|| Some(home.as_ref()?.join("hub"))).ok_or_else(|| ModelError::Setting {
            variable: "HF_HOME".to_owned(),
            problem: "neither it nor HOME is set, so there is no place for the model; set it to a directory".to_owned(),
        })?;
        let endpoint = environment.get("HF_ENDPOINT").unwrap_or("https://huggingface.co").trim_end_matches('/');
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            let problem = format!("`{endpoint}` does not begin with https:// or http://");
            return Err(ModelError::Setting { variable: "HF_ENDPOINT".to_owned(), problem });
        }
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().find(|name| environment.flag(name));
        let certificates = ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"].into_iter().find_map(|name| environment.path(name));
        Ok(Self {
            endpoint: endpoint.to_owned(),
            cache,
            token: Token::find(environment, home)?,
            offline,
            certificates,
            bars: std::io::stderr().is_terminal() && !environment.flag("HF_HUB_DISABLE_PROGRESS_BARS"),
            retry: Retry::default(),
        })
    }
}

impl Token {
    fn find(environment: &Environment, home: Option<PathBuf>) -> Result<Option<Self>, ModelError> {
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(secret) = environment.get(name) {
                return Self::new(secret, name.to_owned()).map(Some);
            }
        }
        if environment.flag("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return Ok(None);
        }
        let file = environment.path("HF_TOKEN_PATH").or_else(|| Some(home?.join("token")));
        // A token file that is missing or can't be read is the same as none: public models need no token.
        let stored = file.and_then(|file| Some((fs::read_to_string(&file).ok()?, file)));
        match stored {
            Some((secret, file)) if !secret.trim().is_empty() => {
                Self::new(secret.trim(), format!("the file {}", file.display())).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn new(secret: &str, source: String) -> Result<Self, ModelError> {
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "is not an access token: it has white space or other foreign characters within".to_owned();
            return Err(ModelError::Setting { variable: source, problem });
        }
        Ok(Self { secret: secret.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cache = |environment: Environment| Settings::read(&environment).unwrap().cache;
        assert_eq!(cache(Environment::of_pairs([("HOME", "/h")])), PathBuf::from("/h/.cache/huggingface/hub"));
        assert_eq!(cache(Environment::of_pairs([("HOME", "/h"), ("HF_HOME", "/d")])), PathBuf::from("/d/hub"));
        assert_eq!(cache(Environment::of_pairs([("HF_HUB_CACHE", "/c"), ("HF_HOME", "/d")])), PathBuf::from("/c"));
        assert_eq!(cache(Environment::of_pairs([("XDG_CACHE_HOME", "/x")])), PathBuf::from("/x/huggingface/hub"));
    }

    #[test]
    fn without_any_home_the_variable_to_set_is_named() {
        let error = Settings::read(&Environment::of_pairs([])).unwrap_err().to_string();
        assert!(error.contains("HF_HOME"), "{error}");
    }

    #[test]
    fn a_token_comes_from_the_variable_or_the_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let token = |environment: Environment| Settings::read(&environment).unwrap().token.map(|token| token.secret);
        assert_eq!(token(Environment::of_pairs([("HF_HOME", path)])), Some("hf_file".to_owned()));
        assert_eq!(token(Environment::of_pairs([("HF_HOME", path), ("HF_TOKEN", "hf_v")])), Some("hf_v".to_owned()));
        assert_eq!(token(Environment::of_pairs([("HF_HOME", path), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")])), None);
    }

    #[test]
    fn a_token_never_shows() {
        let environment = Environment::of_pairs([("HOME", "/h"), ("HF_TOKEN", "hf_secret")]);
        assert!(!format!("{:?}", Settings::read(&environment).unwrap()).contains("hf_secret"));
        let environment = Environment::of_pairs([("HOME", "/h"), ("HF_TOKEN", "hf secret")]);
        let error = Settings::read(&environment).unwrap_err().to_string();
        assert!(error.contains("HF_TOKEN") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn an_endpoint_is_a_url() {
        let environment = Environment::of_pairs([("HOME", "/h"), ("HF_ENDPOINT", "hub.example")]);
        assert!(Settings::read(&environment).unwrap_err().to_string().contains("HF_ENDPOINT"));
        let environment = Environment::of_pairs([("HOME", "/h"), ("HF_ENDPOINT", "http://hub.example/")]);
        assert_eq!(Settings::read(&environment).unwrap().endpoint, "http://hub.example");
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry::default();
        assert_eq!(retry.wait(1, None), Duration::from_millis(500));
        assert_eq!(retry.wait(3, None), Duration::from_secs(2));
        assert_eq!(retry.wait(60, None), retry.longest_wait);
        assert_eq!(retry.wait(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(retry.wait(1, Some(Duration::from_secs(7000))), retry.longest_wait);
    }
}
