//! Languages of JSON scalars as automata.

pub(crate) mod cache;
pub(crate) mod format;
pub(crate) mod length;
pub(crate) mod number;
pub(crate) mod residual;
pub(crate) mod strings;
