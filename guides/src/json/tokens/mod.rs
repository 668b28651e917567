//! The tokens of a vocabulary by what they do to a string or a number.
//!
//! Inside a string nearly every token is allowed, so a walk of the trie with the whole state of the output would take milliseconds. What a
//! token does there depends on little: does it stay inside the string, how many characters does it begin, and if it closes
//! the string, what follows the quote. `", "x` closes it, and what `, "x` may do is the machine's to say, once for all tokens with that
//! suffix. [`frame`] sorts the tokens so once for a vocabulary, [`classes`] once for each state of an automaton over characters,
//! [`alphabet`] finds the tokens that are made of the characters which a pattern repeats; llguidance calls the same idea a slicer.

pub(crate) mod alphabet;
pub(crate) mod by_length;
pub(crate) mod cache;
pub(crate) mod classes;
pub(crate) mod entries;
pub(crate) mod frame;
pub(crate) mod numbers;
