//! Prompt to tokens, tokens to bytes, incremental detokenization.
//!
//! | module | what it holds |
//! |---|---|
//! | `library` | the one file that knows the `tokenizers` crate: reading `tokenizer.json`, encoding |
//! | `layout` | what of `tokenizer.json` the crate keeps to itself: steps, merges |
//! | `length` | how few tokens a text can have, known without tokenizing it |
//! | `spelling` | which bytes each token spells in the middle of a text |
//! | `detokenizer` | tokens to whole characters, as they come |
//! | `end_tokens` | which tokens end a text, by all the files that say so |
//!
//! The text of a token is what it spells *after* other tokens. A prompt always stands before an output, so this is
//! what an output is made of: the rule by which SentencePiece tokenizers drop the first space of a text applies to
//! prompts alone. Guide, stop strings and answer thereby see the same bytes.

mod detokenizer;
mod end_tokens;
mod layout;
mod length;
mod library;
mod spelling;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jig_guides::Vocabulary;

pub use self::detokenizer::Detokenizer;
use self::length::BytesPerToken;
use self::library::Library;
use self::spelling::Spelling;

/// The largest `tokenizer.json` that is read. The largest in use have about 35 MB.
const MAX_FILE_BYTES: u64 = 128 << 20;

/// One past the largest token id that is accepted. The largest vocabularies in use have about 260,000 tokens.
const MAX_TOKENS: u32 = 1 << 21;

/// Why a tokenizer can't be loaded or used. The text is fit for a person.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file is missing or unreadable.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A text can't be tokenized.
    #[error("the text cannot be tokenized: {0}")]
    Encode(String),
    /// Guides can't work with this tokenizer; free text can.
    #[error("this model's tokenizer cannot be guided by a schema or a regex: {0}")]
    Unguidable(String),
}

