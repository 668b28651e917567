//! An index of the tokens inside a string by the characters that they contain.
//!
//! It answers "which tokens consist of these characters alone?" with bitset operations: the tokens in which another character occurs
//! are taken out of the set of all tokens. llguidance calls the same idea a slicer. [`alphabet_search`](super::alphabet_search) uses it
//! for states that repeat a set of characters.
//!
//! A character is known by its first byte: UTF-8 has no more than 256 of these, and one list of tokens for each keeps the index small.
//!
//! | token | what the index keeps |
//! |---|---|
//! | `ab` | 2 characters; first byte `a`; contained in the lists of `a` and `b` |
//! | `é` | 1 character; first byte 0xC3; contained in the list of 0xC3 alone, which stands for all characters that begin so |
//! | the first byte of `é` | the same, and *partial*: it ends inside a character |
//! | `\n`, `\` | 1 character; in the list of `\`, whatever the escape means; `\` is partial |
//! | `a"`, `", "x` | nothing: they close the string, see [`frame`](super::frame) |
//!
//! It is built once for each trie node and kind of escapes, in time linear in the bytes of the tokens. A set for an alphabet takes up to
//! 256 subtractions of a bitset and is cached.

use crate::collections::byte_set::ByteSet;
use crate::collections::cache::Cache;
use crate::json::language::strings::{Decoder, StringState, Strings};
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use std::ops::Range;
use std::sync::Arc;

/// Sets of tokens that are cached, one for each alphabet. Schemas have few distinct ones: `[^"]`, `\w`, `\S` and the like.
const MOST_KNOWN: usize = 64;

/// The tokens below a trie node that do not close a string. An *index* of a token is its place in the order of the tokens' bytes.
#[derive(Debug)]
pub(crate) struct Alphabets {
    pub(super) tokens: Vec<u32>,
    /// The bytes of all tokens, concatenated, and the end of each.
    text: Vec<u8>,
    ends: Vec<u32>,
    /// The number of characters that begin in each token.
    pub(super) lengths: Vec<u32>,
    /// All indices, the longest token first.
    pub(super) by_length: Vec<u32>,
    /// `longer[n]` tokens have more than `n` characters: the first ones of `by_length`.
    pub(super) longer: Vec<usize>,
    /// By first byte of a character: the indices of the tokens that begin with it, which are contiguous.
    pub(super) first: Vec<Range<u32>>,
    /// By first byte of a character: the indices of the tokens in which it occurs.
    pub(super) containing: Vec<Vec<u32>>,
    /// The same as a bitset, for bytes in more tokens than a bitset has words: one subtraction is then faster than a removal per token.
    often: Vec<Option<Box<[u32]>>>,
    /// Tokens that end inside a character or an escape.
    pub(super) partial: Vec<u32>,
    /// The other tokens, as a bitset.
    pub(super) complete: Box<[u32]>,
    made: Cache<ByteSet, Arc<[u32]>>,
}

impl Alphabets {
    /// The index of the tokens below `node` that do not close a string of `strings`, which are strings of any characters.
    pub(super) fn new(strings: &Strings, node: u32, trie: &Trie, words: usize) -> Alphabets {
        let mut alphabets = Alphabets {
            tokens: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
            lengths: Vec::new(),
            by_length: Vec::new(),
            longer: Vec::new(),
            first: vec![0..0; 256],
            containing: vec![Vec::new(); 256],
            often: Vec::new(),
            partial: Vec::new(),
            complete: Box::default(),
            made: Cache::new(MOST_KNOWN * words * 4),
        };
        let start = StringState { state: strings.characters.dfa.start(), count: 0, decoder: Decoder::Body };
        let complete = TokenSet::new(words);
        let mut builder = AlphabetsBuilder { alphabets: &mut alphabets, strings, trie, path: Vec::new(), complete };
        builder.add_below(node, &start);
        alphabets.complete = builder.complete.words().into();
        alphabets.sort_by_length();
        alphabets.find_first();
        let often = alphabets.containing.iter().map(|indices| {
            (indices.len() > words).then(|| {
                let mut set = TokenSet::new(words);
                indices.iter().for_each(|&index| set.insert(alphabets.tokens[index as usize]));
                set.words().into()
            })
        });
        alphabets.often = often.collect();
        alphabets
    }

