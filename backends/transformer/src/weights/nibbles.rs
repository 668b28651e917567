//! Two 4-bit numbers in a byte: the first in the low half, the second in the high half.

/// The largest number, and the largest zero point.
pub const LARGEST: u8 = 15;

/// Packs two numbers into a byte.
#[must_use]
pub const fn pack(first: u8, second: u8) -> u8 {
    (first & LARGEST) | (second & LARGEST) << 4
}

/// Unpacks the two numbers of a byte.
#[must_use]
pub const fn numbers(byte: u8) -> [u8; 2] {
    [byte & LARGEST, byte >> 4]
}
