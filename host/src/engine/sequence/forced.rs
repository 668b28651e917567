//! Forced text: where a guide allows only one continuation, its tokens are appended without sampling (fast-forward), split as the
//! tokenizer splits them. The model computes them in one step, together with the token before.

use std::collections::HashMap;
use std::sync::Arc;

use super::sequence::{Progress, Sequence};
use crate::tokenizer::Tokenizer;

/// The longest piece of text that is taken at a time, in bytes.
const MOST_BYTES: usize = 512;
/// Texts whose tokens are remembered. Emptied when full: those in use are soon there again.
const MOST_TEXTS: usize = 4096;
/// What may follow a text: one of each kind that tokenizers tell apart.
const AFTER: [&str; 6] = ["a", " ", "0", "\"", "}", "\n"];

/// The tokens of texts that were forced before.
pub(in crate::engine) struct ForcedText {
    tokenizer: Tokenizer,
    known: HashMap<String, Arc<[u32]>>,
}

impl ForcedText {
    pub(in crate::engine) fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, known: HashMap::new() }
    }

    /// Appends to an output what it must go on with. Returns what became of it.
    pub(in crate::engine) fn append(&mut self, sequence: &mut Sequence) -> Progress {
        let text = sequence.forced_text(MOST_BYTES);
        if text.is_empty() {
            return Progress::Continues;
        }
        let tokens = self.tokens(text);
        sequence.accept_forced(&tokens)
    }

    /// The tokens of a text that do not depend on what follows it. The last ones are left to the model if they could be part of a
    /// longer token.
    fn tokens(&mut self, text: String) -> Arc<[u32]> {
        if let Some(tokens) = self.known.get(&text) {
            return tokens.clone();
        }
        let mut common: Option<Vec<u32>> = None;
        for after in AFTER {
            // A text that the tokenizer refuses is drawn token by token, as any other.
            let tokens = self.tokenizer.encode_inside(&format!("{text}{after}")).unwrap_or_default();
            common = Some(match common {
                None => tokens,
                Some(common) => {
                    let same = common.iter().zip(&tokens).take_while(|(a, b)| a == b).count();
                    common[..same].to_vec()
                }
            });
        }
        let tokens: Arc<[u32]> = common.unwrap_or_default().into();
        if self.known.len() >= MOST_TEXTS {
            self.known.clear();
        }
        self.known.insert(text, tokens.clone());
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::testing;

    #[test]
    fn tokens_are_those_of_the_tokenizer_up_to_where_what_follows_matters() {
        let demo = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/demo"));
        let tokenizer = Tokenizer::load(demo).unwrap();
        let mut forced = ForcedText::new(tokenizer.clone());
        for text in ["capital\":\"", "\"capital\":\"Paris\",\"currency\":\"euro\"}", "é😀 x", ""] {
            let tokens = forced.tokens(text.to_owned());
            for after in ["Zürich", "  ", "12", "\",\"", "}}", "é"] {
                let whole = tokenizer.encode_inside(&format!("{text}{after}")).unwrap();
                assert!(whole.starts_with(&tokens), "{text:?} and {after:?}: {tokens:?} {whole:?}");
            }
            let spelled = tokenizer.decode(&tokens, false);
            assert!(text.starts_with(&spelled), "{text:?} {spelled:?}");
        }
        assert!(forced.tokens("\"capital\":\"Paris\",\"currency\":\"euro\"}".to_owned()).len() > 5);
    }

    #[test]
    fn texts_are_remembered_up_to_a_number() {
        let mut forced = ForcedText::new(testing::byte_level());
        for number in 0..MOST_TEXTS + 10 {
            forced.tokens(format!("x{number}"));
        }
        assert_eq!(forced.known.len(), 10);
    }
}
