//! Engines that compute masks from a JSON Schema or a grammar, Jig's and others, behind one interface.

mod jig;
#[cfg(feature = "peers")]
mod llguidance;
#[cfg(feature = "peers")]
mod outlines;

use clap::ValueEnum;

use crate::Outcome;
use crate::cases::DocumentFile;
use crate::tokens::Tokens;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// Jig's guides
    Jig,
    /// The crate llguidance
    Llguidance,
    /// The crate outlines-core
    OutlinesCore,
}

/// White space in masks and in instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whitespace {
    /// The engine's default in masks; one space after `,` and `:` in instances
    Optional,
    /// No white space in masks and in instances
    Compact,
    /// One space after `,` and `:` in masks (except those of outlines-core) and in instances
    Spaces,
    /// Lines indented by two spaces in masks (of Jig only) and in instances
    Pretty,
}

/// The order of an object's members in Jig. Each other engine has one fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Any order
    Any,
    /// The schema's order; an instance in another order is rejected
    Schema,
}

/// The user's options for an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices {
    pub(crate) whitespace: Whitespace,
    pub(crate) order: Order,
}

/// An engine, prepared for a vocabulary.
pub(crate) trait Engine {
    /// Compiles a schema. The matcher has computed no mask yet.
    fn compile(&self, schema: &str) -> Result<Box<dyn Matcher>, Refusal>;

    /// Compiles a context-free grammar, in a syntax that the engine reads. The matcher has computed no mask yet.
    fn compile_grammar(&self, _grammar: &str) -> Result<Box<dyn Matcher>, Refusal> {
        Err(Refusal { unsatisfiable: false, reason: "the engine has no grammars".to_owned() })
    }
}

/// The reason that a schema has no matcher.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// No instance is valid. This is a correct verdict, not a limitation of the engine.
    pub(crate) unsatisfiable: bool,
    /// The engine's message.
    pub(crate) reason: String,
}

/// An output that follows a schema.
pub(crate) trait Matcher {
    /// Computes and stores the mask of the next token.
    fn mask(&mut self) -> Result<(), String>;

    /// Whether the stored mask has this token.
    fn allows(&self, token: u32) -> bool;

    /// Appends a token of the stored mask.
    fn advance(&mut self, token: u32) -> Result<(), String>;

    /// Whether the output may end here.
    fn may_end(&mut self) -> bool;

    /// Starts a new output of the same schema.
    fn restart(&mut self) -> Result<(), String>;
}

impl EngineName {
    /// Prepares the engine for a vocabulary. Engines other than Jig know no documents.
    pub(crate) fn start(self, tokens: &Tokens, choices: Choices, documents: &DocumentFile) -> Outcome<Box<dyn Engine>> {
        match self {
            EngineName::Jig => Ok(Box::new(jig::Jig::new(tokens, choices, documents)?)),
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
