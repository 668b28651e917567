//! Tokens, grouped by what they do inside a string or a number.
//!
//! Inside a string nearly every token is allowed, so a trie walk with the full state of the output would take milliseconds. The effect
//! of a token there depends on little. It either stays inside the string, or it closes it; the closing quote then splits it into a
//! prefix, which belongs to the string, and a suffix, which belongs to the text after it.
//!
//! | token | stays inside | prefix | suffix |
//! |---|---|---|---|
//! | `ab` | yes, with 2 characters | | |
//! | `a"` | no | `a` | none: the token is *bare* |
//! | `", "x` | no | empty | `, "x` |
//!
//! | file | what it keeps | computed once per |
//! |---|---|---|
//! | [`frame`] | this table, for strings of any characters | trie node and kind of escapes; for the root with the vocabulary |
//! | [`by_length`] | the tokens that stay inside, by number of characters | the same |
//! | [`alphabet`] | the tokens that stay inside, by the characters that they contain | the same |
//! | [`alphabet_search`] | nothing: it finds the tokens that stay inside for a state that repeats a set of characters | |
//! | [`destinations`] | nothing: it tells where each character leads from a state | |
//! | [`classes`] | which of these tokens stay inside, and the state at the quote of each prefix | state of a string's automaton |
//! | [`by_state`] | the tokens that stay inside, by the state of the string's automaton after each | state of a string's automaton, near the end of a budget |
//! | [`numbers`] | the tokens inside a number | state of a number's automaton |
//! | [`text_heights`] | how many characters of text the tokens below a trie node have | vocabulary |
//! | [`crossing`] | the tokens in which something goes on behind a value | last bytes of the value and first bytes behind it |
//! | [`entries`] | which entries of an array one token can write | vocabulary |
//! | [`cache`] | all of these, shared by the guides of a vocabulary | |
//!
//! A mask then takes one union of bitsets for the tokens that stay inside, and one walk along the trie of suffixes for the tokens that
//! close the string.
//!
//! Sharing is exact because the two parts of an output's state do not meet inside a token: up to the quote only the state of the string's
//! automaton moves, after the quote only the state of the machine does. All tokens with one prefix reach the same state at the quote,
//! and all tokens with one suffix continue alike behind it. Where the text of a string matters after its quote (keys, `uniqueItems`),
//! [`masks`](crate::json::masks) handles those tokens apart.

pub(crate) mod alphabet;
pub(crate) mod alphabet_search;
pub(crate) mod by_length;
pub(crate) mod by_state;
pub(crate) mod cache;
pub(crate) mod classes;
mod crossing;
pub(crate) mod destinations;
pub(crate) mod entries;
pub(crate) mod frame;
pub(crate) mod numbers;
pub(crate) mod text_heights;
