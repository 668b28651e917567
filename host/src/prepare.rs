//! From a request as the client sent it to one that the engine runs: tokens, bad words, guide.

use std::sync::Arc;

use jig_guides::Compiler;

use crate::engine::Request;
use crate::params::{GenerateRequest, Invalid, Prompt};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// What preparing needs of a loaded model. Preparing takes processor time: it is for threads that may be busy.
#[derive(Clone)]
pub struct Preparation {
    tokenizer: Tokenizer,
    compiler: Arc<Compiler>,
    max_model_len: u32,
}

/// A request that is ready, and the text that its answers begin with.
pub struct Prepared {
    /// For the engine.
    pub request: Request,
    /// The prompt as text.
    pub prompt: String,
    /// Whether the answer comes in pieces.
    pub stream: bool,
}

impl Preparation {
    /// For a tokenizer, a compiler over its vocabulary, and a model's longest sequence in tokens.
    #[must_use]
    pub fn new(tokenizer: Tokenizer, compiler: Arc<Compiler>, max_model_len: u32) -> Self {
        Self { tokenizer, compiler, max_model_len }
    }

    /// Tokenizes the prompt and the bad words, and compiles the guide.
    ///
    /// # Errors
    /// A prompt that is empty or too long for the model, a source that can't be made a guide.
    pub fn prepare(&self, request: GenerateRequest) -> Result<Prepared, Invalid> {
        let tokens_of = |error: TokenizerError| Invalid::value("prompt", format_args!("can't be tokenized: {error}"));
        let (tokens, prompt) = match request.prompt {
            Prompt::Text(text) => (self.tokenizer.encode(&text, true).map_err(tokens_of)?, text),
            Prompt::Tokens(tokens) => {
                let text = self.tokenizer.decode(&tokens, request.params.skip_special_tokens);
                (tokens, text)
            }
        };
        if tokens.is_empty() {
            return Err(Invalid::value(
                "prompt",
                "has no tokens: this model's tokenizer adds none by itself, so some text is needed",
            ));
        }
        if tokens.len() >= self.max_model_len as usize {
            let (have, most) = (tokens.len(), self.max_model_len);
            let what = format!(
                "has {have} tokens and leaves no room for an answer: prompt and answer together have at most {most}"
            );
            return Err(Invalid::value("prompt", what));
        }
        let mut params = request.params;
        for word in &request.bad_words {
            let refused = |error| Invalid::value("bad_words", format_args!("`{word}` can't be tokenized: {error}"));
            params.bad_words.extend(self.tokenizer.bad_words_tokens(word).map_err(refused)?);
        }
        let guide = match &request.constraint {
            Some(constraint) => {
                let refused = |error| Invalid::source(constraint.param, error);
                Some(self.compiler.compile(&constraint.source, &constraint.options).map_err(refused)?)
            }
            None => None,
        };
        let request_for_engine = Request { prompt: tokens.into(), params: Arc::new(params), guide };
        Ok(Prepared { request: request_for_engine, prompt, stream: request.stream })
    }
}
