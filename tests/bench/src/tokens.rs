//! The bytes of a tokenizer's tokens, and the split of a text into tokens.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jig::tokenizer::Tokenizer;
use jig_guides::Vocabulary;
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// The bytes of each token (`None` for a special one), and the tokens that end an output. Every engine gets the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Tokens {
    /// By token id.
    pub(crate) bytes: Vec<Option<Vec<u8>>>,
    /// Sorted; at least one.
    pub(crate) end: Vec<u32>,
}

impl Tokens {
    /// One token for each of the 256 bytes, and one token that ends the output.
    pub(crate) fn of_bytes() -> Tokens {
        Tokens { bytes: (0..=255).map(|byte| Some(vec![byte])).chain([None]).collect(), end: vec![256] }
    }

    pub(crate) fn vocabulary(self) -> Outcome<Arc<Vocabulary>> {
        Ok(Arc::new(Vocabulary::new(self.bytes, self.end)?))
    }

    /// The bytes of a sequence of tokens.
    pub(crate) fn text(&self, tokens: &[u32]) -> Vec<u8> {
        tokens.iter().filter_map(|&token| self.bytes.get(token as usize)?.as_deref()).flatten().copied().collect()
    }
}

/// Splits texts into tokens as in a model's output.
pub(crate) struct Splitter {
    tokenizer: Tokenizer,
    tokens: Tokens,
    by_bytes: HashMap<Vec<u8>, u32>,
    longest: usize,
}

impl Splitter {
    /// Reads a `tokenizer.json`, given its path or its directory.
    pub(crate) fn load(path: &Path) -> Outcome<Splitter> {
        let directory = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
        if !path.is_dir() && path.file_name().is_none_or(|name| name != "tokenizer.json") {
            return Err(format!("{}: give a tokenizer.json, or its directory", path.display()).into());
        }
        let tokenizer = Tokenizer::load(directory)?;
        let bytes = tokenizer.spellings(tokenizer.len())?;
        let end = tokenizer.end_tokens().to_vec();
        let by_bytes: HashMap<Vec<u8>, u32> =
            (0..).zip(&bytes).filter_map(|(id, bytes)| Some((bytes.clone()?, id))).collect();
        let longest = by_bytes.keys().map(Vec::len).max().unwrap_or(0);
        Ok(Splitter { tokenizer, tokens: Tokens { bytes, end }, by_bytes, longest })
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The tokens of a text after a prompt: the tokenizer's split if it spells exactly this text, else the longest token at each
    /// position. A tokenizer that normalizes Unicode may spell another text.
    pub(crate) fn split(&self, text: &str) -> Outcome<Vec<u32>> {
        let tokens = self.tokenizer.encode_inside(text)?;
        if self.tokens.text(&tokens) == text.as_bytes() { Ok(tokens) } else { self.longest(text.as_bytes()) }
    }

    fn longest(&self, mut text: &[u8]) -> Outcome<Vec<u32>> {
        let mut tokens = Vec::new();
        while !text.is_empty() {
            let found =
                (1..=self.longest.min(text.len())).rev().find_map(|n| Some((n, *self.by_bytes.get(&text[..n])?)));
            let (n, token) = found.ok_or("the tokenizer has no token for some byte")?;
            tokens.push(token);
            text = &text[n..];
        }
        Ok(tokens)
    }
}
