//! Tokens to whole characters, as they come.

use super::Tokenizer;
use super::library::Library;
use super::spelling::{Beginning, Spelling};

/// After this many tokens a text that still ends in U+FFFD is given out: no character takes so many.
const MAX_OPAQUE_WINDOW: usize = 8;

/// Turns the tokens of one output into text, a token at a time: never half a character, and in time linear in the
/// output. All it says, put together, is the text of all tokens, as it stands after a prompt.
pub struct Detokenizer {
    tokenizer: Tokenizer,
    skip_special: bool,
    /// Special tokens that are text all the same, in rising order.
    spoken: Vec<u32>,
    held: Held,
}

/// What is known and not yet said.
enum Held {
    /// The beginning of a character: at most three bytes.
    Bytes(Vec<u8>),
    /// Tokens that depend on each other: `context` was said and is needed to tell what `pending` adds to it.
    Tokens { context: Vec<u32>, pending: Vec<u32> },
}

impl Detokenizer {
    pub(super) fn new(tokenizer: Tokenizer, skip_special: bool) -> Self {
        let held = match tokenizer.inner.spelling {
            Spelling::Bytes { .. } => Held::Bytes(Vec::new()),
            Spelling::Opaque { .. } => Held::Tokens { context: Vec::new(), pending: Vec::new() },
        };
        Self { tokenizer, skip_special, spoken: Vec::new(), held }
    }

    /// The same, with special tokens that are a part of the text where others are left out. They are in rising order.
    #[must_use]
    pub fn speaking(mut self, tokens: Vec<u32>) -> Self {
        self.spoken = tokens;
        self
    }

    /// Takes the next token; returns the characters that are whole by it, which may be none. Bytes that can be no
    /// character become U+FFFD.
    pub fn push(&mut self, token: u32) -> String {
        let inner = &*self.tokenizer.inner;
        let is_left_out = self.skip_special && inner.library.is_special(token);
        if is_left_out && self.spoken.binary_search(&token).is_err() {
            return String::new();
        }
        match &mut self.held {
            Held::Bytes(bytes) => {
                bytes.extend_from_slice(bytes_of(&inner.spelling, token));
                take_characters(bytes)
            }
            Held::Tokens { context, pending } => {
                pending.push(token);
                let text = opaque_text(&inner.library, context, pending);
                let whole = !text.is_empty() && !text.ends_with(char::REPLACEMENT_CHARACTER);
                if whole || pending.len() >= MAX_OPAQUE_WINDOW {
                    *context = std::mem::take(pending);
                    text
                } else {
                    String::new()
                }
            }
        }
    }

    /// Whether it has the beginning of a character that is not whole yet.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        match &self.held {
            Held::Bytes(bytes) => !bytes.is_empty(),
            Held::Tokens { pending, .. } => !pending.is_empty(),
        }
    }

    /// What is left when no token follows: half a character becomes U+FFFD.
    pub fn finish(self) -> String {
        match self.held {
            Held::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Held::Tokens { context, pending } => opaque_text(&self.tokenizer.inner.library, &context, &pending),
        }
    }
}

/// The text of tokens that begin a text.
pub(super) fn decode(library: &Library, spelling: &Spelling, tokens: &[u32], skip_special: bool) -> String {
    let kept = tokens.iter().copied().filter(|&token| !(skip_special && library.is_special(token)));
    let Spelling::Bytes { beginning, .. } = spelling else {
        return library.decode(&kept.collect::<Vec<u32>>());
    };
    let mut bytes = Vec::new();
    for (index, token) in kept.enumerate() {
        let spelled = bytes_of(spelling, token);
        if index == 0 && *beginning == Beginning::FirstTokenWithoutSpaces {
            bytes.extend(spelled.iter().filter(|&&byte| byte != b' '));
        } else {
            bytes.extend_from_slice(spelled);
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut rest = &*text;
    if let Beginning::Stripped { content, count } = *beginning {
        for _ in 0..count {
            match rest.strip_prefix(content) {
                Some(stripped) => rest = stripped,
                None => break,
            }
        }
    }
    rest.to_owned()
}

/// What a token spells, as far as it can be told without its neighbours.
pub(super) fn bytes_alone(library: &Library, spelling: &Spelling, token: u32) -> Vec<u8> {
    match spelling {
        Spelling::Bytes { .. } => bytes_of(spelling, token).to_vec(),
        Spelling::Opaque { .. } => library.decode(&[token]).into_bytes(),
    }
}

/// What a token spells after others; nothing for an id without a token.
fn bytes_of(spelling: &Spelling, token: u32) -> &[u8] {
    match spelling {
        Spelling::Bytes { table, .. } => {
            table.get(token as usize).and_then(Option::as_ref).map_or(&[], |entry| &entry.bytes)
        }
        Spelling::Opaque { .. } => &[],
    }
}

/// Takes all characters off the front of `bytes`, and leaves what may be the beginning of one.
fn take_characters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut used = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        used += chunk.valid().len();
        let invalid = chunk.invalid();
        if invalid.is_empty() || (used + invalid.len() == bytes.len() && may_be_continued(invalid)) {
            break;
        }
        text.push(char::REPLACEMENT_CHARACTER);
        used += invalid.len();
    }
    bytes.drain(..used);
    text
}

/// Whether bytes that are no character are the beginning of one.
fn may_be_continued(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// What `pending` adds to the text of `context`.
fn opaque_text(library: &Library, context: &[u32], pending: &[u32]) -> String {
    let before = library.decode(context);
    let both = library.decode(&[context, pending].concat());
    both.strip_prefix(&before).map_or_else(|| library.decode(pending), str::to_owned)
}
