//! Which characters of a string may be written as `\uXXXX`.
//!
//! RFC 8259 (section 7) allows it for every character. A guide allows it for the characters that encoders commonly write so. All other
//! characters keep one spelling, so a text without alternatives is forced and needs no model.

/// Which characters may be written as `\uXXXX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Escapes {
    /// Characters beyond ASCII, control characters, quotes, slashes, and the ASCII characters that encoders escape for HTML.
    Usual,
    /// Control characters without a short escape. The keys of objects use this, so a key has few spellings.
    Needed,
}

impl Escapes {
    /// The characters of the basic plane, as inclusive ranges without the surrogates.
    pub(super) fn ranges(self) -> &'static [(u32, u32)] {
        match self {
            Escapes::Usual => &[
                (0, 0x1f),
                (0x22, 0x22),
                (0x26, 0x27),
                (0x2f, 0x2f),
                (0x3c, 0x3c),
                (0x3e, 0x3e),
                (0x5c, 0x5c),
                (0x7f, 0xd7ff),
                (0xe000, 0xffff),
            ],
            Escapes::Needed => &[(0, 7), (0xb, 0xb), (0xe, 0x1f)],
        }
    }
}

/// The code of the character that a surrogate pair encodes (RFC 8259, section 7).
pub(crate) fn pair(high: u16, low: u32) -> u32 {
    0x10000 + ((u32::from(high) - 0xD800) << 10) + (low - 0xDC00)
}
