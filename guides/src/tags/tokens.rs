//! [`TagTokens`]: the tokens of a vocabulary as the machines of all tags use them.

use crate::automaton::dfa::Dfa;
use crate::automaton::marks;
use crate::collections::byte_set::ByteSet;
use crate::collections::cache::Cache;
use crate::json::tokens::cache::ClassesCache;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::Tokens;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// Memory for the tokens within texts.
const WITHIN_BYTES: usize = 24 << 20;

/// What masks of tags need of a vocabulary, shared by all guides.
#[derive(Debug)]
pub(crate) struct TagTokens {
    classes: Arc<ClassesCache>,
    /// By automaton and state.
    within: Cache<(u128, u32), Arc<WithinText>>,
}

/// The tokens that go on within a text.
#[derive(Debug)]
pub(super) struct WithinText {
    /// The tokens that end within it, by the state in which they end.
    pub(super) tokens: Box<[(u32, Tokens)]>,
    /// Nodes of the trie with tokens below them at which the text ends and cannot go on, with the state there.
    pub(super) ends: Box<[(u32, u32)]>,
    /// As `ends`, where the text may go on; `None` if there are too many.
    inner_ends: Option<Box<[(u32, u32)]>>,
}

/// The most [inner ends](WithinText::inner_ends) that are remembered.
const MOST_INNER_ENDS: usize = 4096;

impl TagTokens {
    pub(crate) fn new(classes: Arc<ClassesCache>) -> TagTokens {
        TagTokens { classes, within: Cache::new(WITHIN_BYTES) }
    }

    /// The tokens that texts are written with: each of their bytes is a token too.
    pub(super) fn trie<'a>(&'a self, vocabulary: &'a Vocabulary) -> &'a Trie {
        self.classes.trie(vocabulary)
    }

    /// Whether texts are written with a token.
    pub(super) fn reads(&self, token: &[u8]) -> bool {
        self.classes.has(token)
    }

    /// The tokens that go on within a text.
    pub(super) fn within(&self, vocabulary: &Vocabulary, dfa: &Dfa, fingerprint: u128, state: u32) -> Arc<WithinText> {
        let make = || {
            let walk = TextWalk::new(self.trie(vocabulary), dfa, state);
            let words = vocabulary.mask_words();
            let tokens = (0..).zip(walk.tokens).filter(|(_, tokens)| !tokens.is_empty());
            Arc::new(WithinText {
                tokens: tokens.map(|(state, tokens)| (state, Tokens::new(tokens, words))).collect(),
                ends: walk.ends.into(),
                inner_ends: Some(walk.inner_ends).filter(|ends| ends.len() <= MOST_INNER_ENDS).map(Into::into),
            })
        };
        let size = |within: &WithinText| {
            let tokens: usize = within.tokens.iter().map(|(_, tokens)| tokens.size() + 24).sum();
            tokens + (within.ends.len() + within.inner_ends.as_ref().map_or(0, |ends| ends.len())) * 8 + 128
        };
        self.within.get_or_make((fingerprint, state), |_, within| size(within), make)
    }

    /// Nodes at which a text may end and may go on, see [`WithinText`].
    pub(super) fn inner_ends(
        &self,
        vocabulary: &Vocabulary,
        dfa: &Dfa,
        state: u32,
        within: &WithinText,
    ) -> Box<[(u32, u32)]> {
        let found = || TextWalk::new(self.trie(vocabulary), dfa, state).inner_ends.into();
        within.inner_ends.clone().unwrap_or_else(found)
    }

    /// The tokens in which one of `lasts` is followed by one of `firsts`.
    pub(super) fn crossing(&self, vocabulary: &Vocabulary, lasts: ByteSet, firsts: ByteSet) -> Arc<Trie> {
        self.classes.crossing(vocabulary, lasts, firsts)
    }
}

/// A walk of the trie along an automaton.
struct TextWalk<'a> {
    trie: &'a Trie,
    dfa: &'a Dfa,
    /// By state the tokens that end there.
    tokens: Vec<Vec<u32>>,
    ends: Vec<(u32, u32)>,
    inner_ends: Vec<(u32, u32)>,
}

impl<'a> TextWalk<'a> {
    fn new(trie: &'a Trie, dfa: &'a Dfa, state: u32) -> TextWalk<'a> {
        let tokens = vec![Vec::new(); dfa.len()];
        let mut walk = TextWalk { trie, dfa, tokens, ends: Vec::new(), inner_ends: Vec::new() };
        walk.walk(0, state);
        walk
    }

    fn walk(&mut self, node: u32, state: u32) {
        let trie = self.trie;
        for child in trie.children(node) {
            let next = self.dfa.next(state, trie.byte(child));
            if next == 0 || marks::is_mark(trie.byte(child)) {
                continue;
            }
            self.tokens[next as usize].extend(trie.own(child));
            if trie.end(child) == child + 1 {
                continue;
            }
            if self.dfa.accepts_at(next) {
                let goes_on = !self.dfa.is_final(next);
                if goes_on { &mut self.inner_ends } else { &mut self.ends }.push((child, next));
            }
            self.walk(child, next);
        }
    }
}
