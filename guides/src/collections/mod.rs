//! Small collections that know nothing of guides.
//!
//! | file | what it holds |
//! |---|---|
//! | [`byte_set`] | sets of bytes as four words |
//! | [`cache`] | results within a budget of bytes, shared by threads |
//! | [`few`] | a list that is nearly always of length one |
//! | [`fingerprint`] | hashes of 128 bits that stand for their value |
//! | [`once`] | the first occurrence of each key |

pub(crate) mod byte_set;
pub(crate) mod cache;
pub(crate) mod few;
pub(crate) mod fingerprint;
pub(crate) mod id;
pub(crate) mod once;
