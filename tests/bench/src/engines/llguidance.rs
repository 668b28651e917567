//! The crate `llguidance` with its slicer, as servers use it.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{JsonCompileOptions, ParserFactory};

use super::{Choices, Engine, Matcher, Refusal, Whitespace};
use crate::Outcome;
use crate::tokens::Tokens;

pub(super) struct Llguidance {
    factory: ParserFactory,
    whitespace: Whitespace,
}

impl Llguidance {
    pub(super) fn new(tokens: &Tokens, choices: Choices) -> Outcome<Llguidance> {
        // The crate marks special tokens with a byte that no text has.
        let special = |id: usize| [vec![TokTrie::SPECIAL_TOKEN_MARKER], format!("[{id}]").into_bytes()].concat();
        let words: Vec<Vec<u8>> =
            tokens.bytes.iter().enumerate().map(|(id, bytes)| bytes.clone().unwrap_or_else(|| special(id))).collect();
        let first = tokens.end.first().copied().ok_or("no token ends the output")?;
        let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, first), &words).with_eos_tokens(&tokens.end);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&env)?;
        factory.quiet();
        Ok(Llguidance { factory, whitespace: choices.whitespace })
    }
}

fn refusal(error: String) -> Refusal {
    Refusal { unsatisfiable: error.contains("Unsatisfiable schema"), reason: error }
}

impl Llguidance {
    fn matcher(&self, grammar: TopLevelGrammar) -> Result<Box<dyn Matcher>, Refusal> {
        let parser = self.factory.create_parser(grammar).map_err(|error| refusal(error.to_string()))?;
        Ok(Box::new(Output { matcher: llguidance::Matcher::new(Ok(parser)), mask: SimpleVob::new() }))
    }
}

impl Engine for Llguidance {
    fn compile(&self, schema: &str) -> Result<Box<dyn Matcher>, Refusal> {
        let mut schema: serde_json::Value = serde_json::from_str(schema).map_err(|error| refusal(error.to_string()))?;
        if matches!(self.whitespace, Whitespace::Compact | Whitespace::Spaces) && schema.is_object() {
            let gap = if self.whitespace == Whitespace::Spaces { " " } else { "" };
            JsonCompileOptions {
                item_separator: format!(",{gap}"),
                key_separator: format!(":{gap}"),
                whitespace_flexible: false,
                ..JsonCompileOptions::default()
            }
            .apply_to(&mut schema);
        }
        self.matcher(TopLevelGrammar::from_json_schema(schema))
    }

    fn compile_grammar(&self, grammar: &str) -> Result<Box<dyn Matcher>, Refusal> {
        self.matcher(TopLevelGrammar::from_lark(grammar.to_owned()))
    }
}

struct Output {
    matcher: llguidance::Matcher,
    mask: SimpleVob,
}

impl Matcher for Output {
    fn mask(&mut self) -> Result<(), String> {
        self.mask = self.matcher.compute_mask().map_err(|error| error.to_string())?;
        Ok(())
    }

    fn allows(&self, token: u32) -> bool {
        self.mask.is_allowed(token)
    }

    fn advance(&mut self, token: u32) -> Result<(), String> {
        self.matcher.consume_token(token).map_err(|error| error.to_string())
    }

    fn may_end(&mut self) -> bool {
        self.matcher.is_accepting().unwrap_or(false)
    }

    fn restart(&mut self) -> Result<(), String> {
        self.matcher.reset().map_err(|error| error.to_string())
    }
}
