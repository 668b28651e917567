//! Which bytes each token spells in the middle of a text.
//!
//! A `tokenizer.json` names the steps by which it turns tokens into text. Where each step acts on one token at a time,
//! a token has bytes of its own, and a text is the bytes of its tokens, one after the other. That holds for the two kinds
//! of vocabulary that language models use: byte-level BPE (GPT-2's map of bytes to printable characters) and the
//! SentencePiece kind (U+2581 for a space, `<0x0A>` for bytes that have no token). Where it does not hold, the tokenizer
//! can make free text only.

use serde_json::Value;

use super::layout::Layout;
use super::library::{Library, Token};

/// What the tokens of a tokenizer spell.
pub(super) enum Spelling {
    /// Each token has bytes of its own.
    Bytes {
        /// By id: what the token spells after other tokens; `None` for an id without a token.
        table: Vec<Option<Entry>>,
        /// What is taken off where a text begins.
        beginning: Beginning,
    },
    /// The text of a token depends on its neighbours.
    Opaque {
        /// Why.
        reason: String,
    },
}

/// What is known of a token's bytes.
pub(super) struct Entry {
    /// What it spells after other tokens.
    pub(super) bytes: Box<[u8]>,
    /// Whether it is text: no special token, and something that encoding can produce.
    pub(super) is_text: bool,
}

/// What a decoder takes off where a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Nothing.
    Kept,
    /// Up to `count` of this character.
    Stripped { content: char, count: usize },
    /// All spaces of the first token.
    FirstTokenWithoutSpaces,
}

/// A step that acts on each token by itself.
enum Step {
    Replace { pattern: String, content: String },
    ByteFallback,
    ByteLevel,
}

impl Spelling {
    pub(super) fn new(layout: &Layout, library: &Library) -> Self {
        let (steps, beginning) = match read_steps(&layout.decoder) {
            Ok(read) => read,
            Err(reason) => return Self::Opaque { reason },
        };
        let is_text = |token: &Token, bytes: &[u8]| {
            let produced = token.added
                || is_byte_name(&token.name)
                || token.name.chars().nth(1).is_none()
                || layout.merged.as_ref().is_none_or(|merged| merged.contains(&token.name));
            produced && !token.special && !bytes.is_empty()
        };
        let entry = |token: &Token| {
            let bytes = spell(&token.name, &steps);
            Entry { is_text: is_text(token, &bytes), bytes: bytes.into_boxed_slice() }
        };
        Self::Bytes { table: library.tokens().map(|token| token.map(entry)).collect(), beginning }
    }

    /// By id: the bytes of the tokens that are text.
    ///
    /// # Errors
    /// Why a guide can't work with them.
    pub(super) fn guidable(&self) -> Result<Vec<Option<Vec<u8>>>, String> {
        let table = match self {
            Self::Bytes { table, .. } => table,
            Self::Opaque { reason } => return Err(reason.clone()),
        };
        let text = |entry: &Entry| entry.is_text.then(|| entry.bytes.to_vec());
        Ok(table.iter().map(|entry| entry.as_ref().and_then(text)).collect())
    }
}

/// The decoder's steps, and what happens where a text begins.
fn read_steps(decoder: &[Value]) -> Result<(Vec<Step>, Beginning), String> {
    if decoder.is_empty() {
        return Err("it has no decoder, so its tokens are words with spaces between them".to_owned());
    }
    let mut steps = Vec::new();
    let mut beginning = Beginning::Kept;
    let mut fused = false;
    for value in decoder {
        let kind = value["type"].as_str().unwrap_or_default();
        let text = |key: &str| value[key].as_str();
        match kind {
            "ByteLevel" if !fused => steps.push(Step::ByteLevel),
            "ByteFallback" if !fused => steps.push(Step::ByteFallback),
            "Replace" if !fused => match (value["pattern"]["String"].as_str(), text("content")) {
                (Some(pattern), Some(content)) if !pattern.is_empty() => {
                    steps.push(Step::Replace { pattern: pattern.to_owned(), content: content.to_owned() });
                }
                _ => return Err("its decoder replaces by a regular expression".to_owned()),
            },
            "Metaspace" if !fused && decoder.len() == 1 => {
                let pattern = text("replacement").unwrap_or("\u{2581}").to_owned();
                steps.push(Step::Replace { pattern, content: " ".to_owned() });
                let never = text("prepend_scheme") == Some("never") || value["add_prefix_space"] == false;
                beginning = if never { Beginning::Kept } else { Beginning::FirstTokenWithoutSpaces };
            }
            "Fuse" => fused = true,
            "Strip" if fused && value["stop"] == 0 && beginning == Beginning::Kept => {
                let content = text("content").and_then(|content| content.chars().next());
                let count = value["start"].as_u64().and_then(|count| usize::try_from(count).ok());
                match (content, count) {
                    (Some(content), Some(count)) => beginning = Beginning::Stripped { content, count },
                    _ => return Err("its decoder has a malformed Strip step".to_owned()),
                }
            }
            _ => return Err(format!("its decoder has a {kind} step, by which the text of a token depends on others")),
        }
    }
    Ok((steps, beginning))
}

