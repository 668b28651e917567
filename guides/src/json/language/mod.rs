//! The languages of JSON's scalars as automata: strings over their characters, numbers over their spelling.
//!
//! | file | what it holds |
//! |---|---|
//! | [`characters`] | a set of strings as an automaton over characters, with the analysis of its states |
//! | [`strings`] | the decoder: from the spelling of a JSON string to its characters |
//! | [`escapes`] | which characters may be written as `\uXXXX` |
//! | [`length`] | bounds on the number of characters, as part of an automaton |
//! | [`mod@format`] | the formats of JSON Schema |
//! | [`number`] | sets of numbers by their conditions |
//! | [`spellable`], [`repertoire`] | what a vocabulary without a token for each byte can write |
//! | [`cache`] | all of these, shared by the schemas of a compiler |
//!
//! # Invariants
//!
//! - An automaton of strings reads decoded characters in UTF-8. Boolean operations on sets of strings do not depend on escapes.
//! - An automaton of numbers accepts all spellings of a value that are written, or none of them. So operations on automata are operations
//!   on sets of values.
//! - An automaton with an `id` keeps it: caches elsewhere use the id as a key.

pub(crate) mod cache;
mod characters;
mod escapes;
pub(crate) mod format;
pub(crate) mod length;
pub(crate) mod number;
mod repertoire;
pub(crate) mod spellable;
pub(crate) mod strings;
