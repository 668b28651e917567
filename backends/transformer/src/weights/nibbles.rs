//! Bytes of two numbers of four bits each.

/// The largest number, and the largest zero.
pub const LARGEST: u8 = 15;

/// Two numbers in a byte.
#[must_use]
pub const fn pack(first: u8, second: u8) -> u8 {
    (first & LARGEST) | (second & LARGEST) << 4
}

/// The two numbers of a byte.
#[must_use]
pub const fn numbers(byte: u8) -> [u8; 2] {
    [byte & LARGEST, byte >> 4]
}
