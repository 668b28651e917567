//! Context-free grammars as guides.
//!
//! A grammar becomes a recursive transition network: an automaton for each recursive rule, whose transitions are bytes and calls. An output
//! is followed along all of its parses at once, so ambiguous and left-recursive grammars are followed exactly. Lexing is part of the
//! grammar: a terminal takes any of the texts that it matches, not the longest.
//!
//! ```text
//!  text ── syntax ──▶ Grammar ── network ──▶ Network ── stack: step by byte ──▶ Configuration ── walk, machine ──▶ mask
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | this one | a text to its machine |
//! | [`syntax`] | the readers of GBNF and Lark |
//! | [`rules`] | a grammar as rules over texts |
//! | [`network`] | rules as automata that call each other |
//! | [`stack`] | where an output stands, and the calls that are open |
//! | [`subtrees`] | of which bytes the tokens below a node of the trie are made |
//! | [`walk`] | the tokens that go on from a state, and behind it |
//! | [`machine`] | the automaton; masks |
//!
//! # Invariants
//!
//! - Every item can finish, and the cost of a configuration is the least bytes to the end of the output. So it falls along some byte.
//! - A mask is exact: the walks of an item and of the frames behind it find each token that some parse goes on with.

pub(crate) mod machine;
mod network;
mod rules;
pub(crate) mod stack;
pub(crate) mod subtrees;
mod syntax;
#[cfg(test)]
mod tests;
mod walk;

use crate::automaton::dfa::DfaLimits;
use crate::error::CompileError;
use crate::grammar::machine::GrammarMachine;
use crate::grammar::network::{Network, Schemas};
use crate::grammar::rules::Grammar;
use crate::grammar::subtrees::Subtrees;
use crate::grammar::walk::Walks;
use crate::json::language::strings::Characters;
use crate::json::tokens::cache::ClassesCache;
use crate::options::Limits;
use crate::vocabulary::Vocabulary;
use std::sync::{Arc, OnceLock};

/// What masks of grammars need of a vocabulary, shared by all guides.
#[derive(Debug, Clone)]
pub(crate) struct GrammarTokens {
    classes: Arc<ClassesCache>,
    subtrees: Arc<OnceLock<Arc<Subtrees>>>,
}

impl GrammarTokens {
    pub(crate) fn new(classes: Arc<ClassesCache>) -> GrammarTokens {
        GrammarTokens { classes, subtrees: Arc::default() }
    }

    /// Made with the first grammar, and not while a mask is waited for.
    fn subtrees(&self, vocabulary: &Vocabulary) -> Result<Arc<Subtrees>, CompileError> {
        let any = Characters::any().map_err(|_| CompileError::Interrupted)?;
        let make = || Arc::new(Subtrees::new(self.classes.trie(vocabulary), any));
        Ok(self.subtrees.get_or_init(make).clone())
    }
}

/// The machine of the text of a grammar; `schemas` gives the machines of its JSON values.
pub(crate) fn compile(
    text: &str,
    limits: &Limits,
    vocabulary: &Vocabulary,
    tokens: GrammarTokens,
    schemas: Schemas<'_>,
) -> Result<GrammarMachine, CompileError> {
    machine(&syntax::read(text)?, limits, vocabulary, tokens, schemas)
}

/// The machine of a grammar that was read.
fn machine(
    grammar: &Grammar,
    limits: &Limits,
    vocabulary: &Vocabulary,
    tokens: GrammarTokens,
    schemas: Schemas<'_>,
) -> Result<GrammarMachine, CompileError> {
    let limits = DfaLimits { states: limits.states, bytes: limits.bytes };
    let network = Network::new(grammar, limits, vocabulary, schemas)?;
    let walks = Walks::new(tokens.subtrees(vocabulary)?);
    Ok(GrammarMachine::new(network, tokens.classes, walks))
}
