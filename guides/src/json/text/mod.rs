//! JSON text (RFC 8259), independent of schemas.
//!
//! | file | what it holds |
//! |---|---|
//! | [`value`] | the parser, and values that keep the spelling of numbers and the order of keys |
//! | [`decimal`] | exact decimals, by which numbers are compared |
//! | [`escape`] | the escapes of strings |
//! | [`prefix`] | whether a prefix of a text can be continued to a given value |
//!
//! # Invariants
//!
//! - The keys of an object are unique; a text that repeats one is refused.
//! - A number is exact at any size up to [`decimal::GREATEST_EXPONENT`]; no float is involved.

pub(crate) mod decimal;
pub(crate) mod escape;
pub(crate) mod prefix;
pub(crate) mod value;
