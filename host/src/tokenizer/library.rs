//! The one file that knows the `tokenizers` crate.
//!
//! The crate panics on some malformed files (a decoder that is no JSON object), so all that reads or runs what a
//! file says is behind `catch_unwind`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::Normalizer;

/// A `tokenizer.json` that has been read.
pub(super) struct Library {
    tokenizer: tokenizers::Tokenizer,
    /// What is known of each token, by id.
    tokens: Vec<Option<Token>>,
}

/// A token of the vocabulary.
pub(super) struct Token {
    /// Its name in the file: for byte-level tokenizers not its text.
    pub(super) name: String,
    /// Whether it was added to the model's own vocabulary.
    pub(super) added: bool,
    /// Whether it is special: a mark that is no text.
    pub(super) special: bool,
}

impl Library {
    /// Reads the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// Why it is no tokenizer, or one with ids of `max_tokens` or more.
    pub(super) fn parse(text: &[u8], max_tokens: u32) -> Result<Self, String> {
        let mut tokenizer = guarded(|| tokenizers::Tokenizer::from_bytes(text))?;
        // Truncation and padding are for training batches: here they would lose or invent parts of a prompt.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;

        let vocabulary = tokenizer.get_vocab(true);
        let added = tokenizer.get_added_tokens_decoder();
        let largest = vocabulary.values().chain(added.keys()).max().copied();
        let len = largest.map_or(0, |id| id as usize + 1);
        if len > max_tokens as usize {
            return Err(format!("token id {} is too large: ids end at {}", len - 1, max_tokens - 1));
        }
        let mut tokens: Vec<Option<Token>> = std::iter::repeat_with(|| None).take(len).collect();
        for (name, id) in vocabulary {
            tokens[id as usize] = Some(Token { name, added: false, special: false });
        }
        for (id, token) in added {
            tokens[id as usize] = Some(Token { name: token.content, added: true, special: token.special });
        }
        Ok(Self { tokenizer, tokens })
    }

    pub(super) fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, String> {
        guarded(|| Ok(self.tokenizer.encode_fast(text, add_special)?.get_ids().to_vec()))
    }

    /// What the normalizer makes of a text; nothing where it fails.
    pub(super) fn normalize(&self, text: &str) -> Option<String> {
        let Some(normalizer) = self.tokenizer.get_normalizer() else { return Some(text.to_owned()) };
        let normalize = || {
            let mut text = tokenizers::NormalizedString::from(text);
            normalizer.normalize(&mut text)?;
            Ok(text.get().to_owned())
        };
        guarded(normalize).ok()
    }

    /// The text of some tokens by the crate's own decoder, special tokens included; empty where it fails.
    pub(super) fn decode(&self, tokens: &[u32]) -> String {
        guarded(|| self.tokenizer.decode(tokens, false)).unwrap_or_default()
    }

    pub(super) fn token_id(&self, name: &str) -> Option<u32> {
        self.tokenizer.token_to_id(name)
    }

    pub(super) fn token(&self, id: u32) -> Option<&Token> {
        self.tokens.get(id as usize)?.as_ref()
    }

    pub(super) fn is_special(&self, id: u32) -> bool {
        self.token(id).is_some_and(|token| token.special)
    }

    /// All ids below [`Library::len`], with the token that each stands for.
    pub(super) fn tokens(&self) -> impl Iterator<Item = Option<&Token>> {
        self.tokens.iter().map(Option::as_ref)
    }

    /// One past the largest id.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

/// Runs the crate's code; its errors and panics become messages.
fn guarded<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
            Err(format!("malformed: {}", said.unwrap_or("the tokenizer panicked")))
        }
    }
}
