//! [`CrossingTokens`]: the tokens in which something goes on behind a value.
//!
//! Most tokens stay within a JSON value. Only those with a byte that ends it and a byte that may follow it go on, and they are few.

use crate::collections::byte_set::ByteSet;
use crate::collections::cache::Cache;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// Memory for the tries.
const CROSSING_BYTES: usize = 8 << 20;

/// Tries of tokens, by the last bytes of a value and the first bytes behind it.
#[derive(Debug)]
pub(super) struct CrossingTokens {
    tries: Cache<(ByteSet, ByteSet), Arc<Trie>>,
}

impl CrossingTokens {
    pub(super) fn new() -> CrossingTokens {
        CrossingTokens { tries: Cache::new(CROSSING_BYTES) }
    }

    /// The tokens for which `reads` is true and in which one of `lasts` is followed by one of `firsts`.
    pub(super) fn trie(
        &self,
        vocabulary: &Vocabulary,
        reads: impl Fn(&[u8]) -> bool,
        lasts: ByteSet,
        firsts: ByteSet,
    ) -> Arc<Trie> {
        let crosses = |token: &[u8]| {
            reads(token) && token.windows(2).any(|pair| lasts.contains(pair[0]) && firsts.contains(pair[1]))
        };
        let make = || {
            let tokens = vocabulary.tokens().map(|token| token.filter(|token| crosses(token)).map(<[u8]>::to_vec));
            Arc::new(Trie::new(&tokens.collect::<Vec<_>>()))
        };
        self.tries.get_or_make((lasts, firsts), |_, trie| 96 + trie.len() * 32, make)
    }
}
