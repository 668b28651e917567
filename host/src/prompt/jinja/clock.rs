//! The time that templates ask for.

use jiff::civil::DateTime;
use minijinja::{Error, ErrorKind};

/// The time that templates ask for with `strftime_now`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The local time of this machine.
    #[default]
    Local,
    /// Always the same, so that prompts are.
    Fixed(DateTime),
}

impl Clock {
    /// A fixed time, as `2026-01-31 12:00:00` or `2026-01-31`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn fixed(text: &str) -> Result<Self, String> {
        let time = text.trim().parse::<DateTime>();
        time.map(Self::Fixed)
            .map_err(|error| format!("`{text}` is no date and time such as `2026-01-31 12:00:00`: {error}"))
    }

    pub(super) fn format(self, format: &str) -> Result<String, Error> {
        let now = match self {
            Self::Local => jiff::ZonedDateTime::now().datetime(),
            Self::Fixed(time) => time,
        };
        jiff::fmt::strtime::format(format, now).map_err(|error| {
            Error::new(ErrorKind::InvalidOperation, format!("strftime_now can't write `{format}`: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_time_is_written_in_the_forms_that_templates_ask_for() {
        let clock = Clock::fixed("2026-01-02 03:04:05").expect("a time");
        for (format, text) in [
            ("%Y-%m-%d", "2026-01-02"),
            ("%d %b %Y", "02 Jan 2026"),
            ("%d %B %Y", "02 January 2026"),
            ("%A", "Friday"),
            ("%B %d, %Y", "January 02, 2026"),
            ("%Y-%m-%d %H:%M:%S", "2026-01-02 03:04:05"),
        ] {
            assert_eq!(clock.format(format).expect("a text"), text);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert!(Clock::fixed("yesterday").is_err());
        assert!(Clock::fixed("2026-01-31").is_ok());
    }
}
