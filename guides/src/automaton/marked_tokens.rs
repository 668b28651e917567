//! [`MarkedTokens`]: the special tokens that a source names, each with the [mark](crate::automaton::marks) that stands for it.

use crate::automaton::marks;
use crate::error::{CompileError, Place, too_big};
use crate::vocabulary::Vocabulary;

/// Special tokens by the index of their mark among [`marks::ALL`].
#[derive(Debug, Default)]
pub(crate) struct MarkedTokens(Vec<u32>);

impl MarkedTokens {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens, each with its mark.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u8)> + '_ {
        self.0.iter().copied().zip(marks::ALL)
    }

    /// The token that a mark stands for.
    pub(crate) fn token(&self, mark: u8) -> Option<u32> {
        self.iter().find(|&(_, known)| known == mark).map(|(token, _)| token)
    }

    /// The mark of a token.
    pub(crate) fn mark_of(&self, token: u32) -> Option<u8> {
        self.iter().find(|&(known, _)| known == token).map(|(_, mark)| mark)
    }

    /// What a token that a source names by its id is in an automaton: the text that it spells, or its mark, which it is given here.
    ///
    /// # Errors
    /// `at` is the place of an id that is none, or of a token that cannot stand in an automaton: one that ends outputs, that spells part of a
    /// character, or for which no mark is left.
    pub(crate) fn spelling(&mut self, id: u32, vocabulary: &Vocabulary, at: Place) -> Result<Vec<u8>, CompileError> {
        if id as usize >= vocabulary.len() {
            return Err(CompileError::Syntax { at, reason: format!("token {id} is not in the vocabulary") });
        }
        let unsupported = |at: Place, reason: &str| CompileError::Unsupported {
            at,
            keyword: "token".into(),
            reason: format!("token {id} {reason}"),
        };
        if vocabulary.end_tokens().contains(&id) {
            return Err(unsupported(at, "ends the output wherever it may end; leave it out"));
        }
        if let Some(bytes) = vocabulary.bytes(id) {
            return match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.into()),
                Err(_) => Err(unsupported(at, "spells part of a character; give a text")),
            };
        }
        if self.mark_of(id).is_none() {
            if self.0.len() == marks::ALL.len() {
                return Err(too_big(at, "special tokens", marks::ALL.len(), "name fewer of them"));
            }
            self.0.push(id);
        }
        Ok(self.mark_of(id).into_iter().collect())
    }
}
