//! The crate `outlines-core`: it translates a schema to a regex, and the regex to an index of all states and their tokens.

use outlines_core::index::Index;
use outlines_core::json_schema;
use outlines_core::vocabulary::Vocabulary;

use super::{Choices, Engine, Matcher, Refusal, Whitespace};
use crate::Outcome;
use crate::tokens::Tokens;

pub(super) struct Outlines {
    vocabulary: Vocabulary,
    words: usize,
    whitespace: Whitespace,
}

impl Outlines {
    pub(super) fn new(tokens: &Tokens, choices: Choices) -> Outcome<Outlines> {
        let end = tokens.end.first().copied().ok_or("no token ends the output")?;
        let mut vocabulary = Vocabulary::new(end);
        for (id, bytes) in (0..).zip(&tokens.bytes) {
            if let Some(bytes) = bytes {
                vocabulary.try_insert(bytes.clone(), id)?;
            }
        }
        Ok(Outlines { vocabulary, words: tokens.bytes.len().div_ceil(32), whitespace: choices.whitespace })
    }
}

impl Engine for Outlines {
    fn compile(&self, schema: &str) -> Result<Box<dyn Matcher>, Refusal> {
        let refusal = |error: outlines_core::Error| Refusal { unsatisfiable: false, reason: error.to_string() };
        let spaces = (self.whitespace == Whitespace::Compact).then_some("");
        let regex = json_schema::regex_from_str(schema, spaces, None).map_err(refusal)?;
        let index = Index::new(&regex, &self.vocabulary).map_err(refusal)?;
        let state = index.initial_state();
        Ok(Box::new(Output { index, state, mask: vec![0; self.words] }))
    }
}

struct Output {
    index: Index,
    state: u32,
    mask: Vec<u32>,
}

impl Matcher for Output {
    fn mask(&mut self) -> Result<(), String> {
        self.mask.fill(0);
        for &token in self.index.allowed_tokens_iter(&self.state).into_iter().flatten() {
            if let Some(word) = self.mask.get_mut(token as usize / 32) {
                *word |= 1 << (token % 32);
            }
        }
        Ok(())
    }

    fn allows(&self, token: u32) -> bool {
        self.mask.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
    }

    fn advance(&mut self, token: u32) -> Result<(), String> {
        self.state = self.index.next_state(&self.state, &token).ok_or("no transition")?;
        Ok(())
    }

    fn may_end(&mut self) -> bool {
        self.index.is_final_state(&self.state)
    }

    fn restart(&mut self) -> Result<(), String> {
        self.state = self.index.initial_state();
        Ok(())
    }
}
