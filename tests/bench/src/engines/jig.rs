//! Jig's own guides.

use jig_guides::{CompileError, Compiler, GuideState, Limits, Mask, Options, Source};

use super::{Choices, Engine, Matcher, Order, Refusal, Whitespace};
use crate::Outcome;
use crate::cases::DocumentFile;
use crate::tokens::Tokens;

pub(super) struct Jig {
    compiler: Compiler,
    options: Options,
}

impl Jig {
    pub(super) fn new(tokens: &Tokens, choices: Choices, documents: &DocumentFile) -> Outcome<Jig> {
        let compiler = Compiler::new(tokens.clone().vocabulary()?, Limits::default());
        let compiler = compiler.with_documents(documents.documents()?);
        let mut options = Options::default();
        options.whitespace = choices.whitespace.into();
        options.order = match choices.order {
            Order::Any => jig_guides::Order::Any,
            Order::Schema => jig_guides::Order::Schema,
        };
        // A server computes the data that all guides share when it starts, and not during the first request.
        compiler.warm_up();
        compiler.compile(&Source::JsonObject, &options)?.start().mask(None);
        Ok(Jig { compiler, options })
    }
}

impl From<Whitespace> for jig_guides::Whitespace {
    fn from(chosen: Whitespace) -> Self {
        match chosen {
            Whitespace::Optional => Self::Optional,
            Whitespace::Compact => Self::Compact,
            Whitespace::Spaces => Self::Spaces,
            Whitespace::Pretty => Self::Pretty,
        }
    }
}

impl Jig {
    fn matcher(&self, source: &Source) -> Result<Box<dyn Matcher>, Refusal> {
        match self.compiler.compile(source, &self.options) {
            Ok(guide) => Ok(Box::new(Output { state: guide.start(), mask: None })),
            Err(error) => Err(Refusal {
                unsatisfiable: matches!(error, CompileError::Unsatisfiable { .. }),
                reason: error.to_string(),
            }),
        }
    }
}

impl Engine for Jig {
    fn compile(&self, schema: &str) -> Result<Box<dyn Matcher>, Refusal> {
        self.matcher(&Source::JsonSchema(schema.to_owned()))
    }

    fn compile_grammar(&self, grammar: &str) -> Result<Box<dyn Matcher>, Refusal> {
        self.matcher(&Source::Grammar(grammar.to_owned()))
    }
}

struct Output {
    state: GuideState,
    /// The last computed mask.
    mask: Option<Mask>,
}

impl Matcher for Output {
    fn mask(&mut self) -> Result<(), String> {
        self.mask = Some(self.state.mask(None));
        Ok(())
    }

    fn allows(&self, token: u32) -> bool {
        self.mask.as_ref().is_some_and(|mask| mask.contains(token))
    }

    fn advance(&mut self, token: u32) -> Result<(), String> {
        self.state.advance(token).map_err(|refused| refused.to_string())
    }

    fn may_end(&mut self) -> bool {
        self.state.may_end()
    }

    fn restart(&mut self) -> Result<(), String> {
        self.state = self.state.guide().start();
        Ok(())
    }
}
