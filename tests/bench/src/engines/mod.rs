//! Engines that turn a JSON Schema into masks: Jig's and those of other projects, behind one interface.

mod jig;
#[cfg(feature = "peers")]
mod llguidance;
#[cfg(feature = "peers")]
mod outlines;

use clap::ValueEnum;

use crate::Outcome;
use crate::tokens::Tokens;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// Jig's guides
    Jig,
    /// The crate llguidance
    Llguidance,
    /// The crate outlines-core
    OutlinesCore,
}

/// Where white space may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whitespace {
    /// Each engine's own default; instances have one space after `,` and `:`
    Optional,
    /// None, in masks and in instances
    Compact,
    /// One space after `,` and `:`, in masks (but those of outlines-core) and in instances
    Spaces,
    /// Lines indented by two spaces, in masks of Jig alone and in instances
    Pretty,
}

/// In what order Jig lets the members of an object come. Other engines have one order each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Any
    Any,
    /// The schema's: an instance in another order is rejected
    Schema,
}

/// What a user may choose of what an engine allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices {
    pub(crate) whitespace: Whitespace,
    pub(crate) order: Order,
}

/// An engine that is ready for a vocabulary.
pub(crate) trait Engine {
    /// A matcher for a schema, before its first mask.
    fn compile(&self, schema: &str) -> Result<Box<dyn Matcher>, Refusal>;
}

/// Why there is no matcher for a schema.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Nothing satisfies the schema: a verdict on instances, not a lack of the engine.
    pub(crate) unsatisfiable: bool,
    /// In the engine's words.
    pub(crate) reason: String,
}

/// An output that follows a schema.
pub(crate) trait Matcher {
    /// Computes the mask of the next token, and keeps it.
    fn mask(&mut self) -> Result<(), String>;

    /// Whether the last mask has this token.
    fn allows(&self, token: u32) -> bool;

    /// Appends a token that the last mask has.
    fn advance(&mut self, token: u32) -> Result<(), String>;

    /// Whether the output may end here.
    fn may_end(&mut self) -> bool;

    /// Begins a new output of the same schema.
    fn restart(&mut self) -> Result<(), String>;
}

impl EngineName {
    /// Makes the engine ready for a vocabulary.
    pub(crate) fn start(self, tokens: &Tokens, choices: Choices) -> Outcome<Box<dyn Engine>> {
        match self {
            EngineName::Jig => Ok(Box::new(jig::Jig::new(tokens, choices)?)),
            #[cfg(feature = "peers")]
            EngineName::Llguidance => Ok(Box::new(llguidance::Llguidance::new(tokens, choices)?)),
            #[cfg(feature = "peers")]
            EngineName::OutlinesCore => Ok(Box::new(outlines::Outlines::new(tokens, choices)?)),
            #[cfg(not(feature = "peers"))]
            other => Err(format!("{} is not built in: build jig-bench with --features peers", other.text()).into()),
        }
    }

    /// The name on the command line.
    pub(crate) fn text(self) -> &'static str {
        match self {
            EngineName::Jig => "jig",
            EngineName::Llguidance => "llguidance",
            EngineName::OutlinesCore => "outlines-core",
        }
    }
}
