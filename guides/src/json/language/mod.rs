//! The languages of JSON's scalars as automata: strings over their characters, formats, and numbers over their spelling.
//!
//! An automaton of strings reads characters, whatever way they are escaped; [`strings`] decodes. Automata are shared by all schemas of a
//! compiler ([`cache`]), as schemas repeat themselves and an automaton takes milliseconds.

pub(crate) mod cache;
pub(crate) mod format;
pub(crate) mod length;
pub(crate) mod number;
pub(crate) mod repertoire;
pub(crate) mod spellable;
pub(crate) mod strings;
