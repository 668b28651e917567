//! [`TagTokens`]: the tokens of a vocabulary as the machines of all tags use them.

use crate::collections::byte_set::ByteSet;
use crate::collections::cache::Cache;
use crate::json::tokens::cache::ClassesCache;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// Memory for the tries of crossing tokens.
const CROSSING_BYTES: usize = 8 << 20;

/// What masks of tags need of a vocabulary, shared by all guides.
#[derive(Debug)]
pub(crate) struct TagTokens {
    classes: Arc<ClassesCache>,
    /// By the last bytes of a value and the first bytes behind it, the tokens in which one of each follow each other.
    crossing: Cache<(ByteSet, ByteSet), Arc<Trie>>,
}

impl TagTokens {
    pub(crate) fn new(classes: Arc<ClassesCache>) -> TagTokens {
        TagTokens { classes, crossing: Cache::new(CROSSING_BYTES) }
    }

    /// The tokens that texts are written with: each of their bytes is a token too.
    pub(super) fn trie<'a>(&'a self, vocabulary: &'a Vocabulary) -> &'a Trie {
        self.classes.trie(vocabulary)
    }

    /// Whether texts are written with a token.
    pub(super) fn reads(&self, token: &[u8]) -> bool {
        self.classes.has(token)
    }

    /// The tokens in which one of `lasts` is followed by one of `firsts`.
    pub(super) fn crossing(&self, vocabulary: &Vocabulary, lasts: ByteSet, firsts: ByteSet) -> Arc<Trie> {
        let crosses = |token: &[u8]| {
            self.reads(token) && token.windows(2).any(|pair| lasts.contains(pair[0]) && firsts.contains(pair[1]))
        };
        let make = || {
            let tokens = vocabulary.tokens().map(|token| token.filter(|token| crosses(token)).map(<[u8]>::to_vec));
            Arc::new(Trie::new(&tokens.collect::<Vec<_>>()))
        };
        self.crossing.get_or_make((lasts, firsts), |_, trie| 96 + trie.len() * 32, make)
    }
}