    fn sort_by_length(&mut self) {
        let lengths = &self.lengths;
        self.by_length = (0..self.tokens.len() as u32).collect();
        self.by_length.sort_unstable_by_key(|&index| std::cmp::Reverse(lengths[index as usize]));
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let more = |count| self.by_length.partition_point(|&index| lengths[index as usize] > count);
        self.longer = (0..=longest).map(more).collect();
    }

    fn find_first(&mut self) {
        for index in 0..self.tokens.len() as u32 {
            let byte = self.text_of(index).first().map_or(0, |&byte| usize::from(byte));
            let range = &mut self.first[byte];
            *range = if range.end == 0 { index } else { range.start }..index + 1;
        }
    }

    /// The bytes of a token below the node of the index.
    pub(super) fn text_of(&self, index: u32) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.text[begin as usize..self.ends[index as usize] as usize]
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        let containing = self.containing.iter().map(|indices| indices.len() * 4).sum::<usize>();
        let often = self.often.iter().flatten().count() + MOST_KNOWN + 1;
        self.tokens.len() * 16 + self.text.len() + containing + often * self.complete.len() * 4
    }

    /// The number of characters of the longest token.
    pub(super) fn most_characters(&self) -> u32 {
        self.by_length.first().map_or(0, |&index| self.lengths[index as usize])
    }

    /// The complete tokens all of whose characters begin with these bytes.
    pub(super) fn made_of(&self, alphabet: ByteSet) -> Arc<[u32]> {
        let make = || {
            let mut set = TokenSet::new(self.complete.len());
            set.union(&self.complete);
            for byte in (0..=255u8).filter(|&byte| !alphabet.contains(byte)) {
                match &self.often[usize::from(byte)] {
                    Some(words) => set.subtract(words),
                    None => {
                        let indices = &self.containing[usize::from(byte)];
                        indices.iter().for_each(|&index| set.remove(self.tokens[index as usize]));
                    }
                }
            }
            set.words().into()
        };
        self.made.get_or_make(alphabet, |_, words: &Arc<[u32]>| words.len() * 4, make)
    }
}

struct AlphabetsBuilder<'a> {
    alphabets: &'a mut Alphabets,
    strings: &'a Strings,
    trie: &'a Trie,
    /// The bytes from the first node to the current one.
    path: Vec<u8>,
    complete: TokenSet,
}

impl AlphabetsBuilder<'_> {
    /// Adds the tokens below a node, in the order of their bytes.
    fn add_below(&mut self, node: u32, state: &StringState) {
        let (strings, trie) = (self.strings, self.trie);
        for child in trie.children(node) {
            let byte = trie.byte(child);
            let closes = state.decoder == Decoder::Body && byte == b'"';
            let Some(next) = strings.step(state, byte).filter(|_| !closes) else { continue };
            self.path.push(byte);
            self.add(trie.own(child), &next);
            self.add_below(child, &next);
            self.path.pop();
        }
    }

    /// Adds the tokens that end at a node, `state` being the state there.
    fn add(&mut self, tokens: &[u32], state: &StringState) {
        let (alphabets, path) = (&mut *self.alphabets, &self.path);
        let mut bytes = ByteSet::default();
        // The backslash stands for every character that an escape may mean, so continuation bytes are all that is left out.
        bytes.add_all(path.iter().copied().filter(|byte| byte & 0xC0 != 0x80));
        for &token in tokens {
            let index = alphabets.tokens.len() as u32;
            alphabets.tokens.push(token);
            alphabets.text.extend_from_slice(path);
            alphabets.ends.push(alphabets.text.len() as u32);
            alphabets.lengths.push(state.count);
            bytes.iter().for_each(|byte| alphabets.containing[usize::from(byte)].push(index));
            // Between characters a string of any characters needs its closing quote alone.
            if self.strings.cost(state) == 1 {
                self.complete.insert(token);
            } else {
                alphabets.partial.push(index);
            }
        }
    }
}
