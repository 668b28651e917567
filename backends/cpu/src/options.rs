//! [`Options`]: the options of the backend, by their keys.

use jig_plugin_api::{OptionInfo, Result, options};

use crate::simd::Level;

/// The most threads that are accepted: more are a mistake, and would take memory for their stacks.
const MAX_THREADS: usize = 1024;

/// What the options say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Threads that compute; `None` for as many as the system advises.
    pub(crate) threads: Option<usize>,
    pub(crate) level: Level,
}

impl Options {
    /// Reads pairs of key and value.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown key or a wrong value.
    pub(crate) fn read(pairs: &[(String, String)]) -> Result<Self> {
        let mut read = Self { threads: None, level: Level::best() };
        for option in options::given(pairs) {
            match (option.key, option.value) {
                ("threads", _) => read.threads = option.number_or_auto(1..=MAX_THREADS)?,
                ("instructions", "auto") => read.level = Level::best(),
                ("instructions", name) => {
                    let levels = Level::available();
                    let found = levels.iter().find(|level| level.name() == name);
                    read.level = *found.ok_or_else(|| {
                        let names = levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", ");
                        option.wrong(&format!("one of auto, {names} (on this processor)"))
                    })?;
                }
                _ => return Err(option.unknown("CPU", &Self::describe())),
            }
        }
        Ok(read)
    }

    /// All options, for `jig backends`.
    pub(crate) fn describe() -> Vec<OptionInfo> {
        vec![
            OptionInfo::new("threads", "auto", "threads that compute; auto takes as many as the system advises"),
            OptionInfo::new("instructions", "auto", "auto, avx512, avx2 or portable"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Options> {
        Options::read(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn every_option_that_is_described_is_read() {
        for option in Options::describe() {
            assert!(read(&option.key, &option.default).is_ok(), "{}", option.key);
        }
        assert_eq!(read("threads", "3").unwrap().threads, Some(3));
        assert_eq!(read("instructions", "portable").unwrap().level, Level::Portable);
    }

    #[test]
    fn a_wrong_key_or_value_is_named() {
        for (key, value) in [("threads", "0"), ("threads", "1025"), ("instructions", "mmx"), ("speed", "1")] {
            assert!(read(key, value).unwrap_err().message.contains(&format!("`{key}`")), "{key}={value}");
        }
    }
}
