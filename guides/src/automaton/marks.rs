//! Bytes that stand in automata for something else than text.

/// The mark of `^`.
pub(crate) const BEGIN: u8 = 0xFF;

/// The mark of `$`.
pub(crate) const END: u8 = 0xFE;

/// The mark of `\b`.
pub(crate) const BOUNDARY: u8 = 0xFD;

/// The mark of `\B`.
pub(crate) const NO_BOUNDARY: u8 = 0xFC;

/// The marks of look-ahead, in the order of their ends.
pub(crate) const LOOKS: [u8; 9] = [0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xC0, 0xC1];
