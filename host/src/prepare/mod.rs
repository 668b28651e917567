//! From a request in texts to one that the engine runs: prompt and bad words to tokens, the constraint to a guide.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the two steps, for a thread that may block |
//! | `stages` | the steps off the threads that serve connections, each with a permit of its own |
//! | `permits` | how many requests may be in a step at a time |
//!
//! The steps differ in how long they take: tokenizing takes microseconds to milliseconds for all but very long texts, compiling a guide
//! may take seconds. Nothing here knows a protocol: what is wrong is said of a [`Field`] of the request.

mod permits;
mod stages;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jig_guides::{CompileError, Compiler, Guide, Interrupt};

pub use self::permits::NoTurn;
pub use self::stages::{GuideMetrics, Stages, Unprepared};
use crate::request::{Constraint, Field, GenerationParams, Invalid, Prompt, Rendered, Request, TextRequest};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Longer texts take noticeable time to tokenize: up to a tenth of a second for digits, which some tokenizers treat as one long word.
const LONG_TEXT: usize = 32 << 10;
/// What a bad word costs beside its length: it is tokenized with and without a space before it.
const BAD_WORD: usize = 16;

/// Prepares requests for a loaded model. It takes processor time, so it is for threads that may block.
#[derive(Clone)]
pub struct Preparation {
    tokenizer: Tokenizer,
    compiler: Arc<Compiler>,
    max_model_len: u32,
    compile_timeout: Duration,
}

/// A request whose texts are tokens; its guide is still to be compiled.
pub struct Tokenized {
    tokens: Arc<[u32]>,
    prompt: String,
    params: GenerationParams,
    constraint: Option<Constraint>,
}

/// A request that is ready, and the text that its answers begin with.
pub struct Prepared {
    /// For the engine.
    pub request: Request,
    /// The prompt as text.
    pub prompt: String,
}

impl Tokenized {
    /// What the outputs must match, and what the guide is to be compiled from.
    #[must_use]
    pub fn constraint(&self) -> Option<&Constraint> {
        self.constraint.as_ref()
    }

    /// The request with the guide of its constraint.
    #[must_use]
    pub fn with_guide(self, guide: Option<Guide>) -> Prepared {
        let request = Request { prompt: self.tokens, params: Arc::new(self.params), guide };
        Prepared { request, prompt: self.prompt }
    }
}

impl Preparation {
    /// For a tokenizer, a compiler over its vocabulary, a model's longest sequence in tokens, and the longest that a guide may take to
    /// compile.
    #[must_use]
    pub fn new(tokenizer: Tokenizer, compiler: Arc<Compiler>, max_model_len: u32, compile_timeout: Duration) -> Self {
        Self { tokenizer, compiler, max_model_len, compile_timeout }
    }

    /// The tokenizer of the prompts.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Does all that a request needs, on this thread.
    ///
    /// # Errors
    /// As [`Preparation::check_lengths`] and [`Preparation::tokenize`], and for a source that can't be made a guide.
    pub fn prepare(&self, request: TextRequest) -> Result<Prepared, Invalid> {
        self.check_lengths(&request)?;
        let tokenized = self.tokenize(request)?;
        let compile = |constraint: &Constraint| {
            let interrupt = Interrupt::at(Instant::now() + self.compile_timeout);
            self.compile(constraint, &interrupt).map_err(|error| self.refusal(&error))
        };
        let guide = tokenized.constraint().map(compile).transpose()?;
        Ok(tokenized.with_guide(guide))
    }

    /// Whether the request's texts are so long that tokenizing them takes noticeable time.
    #[must_use]
    pub fn is_long(&self, request: &TextRequest) -> bool {
        let prompt = match &request.prompt {
            Prompt::Text(text) => text.len(),
            // With literal places it is tokenized twice.
            Prompt::Rendered(rendered) if rendered.literal.is_empty() => rendered.text.len(),
            Prompt::Rendered(rendered) => 2 * rendered.text.len(),
            Prompt::Tokens(_) => 0,
        };
        let bad_words: usize = request.bad_words.iter().map(|word| 2 * (word.len() + BAD_WORD)).sum();
        prompt + bad_words > LONG_TEXT
    }

