//! The one file that knows the `tokenizers` crate.
//!
//! The crate panics on some malformed files (a decoder that is no JSON object), so all that reads or runs what a
//! file says is behind `catch_unwind`.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use tokenizers::{AddedToken, Normalizer};

/// A `tokenizer.json` that has been read.
pub(super) struct Library {
    tokenizer: tokenizers::Tokenizer,
    /// What is known of each token, by id.
    tokens: Vec<Option<Token>>,
    /// Made when it is first needed.
    plain: OnceLock<Result<Plain, String>>,
}

/// The same tokenizer, to which special tokens are plain text.
struct Plain {
    tokenizer: tokenizers::Tokenizer,
    /// A token that no text has. What follows it does not begin at the beginning of a text, where some tokenizers put a space.
    guard: String,
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
        Ok(Self { tokenizer, tokens, plain: OnceLock::new() })
    }

    pub(super) fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, String> {
        guarded(|| Ok(self.tokenizer.encode_fast(text, add_special)?.get_ids().to_vec()))
    }

    /// As [`Library::encode`] without special tokens around it, where the text of special tokens at `literal` is plain text.
    ///
    /// A special token divides a text: what stands between two of them is tokenized for itself. So only the stretches in which a literal
    /// place lies are tokenized anew, each as a whole.
    pub(super) fn encode_rendered(&self, text: &str, literal: &[Range<usize>]) -> Result<Vec<u32>, String> {
        if literal.is_empty() {
            return self.encode(text, false);
        }
        // As long as the text, and without the special tokens that are none.
        let masked = mask(text, literal)?;
        let encoding = guarded(|| self.tokenizer.encode(masked, false))?;
        let is_special = |(id, (begin, end)): &(&u32, &(usize, usize))| {
            let token = self.token(**id).filter(|token| token.special);
            token.is_some_and(|token| text.get(*begin..*end).is_some_and(|text| text.contains(&token.name)))
        };
        let (ids, offsets) = (encoding.get_ids(), encoding.get_offsets());
        let mut specials = ids.iter().zip(offsets).enumerate().filter(|(_, token)| is_special(token));
        let mut tokens = Vec::with_capacity(ids.len());
        let (mut begin, mut first) = (0, 0);
        loop {
            let special = specials.next();
            let (end, last) = special.map_or((text.len(), ids.len()), |(at, (_, offsets))| (offsets.0, at));
            let next = literal.get(literal.partition_point(|place| place.end <= begin));
            if next.is_some_and(|place| place.start < end) {
                tokens.extend(self.encode_plain(&text[begin..end], begin == 0)?);
            } else {
                tokens.extend_from_slice(&ids[first..last]);
            }
            let Some((at, (&id, offsets))) = special else { return Ok(tokens) };
            tokens.push(id);
            (begin, first) = (offsets.1, at + 1);
        }
    }

    /// The tokens of a text to which special tokens are plain text.
    fn encode_plain(&self, text: &str, is_first: bool) -> Result<Vec<u32>, String> {
        let plain = self.plain.get_or_init(|| self.plain()).as_ref().map_err(Clone::clone)?;
        let guard = if is_first { "" } else { &plain.guard };
        let encoding = guarded(|| plain.tokenizer.encode_fast(format!("{guard}{text}"), false))?;
        Ok(encoding.get_ids()[usize::from(!is_first)..].to_vec())
    }

    fn plain(&self) -> Result<Plain, String> {
        let mut tokenizer = self.tokenizer.clone();
        let guard = "\u{f0000}guard\u{f0000}".to_owned();
        guarded(|| tokenizer.add_tokens([AddedToken::from(guard.clone(), false).normalized(false)]))?;
        tokenizer.set_encode_special_tokens(true);
        Ok(Plain { tokenizer, guard })
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

/// A text of the same length with control characters at the places.
fn mask(text: &str, places: &[Range<usize>]) -> Result<String, String> {
    let mut masked = String::with_capacity(text.len());
    for place in places {
        let between = text.get(masked.len()..place.start).filter(|_| text.get(place.clone()).is_some());
        masked.push_str(between.ok_or("a literal place that is none of the text")?);
        masked.extend(std::iter::repeat_n('\u{1}', place.len()));
    }
    masked.push_str(&text[masked.len()..]);
    Ok(masked)
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