/// What a token spells.
fn spell(name: &str, steps: &[Step]) -> Vec<u8> {
    let mut text = name.to_owned();
    for step in steps {
        match step {
            Step::Replace { pattern, content } => text = text.replace(pattern, content),
            Step::ByteFallback => {
                if let Some(byte) = byte_of_name(&text) {
                    return vec![byte];
                }
            }
            // A name with any character outside the map (an added token with a space) stands for itself.
            Step::ByteLevel => {
                let bytes: Option<Vec<u8>> = text.chars().map(byte_of_char).collect();
                return bytes.unwrap_or_else(|| text.into_bytes());
            }
        }
    }
    text.into_bytes()
}

/// The byte of a name such as `<0x0A>`.
fn byte_of_name(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn is_byte_name(name: &str) -> bool {
    byte_of_name(name).is_some()
}

/// The byte that a character stands for in a byte-level vocabulary. GPT-2's map: printable Latin-1 stands for itself, the
/// other 68 bytes are U+0100 and up, in their order.
pub(super) fn byte_of_char(character: char) -> Option<u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let code = u32::from(character);
    match u8::try_from(code) {
        Ok(byte) => printable(byte).then_some(byte),
        Err(_) => match code - 0x100 {
            rest @ 0..=0x20 => Some(rest as u8),
            rest @ 0x21..=0x42 => Some((rest - 0x21) as u8 + 0x7F),
            0x43 => Some(0xAD),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_of_byte_level_stand_for_each_byte_once() {
        let bytes: Vec<u8> = (0..0x200).filter_map(|code| byte_of_char(char::from_u32(code)?)).collect();
        let mut sorted = bytes.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..=255).collect::<Vec<u8>>());
        // The characters that everybody who has seen such a file knows.
        assert_eq!(byte_of_char('Ġ'), Some(b' '));
        assert_eq!(byte_of_char('Ċ'), Some(b'\n'));
        assert_eq!(byte_of_char('ł'), Some(0xA0));
        assert_eq!(byte_of_char('Ń'), Some(0xAD));
        assert_eq!(byte_of_char(' '), None);
    }

    #[test]
    fn only_two_hexadecimal_digits_name_a_byte() {
        assert_eq!(byte_of_name("<0x0A>"), Some(10));
        assert_eq!(byte_of_name("<0xff>"), Some(255));
        for name in ["<0xA>", "<0x0A", "0x0A", "<0xGG>", "<0xé>", "<0x000A>"] {
            assert_eq!(byte_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_decoder_whose_steps_look_at_neighbours_is_opaque() {
        let steps = |text: &str| read_steps(&serde_json::from_str::<Vec<Value>>(text).unwrap());
        assert!(steps(r###"[{"type":"WordPiece","prefix":"##","cleanup":true}]"###).is_err());
        assert!(steps(r#"[{"type":"Replace","pattern":{"Regex":"a+"},"content":""}]"#).is_err());
        assert!(steps(r#"[{"type":"Strip","content":" ","start":1,"stop":0}]"#).is_err());
        assert!(steps(r#"[{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]"#).is_err());
        assert!(steps("[3]").is_err() && steps("[]").is_err());
        assert!(steps(r#"[{"type":"ByteFallback"},{"type":"Fuse"}]"#).is_ok());
    }
}