    /// Refuses texts that are far too long, before any work is done on them.
    ///
    /// # Errors
    /// A text that would have more tokens than the model's longest sequence, however it were tokenized.
    pub fn check_lengths(&self, request: &TextRequest) -> Result<(), Invalid> {
        let most = self.max_model_len as usize;
        let text = match &request.prompt {
            Prompt::Text(text) => Some(text),
            Prompt::Rendered(rendered) => Some(&rendered.text),
            Prompt::Tokens(_) => None,
        };
        if let Some(text) = text
            && let least = self.tokenizer.least_tokens(text)
            && least >= most
        {
            let room = Field::Room { prompt_tokens: least, is_counted: false };
            let have = format_args!("has {} bytes, which are at least {least} tokens,", text.len());
            return Err(self.too_long(room, have));
        }
        if request.bad_words.iter().any(|word| self.tokenizer.least_tokens(word) > most) {
            return Err(Invalid::new(Field::BadWords, "has an entry that is longer than any output; leave it out"));
        }
        Ok(())
    }

    fn too_long(&self, room: Field, have: impl std::fmt::Display) -> Invalid {
        let most = self.max_model_len;
        let what =
            format_args!("{have} and leaves no room for an answer: prompt and answer together have at most {most}");
        Invalid::new(room, what)
    }

    /// Tokenizes the prompt and the bad words.
    ///
    /// # Errors
    /// A prompt that is empty or too long for the model, a text that can't be tokenized.
    pub fn tokenize(&self, request: TextRequest) -> Result<Tokenized, Invalid> {
        let (tokens, prompt) = self.prompt(request.prompt, request.params.skip_special_tokens)?;
        let mut params = request.params;
        for word in &request.bad_words {
            let refused = |error| Invalid::new(Field::BadWords, format_args!("`{word}` can't be tokenized: {error}"));
            params.bad_words.extend(self.tokenizer.bad_words_tokens(word).map_err(refused)?);
        }
        Ok(Tokenized { tokens, prompt, params, constraint: request.constraint })
    }

    /// The prompt's tokens and text.
    fn prompt(&self, prompt: Prompt, skip_special_tokens: bool) -> Result<(Arc<[u32]>, String), Invalid> {
        let refused = |error: TokenizerError| Invalid::new(Field::Prompt, format_args!("can't be tokenized: {error}"));
        let (tokens, text) = match prompt {
            Prompt::Text(text) => (self.tokenizer.encode(&text, true).map_err(refused)?, Some(text)),
            Prompt::Rendered(Rendered { text, literal }) => {
                (self.tokenizer.encode_rendered(&text, &literal).map_err(refused)?, Some(text))
            }
            Prompt::Tokens(tokens) => (tokens, None),
        };
        if tokens.is_empty() {
            return Err(Invalid::new(
                Field::Prompt,
                "has no tokens: this model's tokenizer adds none by itself, so some text is needed",
            ));
        }
        if tokens.len() >= self.max_model_len as usize {
            let room = Field::Room { prompt_tokens: tokens.len(), is_counted: true };
            return Err(self.too_long(room, format_args!("has {} tokens", tokens.len())));
        }
        let text = text.unwrap_or_else(|| self.tokenizer.decode(&tokens, skip_special_tokens));
        Ok((tokens.into(), text))
    }

    /// The guide of a constraint, or its refusal, where it was compiled before. Takes no time.
    #[must_use]
    pub fn compiled(&self, constraint: &Constraint) -> Option<Result<Guide, CompileError>> {
        self.compiler.compiled(&constraint.source, &constraint.options)
    }

    /// Compiles the guide of a constraint, until the interrupt is raised.
    ///
    /// # Errors
    /// Why there is no guide; [`Preparation::refusal`] says it to the client.
    pub fn compile(&self, constraint: &Constraint, interrupt: &Interrupt) -> Result<Guide, CompileError> {
        self.compiler.compile_until(&constraint.source, &constraint.options, interrupt)
    }

    /// The longest that a guide may take to compile.
    #[must_use]
    pub fn compile_timeout(&self) -> Duration {
        self.compile_timeout
    }

    /// The error of a source that can't be compiled, with the limit of this server where it took too long.
    #[must_use]
    pub fn refusal(&self, error: &CompileError) -> Invalid {
        match error {
            CompileError::TooSlow { .. } => {
                let limit = self.compile_timeout.as_secs_f64();
                let what = format_args!(
                    "too slow: it takes longer than {limit} s to compile, the limit of this server (--compile-timeout); simplify it: \
                     fewer alternatives in anyOf and oneOf, fewer properties, smaller counts of repetition"
                );
                Invalid::new(Field::Constraint, what)
            }
            error => Invalid::new(Field::Constraint, error),
        }
    }
}
