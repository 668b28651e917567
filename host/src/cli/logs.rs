//! The log: lines on standard error, of the host and of the plugin alike, as text or as JSON.
//!
//! A line of the log is one line, whatever a client or a plugin says: control characters are spelled out.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::CommandResult;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

/// Starts logging.
pub(super) fn start(level: &str, format: LogFormat) -> CommandResult {
    let filter = filter(level)?;
    let lines = Lines { format, is_coloured: format == LogFormat::Text && std::io::stderr().is_terminal() };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(StdErr).event_format(lines).try_init()?;
    Ok(())
}

/// Standard error. A line that can't be written is lost, and nothing else.
struct StdErr;

impl MakeWriter<'_> for StdErr {
    type Writer = std::io::Stderr;

    fn make_writer(&self) -> std::io::Stderr {
        std::io::stderr()
    }
}

/// What is logged: a level in any spelling that people use, or levels for targets (`warn,jig=debug`). Nothing is the same as `info`.
fn filter(text: &str) -> Result<EnvFilter, String> {
    let wrong = |problem: &str| {
        format!(
            "--log-level `{text}`: {problem}; use error, warn, info, debug, trace or off, or such as `warn,jig=debug`"
        )
    };
    let mut directives = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (target, level) =
            part.rsplit_once('=').map_or((None, part), |(target, level)| (Some(target.trim()), level));
        // A bare word that is no level would be read as a target, and everything else would be silent.
        let level = level_of(level.trim()).ok_or_else(|| wrong(&format!("`{level}` is no level")))?;
        directives.push(target.map_or(level.to_owned(), |target| format!("{target}={level}")));
    }
    if directives.is_empty() {
        directives.push("info".to_owned());
    }
    EnvFilter::try_new(directives.join(",")).map_err(|error| wrong(&error.to_string()))
}

fn level_of(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "error" | "err" | "critical" | "fatal" => "error",
        "warn" | "warning" => "warn",
        "info" | "information" | "notice" => "info",
        "debug" => "debug",
        "trace" | "all" => "trace",
        "off" | "none" => "off",
        _ => return None,
    })
}

/// Writes events as lines.
struct Lines {
    format: LogFormat,
    is_coloured: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        match self.format {
            LogFormat::Json => writeln!(writer, "{}", json(&time, level, fields)),
            LogFormat::Text => {
                let (on, off) = if self.is_coloured { (colour(level), "\u{1b}[0m") } else { ("", "") };
                writeln!(writer, "{time} {on}{level:>5}{off} {}", line(&fields))
            }
        }
    }
}

/// Message and fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            // What has no value is left out.
            (_, Value::Null) => {}
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }
}

fn json(time: &str, level: Level, fields: Fields) -> Value {
    let mut all = Map::new();
    all.insert("ts".to_owned(), time.into());
    all.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
    all.insert("message".to_owned(), fields.message.into());
    all.extend(fields.others);
    Value::Object(all)
}

/// The message, and the fields behind it. What a client may have chosen stands in quotes.
fn line(fields: &Fields) -> String {
    let mut line = plain(&fields.message);
    for (name, value) in &fields.others {
        let value = match value {
            Value::String(text) if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') => text.clone(),
            value => plain(&value.to_string()),
        };
        // Writing to a string can't fail.
        let _ = write!(line, " {name}={value}");
    }
    line
}

/// A text with its control characters spelled out.
fn plain(text: &str) -> String {
    // These end a line, too, for some who read it.
    let ends_line = |c: char| matches!(c, '\u{2028}' | '\u{2029}');
    if !text.chars().any(|c| c.is_control() || ends_line(c)) {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_control() || ends_line(c) { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_known_in_each_spelling_and_anything_else_is_refused() {
        for (text, expected) in [
            ("WARNING", "warn"),
            ("Error", "error"),
            ("critical", "error"),
            ("", "info"),
            (" , ", "info"),
            ("info,jig=DEBUG", "jig=debug,info"),
            ("hyper=off, warning", "hyper=off,warn"),
        ] {
            assert_eq!(filter(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["loud", "jig", "jig=loud", "5", "info,verbose"] {
            let error = filter(text).unwrap_err();
            assert!(error.contains("--log-level") && error.contains("is no level"), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_is_said() {
        let message = "a\n2026-01-01 ERROR forged\r\u{1b}[31m\u{0}é\u{2028}".to_owned();
        let others = Map::from_iter([("path".to_owned(), Value::from("/a b\n\"")), ("n".to_owned(), Value::from(3))]);
        let fields = Fields { message, others };
        let text = line(&fields);
        assert_eq!(text, "a\\n2026-01-01 ERROR forged\\r\\u{1b}[31m\\u{0}é\\u{2028} path=\"/a b\\n\\\"\" n=3");
        let json = json("now", Level::WARN, fields).to_string();
        assert!(!json.contains(|c: char| c.is_control()), "{json}");
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&read["level"], &read["n"], &read["path"]), (&"warn".into(), &3.into(), &"/a b\n\"".into()));
    }
}