/// A tokenizer. A clone is cheap and shares everything.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    library: Library,
    spelling: Spelling,
    bytes_per_token: Option<BytesPerToken>,
    end_tokens: Vec<u32>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a directory, and beside it `tokenizer_config.json`, `config.json` and
    /// `generation_config.json` where they are there, for the tokens that end a text.
    ///
    /// # Errors
    /// A missing `tokenizer.json`; any of the files being too large or malformed. The message names the file.
    pub fn load(directory: &Path) -> Result<Self, TokenizerError> {
        Self::load_for_model(directory, directory)
    }

    /// As [`Tokenizer::load`], with the model's `config.json` and `generation_config.json` in another directory.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn load_for_model(directory: &Path, model_directory: &Path) -> Result<Self, TokenizerError> {
        let path = directory.join("tokenizer.json");
        let text = read_limited(&path)?;
        let invalid = |message| TokenizerError::Invalid { path: path.clone(), message };
        let library = Library::parse(&text, MAX_TOKENS).map_err(invalid)?;
        let layout = layout::Layout::parse(&text).map_err(invalid)?;
        let spelling = Spelling::new(&layout, &library);
        let end_tokens = end_tokens::find(directory, model_directory, &library)?;
        let bytes_per_token = BytesPerToken::of(&layout, &library);
        Ok(Self { inner: Arc::new(Inner { library, spelling, bytes_per_token, end_tokens }) })
    }

    /// The tokens of a text. `add_special` adds what the tokenizer puts around a prompt (a begin-of-text token).
    /// The text of a special token in `text` becomes that token.
    ///
    /// # Errors
    /// Where the tokenizer has no token for a piece of the text, nor one that stands for the unknown.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, TokenizerError> {
        self.inner.library.encode(text, add_special).map_err(TokenizerError::Encode)
    }

    /// The tokens of a text that a chat template wrote: nothing is put around it, and at the places `literal` (in bytes, rising, apart
    /// from each other) the text of a special token is plain text. Elsewhere the tokens are those of [`Tokenizer::encode`].
    /// (A Unigram model may have the special token as a piece of text, too.)
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_rendered(&self, text: &str, literal: &[Range<usize>]) -> Result<Vec<u32>, TokenizerError> {
        self.inner.library.encode_rendered(text, literal).map_err(TokenizerError::Encode)
    }

    /// The texts of all special tokens.
    pub fn special_tokens(&self) -> impl Iterator<Item = &str> {
        self.inner.library.tokens().flatten().filter(|token| token.special).map(|token| token.name.as_str())
    }

    /// A lower bound of the number of tokens of a text, found without tokenizing it: a text of which [`Tokenizer::encode`] makes fewer
    /// does not exist. 0 where nothing is known about this tokenizer.
    #[must_use]
    pub fn least_tokens(&self, text: &str) -> usize {
        self.inner.bytes_per_token.as_ref().map_or(0, |bytes| bytes.least_tokens(text))
    }

    /// The text of tokens that begin a text. Bytes that are not UTF-8 become U+FFFD; unknown ids spell nothing.
    #[must_use]
    pub fn decode(&self, tokens: &[u32], skip_special: bool) -> String {
        detokenizer::decode(&self.inner.library, &self.inner.spelling, tokens, skip_special)
    }

    /// The bytes that a token spells, special tokens included. They need not be whole characters. Where the text of a token depends on its
    /// neighbours, the text of the token alone.
    #[must_use]
    pub fn token_bytes(&self, token: u32) -> Vec<u8> {
        detokenizer::bytes_alone(&self.inner.library, &self.inner.spelling, token)
    }

    /// Turns the tokens of an output into text as they come.
    #[must_use]
    pub fn detokenizer(&self, skip_special: bool) -> Detokenizer {
        Detokenizer::new(self.clone(), skip_special)
    }

    /// What guides need to know: the bytes of each token that may stand in a guided text. It has `vocab_size` entries,
    /// the width of the model's logits, whatever number of tokens the tokenizer has.
    ///
    /// Special tokens, tokens that end the text, and entries that encoding never produces spell nothing.
    ///
    /// # Errors
    /// [`TokenizerError::Unguidable`] where tokens do not spell bytes.
    pub fn vocabulary(&self, vocab_size: usize) -> Result<Vocabulary, TokenizerError> {
        let tokens = self.spellings(vocab_size)?;
        let end_tokens = self.inner.end_tokens.iter().copied().filter(|&t| (t as usize) < vocab_size).collect();
        Vocabulary::new(tokens, end_tokens).map_err(|error| TokenizerError::Unguidable(error.to_string()))
    }

    /// The bytes of each token that may stand in a guided text; the list behind [`Tokenizer::vocabulary`].
    ///
    /// # Errors
    /// As [`Tokenizer::vocabulary`].
    pub fn spellings(&self, vocab_size: usize) -> Result<Vec<Option<Vec<u8>>>, TokenizerError> {
        let mut tokens = self.inner.spelling.guidable().map_err(TokenizerError::Unguidable)?;
        for &end in &self.inner.end_tokens {
            if let Some(token) = tokens.get_mut(end as usize) {
                *token = None;
            }
        }
        tokens.resize(vocab_size, None);
        Ok(tokens)
    }

    /// All tokens that end a text, in rising order.
    #[must_use]
    pub fn end_tokens(&self) -> &[u32] {
        &self.inner.end_tokens
    }

    /// The id of a token by its name in the vocabulary (`<|im_end|>`).
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.library.token_id(token)
    }

    /// One past the largest token id.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.library.len()
    }

    /// Whether there is no token at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token sequences by which a word may come in the middle of a text: with and without a space before it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn bad_words_tokens(&self, word: &str) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let word = word.trim_start_matches(' ');
        let mut sequences = Vec::new();
        for text in [word.to_owned(), format!(" {word}")] {
            let tokens = self.encode_inside(&text)?;
            if !tokens.is_empty() && !sequences.contains(&tokens) {
                sequences.push(tokens);
            }
        }
        Ok(sequences)
    }

    /// The tokens of a text that does not begin at the beginning: a tokenizer that puts a space before each text would
    /// hide those of a word that follows, say, a quotation mark. So a line feed is put before it and taken off again.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_inside(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let before = self.encode("\n", false)?;
        let both = self.encode(&format!("\n{text}"), false)?;
        match both.strip_prefix(before.as_slice()) {
            Some(tokens) => Ok(tokens.to_vec()),
            None => self.encode(text, false),
        }
    }
}

/// The content of a file that may not be too large.
fn read_limited(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    use std::io::Read;
    let read = |source| TokenizerError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = format!("larger than {} MiB, which no tokenizer is", MAX_FILE_BYTES >> 20);
        return Err(TokenizerError::Invalid { path: path.to_owned(), message });
    }
    Ok(text)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
