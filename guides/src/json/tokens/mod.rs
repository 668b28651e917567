//! The tokens of a vocabulary by what they do to a string or a number.

pub(crate) mod alphabet;
pub(crate) mod by_length;
pub(crate) mod cache;
pub(crate) mod classes;
pub(crate) mod frame;
pub(crate) mod numbers;
