//! Answers that a guide remembers for all its outputs. Each depends on its key alone, so forgetting one costs time and changes nothing.

use crate::collections::cache::Cache;
use crate::collections::few::Few;
use crate::json::language::strings::Escapes;
use crate::json::machine::state::{Item, Key, Seen};
use crate::json::shape::SchemaId;
use crate::json::tokens::frame::AfterQuote;
use std::sync::Arc;

/// The memory of each kind of answers of a guide, in bytes.
const MEMO_BYTES: usize = 1 << 20;

/// Answers by kind.
#[derive(Debug)]
pub(crate) struct Memos {
    keys: Cache<Written, Option<Few<Key>>>,
    after_quotes: Cache<Quote, Arc<AfterQuote>>,
    within_values: Cache<(SchemaId, u32, Escapes), Arc<AfterQuote>>,
    removed: Cache<u128, Arc<[u32]>>,
}

/// The alternatives of an object, the number of its entries, and its additional keys. The costs of keys go up to the closing brace, so the
/// containers around are no part of it.
type Written = (Few<Item>, u32, Seen);

/// The mask key of the state after a quote, the schema of the value that the quote ends, if it does, and the frame whose suffixes follow:
/// the node of the trie and the escapes.
type Quote = (u128, Option<SchemaId>, u32, Escapes);

impl Memos {
    pub(crate) fn new() -> Memos {
        Memos {
            keys: Cache::new(MEMO_BYTES),
            after_quotes: Cache::new(MEMO_BYTES),
            within_values: Cache::new(MEMO_BYTES),
            removed: Cache::new(MEMO_BYTES),
        }
    }

    /// Memory in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes() + self.after_quotes.bytes() + self.within_values.bytes() + self.removed.bytes()
    }

    /// The keys that can come next in an object whose entries depend on each other; `None` if there are none. Their costs take time for
    /// each property and demand, and one mask asks for the same keys after each of the values that a token can end.
    pub(crate) fn keys(&self, written: Written, find: impl FnOnce() -> Option<Few<Key>>) -> Option<Few<Key>> {
        let size = |written: &Written, keys: &Option<Few<Key>>| {
            let costs: usize = keys.iter().flat_map(Few::iter).map(|key| 100 + key.costs.size()).sum();
            let seen: usize = written.2.iter().flat_map(|seen| seen.as_slice()).map(|key| key.len() + 16).sum();
            200 + costs + seen + written.0.as_slice().len() * 80
        };
        self.keys.get_or_make(written, size, find)
    }

    /// What may follow a quote. It is the same wherever in a string or key the quote stands.
    pub(crate) fn after_quote(&self, quote: Quote, find: impl FnOnce() -> AfterQuote) -> Arc<AfterQuote> {
        self.after_quotes.get_or_make(quote, |_, after| 100 + after.size(), || Arc::new(find()))
    }

    /// What may follow the quote of a key up to the end of a value of this schema. It is the same wherever such a key stands.
    pub(crate) fn within_value(
        &self,
        quote: (SchemaId, u32, Escapes),
        find: impl FnOnce() -> AfterQuote,
    ) -> Arc<AfterQuote> {
        self.within_values.get_or_make(quote, |_, after| 100 + after.size(), || Arc::new(find()))
    }

    /// The tokens that would repeat a key, by the fingerprint of everything that they depend on.
    pub(crate) fn removed(&self, print: u128, find: impl FnOnce() -> Vec<u32>) -> Arc<[u32]> {
        self.removed.get_or_make(print, |_, tokens| 100 + tokens.len() * 4, || find().into())
    }
}
