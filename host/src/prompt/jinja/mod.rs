//! The language of chat templates: what transformers makes of Jinja, on `minijinja`.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | a compiled template, and the environment it runs in |
//! | `source` | what is mended in a template's text before it is compiled |
//! | `plus` | `+` on strings that were marked safe |
//! | `value` | JSON to values, and values that Python has and `minijinja` has not |
//! | `filters` | filters and tests that answer otherwise in Python |
//! | `methods` | methods of Python's strings, lists and dicts |
//! | `json` | `tojson`: Python's `json.dumps` |
//! | `text` | text as Python has it: blanks, lines, numbers |
//! | `clock` | the time that templates ask for |
//!
//! Sources: `transformers.utils.chat_template_utils` 5.24, Jinja 3.1 and the documentation of Python's standard types.

mod clock;
mod filters;
mod json;
mod methods;
mod plus;
mod source;
mod text;
mod value;

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind};

pub use self::clock::Clock;
pub(super) use self::text::is_blank;
pub(super) use self::value::of_json;

/// The longest text that a template may write, in bytes.
const MAX_OUTPUT: usize = 64 << 20;

/// How deep macros and loops may stand inside of each other; a macro counts several times.
const MAX_DEPTH: usize = 200;

/// The name of the only template of an environment.
const NAME: &str = "chat_template";

/// The variable that tells filters which character is a mark, where there are marks.
pub(super) const MARK: &str = "_mark";

/// A compiled template.
pub(super) struct Template {
    environment: Environment<'static>,
    /// The variables that are given to it.
    reads: std::collections::HashSet<String>,
    text: String,
}

/// Why a template wrote nothing.
pub(super) enum Failure {
    /// It called `raise_exception`.
    Raised(String),
    /// It did something that can't be done.
    Failed(String),
    /// It took too much work, or wrote too much.
    TooLarge(String),
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub(super) fn compile(text: &str, clock: Clock) -> Result<Self, String> {
        let mut environment = environment(clock);
        let explain = |error: Error| describe(&error);
        environment.add_template_owned(NAME, source::mend(text)).map_err(explain)?;
        let reads = environment.get_template(NAME).map_err(explain)?.undeclared_variables(false);
        Ok(Self { environment, reads, text: text.to_owned() })
    }

    /// Whether the template asks for a variable that it does not set itself.
    pub(super) fn reads(&self, variable: &str) -> bool {
        self.reads.contains(variable)
    }

    /// The template's text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What the template writes with these variables. `fuel` is the work that it may do: instructions, and 64 bytes each of what is made.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(super) fn render(&self, variables: minijinja::Value, fuel: u64) -> Result<String, Failure> {
        // A clone shares the template and all that stands in the environment.
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel));
        let template = environment.get_template(NAME).map_err(|error| Failure::Failed(describe(&error)))?;
        let mut output = Limited(Vec::new());
        if let Err(error) = template.render_captured_to(variables, &mut output) {
            return Err(failure(&error));
        }
        String::from_utf8(output.0).map_err(|error| Failure::Failed(error.to_string()))
    }
}

/// What `raise_exception` leaves in an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

/// Output up to the limit.
struct Limited(Vec<u8>);

#[derive(Debug, thiserror::Error)]
#[error("the chat template writes more than {} MiB", MAX_OUTPUT >> 20)]
struct TooLong;

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(TooLong));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment(clock: Clock) -> Environment<'static> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    // The standard delimiters always make a syntax.
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment.set_debug(false);
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(methods::call);
    filters::add(&mut environment);
    environment.remove_global("debug");
    environment.add_function("raise_exception", |message: &minijinja::Value| -> Result<minijinja::Value, Error> {
        let raised = Raised(message.to_string());
        Err(Error::new(ErrorKind::InvalidOperation, "raise_exception was called").with_source(raised))
    });
    environment.add_function("strftime_now", move |format: &str| clock.format(format));
    environment
}

fn failure(error: &Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(raised) = error.downcast_ref::<Raised>() {
            return Failure::Raised(raised.0.clone());
        }
        if let Some(error) = error.downcast_ref::<Error>()
            && error.kind() == ErrorKind::OutOfFuel
        {
            return Failure::TooLarge(
                "the chat template takes too much work for this conversation; shorten it".to_owned(),
            );
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && let Some(too_long) = error.get_ref().filter(|error| error.is::<TooLong>())
        {
            return Failure::TooLarge(too_long.to_string());
        }
        cause = error.source();
    }
    Failure::Failed(describe(error))
}

/// An error with its line and its causes.
fn describe(error: &Error) -> String {
    let mut text = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    if let Some(line) = error.line() {
        text = format!("{text} (in line {line})");
    }
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
