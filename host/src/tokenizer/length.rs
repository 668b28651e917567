//! A lower bound on the number of tokens of a text, without tokenizing it: a prompt that is far too long is refused by its length.
//!
//! The bound rests on what each step of the tokenizer can do to a text. Where a step may drop text (a normalizer that strips, a
//! pre-tokenizer that removes white space, a model that fuses characters it does not know), there is no bound: a prompt that
//! fits must never be refused.

use serde_json::Value;

use super::layout::{Encoding, Layout};
use super::library::Library;
use super::spelling::byte_of_char;

/// Canonical decomposition (NFD) changes the length of a text in UTF-8 by a factor of at most 3, either way, and composition (NFC) is its
/// inverse. So a text and its composed form differ by a factor of at most 3 * 3.
const DECOMPOSED: usize = 3;
/// Lower case is at most this many times shorter (U+212A, three bytes, becomes `k`).
const LOWERED: usize = 3;

/// The most bytes of a text that one token can stand for.
#[derive(Clone, Debug)]
pub(super) struct BytesPerToken {
    bytes: usize,
    /// Whether a token may take any amount of white space beside it.
    takes_white_space: bool,
    /// Bytes that the model has no token for; it skips them.
    left_out: Vec<u8>,
}

impl BytesPerToken {
    /// `None` where a token may stand for a text of any length.
    pub(super) fn of(layout: &Layout, library: &Library) -> Option<Self> {
        let encoding = &layout.encoding;
        let shrinks: Option<usize> = encoding.normalizers.iter().map(shrinks).product();
        if !encoding.is_plain_bpe || !encoding.pre_tokenizers.iter().all(keeps_all) {
            return None;
        }
        let left_out = left_out(encoding, library)?;
        // White space and omitted bytes are counted in the client's text, so a normalizer must not turn other text into them.
        let strips = encoding.added.iter().filter(|token| token.lstrip || token.rstrip);
        let normalizes = !encoding.normalizers.is_empty();
        if normalizes && (!left_out.is_empty() || strips.clone().any(|token| token.normalized)) {
            return None;
        }
        // A name in the file is no shorter than what it spells: a byte is one character or more of it.
        let names = library.tokens().flatten().map(|token| token.name.len());
        let normalized = encoding.added.iter().filter(|token| token.normalized);
        let normalized = normalized.map(|token| Some(library.normalize(&token.content)?.len()));
        let normalized = normalized.collect::<Option<Vec<usize>>>()?;
        let longest = names.chain(normalized).max().unwrap_or(0).max(1);
        Some(Self { bytes: longest.checked_mul(shrinks?)?, takes_white_space: strips.count() > 0, left_out })
    }

    /// No tokenization of the text has fewer tokens than this.
    pub(super) fn least_tokens(&self, text: &str) -> usize {
        if !self.takes_white_space && self.left_out.is_empty() {
            return text.len().div_ceil(self.bytes);
        }
        let counts = |character: &char| !self.takes_white_space || !character.is_whitespace();
        let bytes = |character: char| {
            let mut buffer = [0; 4];
            character.encode_utf8(&mut buffer).bytes().filter(|byte| !self.left_out.contains(byte)).count()
        };
        text.chars().filter(counts).map(bytes).sum::<usize>().div_ceil(self.bytes)
    }
}

/// By what factor at most a normalizer makes a text shorter, in bytes; `None` where that is not known.
fn shrinks(step: &Value) -> Option<usize> {
    match step["type"].as_str()? {
        "Prepend" | "ByteLevel" => Some(1),
        "Replace" => {
            let (pattern, content) = (step["pattern"]["String"].as_str()?, step["content"].as_str()?);
            (content.len() >= pattern.len()).then_some(1)
        }
        "NFC" => Some(DECOMPOSED * DECOMPOSED),
        "NFD" => Some(DECOMPOSED),
        "Lowercase" => Some(LOWERED),
        _ => None,
    }
}

/// Whether a pre-tokenizer hands on every character of the text.
fn keeps_all(step: &Value) -> bool {
    match step["type"].as_str() {
        Some("ByteLevel" | "Metaspace" | "Digits") => true,
        Some("Split" | "Punctuation") => step["behavior"] != "Removed",
        _ => false,
    }
}

/// The bytes of UTF-8 that the model has no token for. `None` where characters that it does not know become one unknown token with
/// their neighbours.
fn left_out(encoding: &Encoding, library: &Library) -> Option<Vec<u8>> {
    if encoding.byte_fallback {
        let has_all = (0..=255).all(|byte: u8| library.token_id(&format!("<0x{byte:02X}>")).is_some());
        return has_all.then(Vec::new);
    }
    let mut steps = encoding.normalizers.iter().chain(&encoding.pre_tokenizers);
    if !steps.any(|step| step["type"] == "ByteLevel") {
        return None;
    }
    let mut spelled = [false; 256];
    for token in library.tokens().flatten().filter(|token| !token.added) {
        let mut characters = token.name.chars();
        if let (Some(character), None) = (characters.next(), characters.next())
            && let Some(byte) = byte_of_char(character)
        {
            spelled[usize::from(byte)] = true;
        }
    }
    let in_utf8 = |byte: &u8| !matches!(byte, 0xC0 | 0xC1 | 0xF5..);
    Some((0..=255).filter(in_utf8).filter(|&byte| !spelled[usize::from(byte)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::normalizers::unicode::NFD;
    use tokenizers::normalizers::utils::Lowercase;
    use tokenizers::{NormalizedString, Normalizer};

    /// The lengths of a character before and after a normalizer, for all characters that it changes.
    fn lengths(normalizer: &dyn Fn(&mut NormalizedString)) -> Vec<(usize, usize)> {
        let characters = (0x80..=u32::from(char::MAX)).filter_map(char::from_u32);
        let changed = characters.filter_map(|character| {
            let mut text = NormalizedString::from(character.to_string());
            normalizer(&mut text);
            (text.get() != text.get_original()).then(|| (character.len_utf8(), text.get().len()))
        });
        changed.collect()
    }

    #[test]
    fn decomposition_and_lower_case_change_no_character_by_more_than_their_factors() {
        let decomposed = lengths(&|text| NFD.normalize(text).unwrap());
        assert!(decomposed.len() > 10_000);
        assert!(decomposed.iter().all(|&(long, short)| long <= DECOMPOSED * short && short <= DECOMPOSED * long));
        let lowered = lengths(&|text| Lowercase.normalize(text).unwrap());
        assert!(lowered.len() > 1_000);
        assert!(lowered.iter().all(|&(long, short)| long <= LOWERED * short));
    }
}
