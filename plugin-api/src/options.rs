//! Reading the options of a backend, which users set by `--backend-option KEY=VALUE`.
//!
//! A backend matches on the key of each [`Given`] option and reads its value by a method here, so that a wrong option reads
//! the same whatever the backend is.
//!
//! ```
//! use jig_plugin_api::{OptionInfo, options};
//!
//! fn graphs(pairs: &[(String, String)]) -> jig_plugin_api::Result<bool> {
//!     let known = [OptionInfo::new("graphs", "on", "on records steps, off does not")];
//!     let mut graphs = true;
//!     for option in options::given(pairs) {
//!         match option.key {
//!             "graphs" => graphs = option.choice(&[("on", true), ("off", false)])?,
//!             _ => return Err(option.unknown("CUDA", &known)),
//!         }
//!     }
//!     Ok(graphs)
//! }
//!
//! let set = |value: &str| graphs(&[("graphs".to_owned(), value.to_owned())]);
//! assert_eq!(set("off"), Ok(false));
//! assert_eq!(set("yes").unwrap_err().message, "option `graphs`: `yes` is not on or off");
//! ```

use std::ops::RangeInclusive;

use crate::{Error, OptionInfo, Result};

/// An option that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its value, as the user wrote it.
    pub value: &'a str,
}

/// The options of [`ModelSpec::options`](crate::ModelSpec::options) in their order: of two with the same key, the later one holds.
pub fn given(pairs: &[(String, String)]) -> impl Iterator<Item = Given<'_>> {
    pairs.iter().map(|(key, value)| Given { key, value })
}

impl Given<'_> {
    /// What the value stands for, by a table of all values.
    ///
    /// # Errors
    /// `InvalidArgument` for any other value, with those of the table.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T> {
        let found = choices.iter().find(|(name, _)| *name == self.value);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong(&match names.as_slice() {
                [names @ .., last] if !names.is_empty() => format!("{} or {last}", names.join(", ")),
                names => names.concat(),
            })
        })
    }

    /// A number within limits; `None` for `auto`.
    ///
    /// # Errors
    /// `InvalidArgument` for any other value, with the limits.
    pub fn number_or_auto(&self, limits: RangeInclusive<usize>) -> Result<Option<usize>> {
        if self.value == "auto" {
            return Ok(None);
        }
        let number = self.value.parse().ok().filter(|number| limits.contains(number));
        let (least, most) = (limits.start(), limits.end());
        number.map(Some).ok_or_else(|| self.wrong(&format!("auto or a number from {least} to {most}")))
    }

    /// The error for a value that is not `wanted`.
    #[must_use]
    pub fn wrong(&self, wanted: &str) -> Error {
        let Self { key, value } = self;
        Error::invalid_argument(format!("option `{key}`: `{value}` is not {wanted}"))
    }

    /// The error for a key that is not one of `known`, the options of the backend of this name (`CUDA`).
    #[must_use]
    pub fn unknown(&self, backend: &str, known: &[OptionInfo]) -> Error {
        let keys: Vec<&str> = known.iter().map(|option| option.key.as_str()).collect();
        let (key, keys) = (self.key, keys.join(", "));
        Error::invalid_argument(format!("option `{key}`: the {backend} backend has no such option; it has {keys}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(value: &str) -> Given<'_> {
        Given { key: "speed", value }
    }

    #[test]
    fn a_value_that_is_no_choice_is_refused_with_all_choices() {
        let choices = [("low", 1), ("high", 2), ("highest", 3)];
        assert_eq!(option("high").choice(&choices), Ok(2));
        let refused = |choices: &[(&str, u32)]| option("").choice(choices).unwrap_err().message;
        assert_eq!(refused(&choices), "option `speed`: `` is not low, high or highest");
        assert_eq!(refused(&choices[..2]), "option `speed`: `` is not low or high");
        assert_eq!(refused(&choices[..1]), "option `speed`: `` is not low");
    }

    #[test]
    fn a_number_out_of_limits_is_refused_with_the_limits() {
        assert_eq!(option("auto").number_or_auto(1..=8), Ok(None));
        assert_eq!(option("8").number_or_auto(1..=8), Ok(Some(8)));
        for value in ["0", "9", "-1", "1.0", "many", ""] {
            let message = option(value).number_or_auto(1..=8).unwrap_err().message;
            assert_eq!(message, format!("option `speed`: `{value}` is not auto or a number from 1 to 8"));
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let known = [OptionInfo::new("threads", "auto", ""), OptionInfo::new("graphs", "on", "")];
        let message = option("1").unknown("CPU", &known).message;
        assert_eq!(message, "option `speed`: the CPU backend has no such option; it has threads, graphs");
        let pairs = [("a".to_owned(), "b".to_owned())];
        assert_eq!(given(&pairs).collect::<Vec<_>>(), [Given { key: "a", value: "b" }]);
    }
}
