//! Logits read by the words of a mask, and numbers that are not finite.

use crate::Error;

/// The tokens of a word of the mask: the id of the first, their values, and the word.
pub(super) struct Block<'a> {
    pub(super) first: u32,
    pub(super) values: &'a [f32],
    pub(super) word: u32,
}

impl Block<'_> {
    /// Whether all of its tokens are allowed, so that loops without branches may run over them.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.word == u32::MAX
    }

    /// The index and the value of each allowed token, with minus infinity made finite.
    #[inline]
    pub(super) fn allowed(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let allowed = move |(index, _): &(usize, &f32)| self.word >> index & 1 == 1;
        self.values.iter().enumerate().filter(allowed).map(|(index, value)| (index, value.max_finite()))
    }
}

/// The blocks that hold an allowed token, in the order of ids.
#[inline]
pub(super) fn blocks<'a>(values: &'a [f32], mask: &'a [u32]) -> impl Iterator<Item = Block<'a>> {
    let block = move |(index, values): (usize, &'a [f32])| {
        let word = if mask.is_empty() { u32::MAX } else { mask.get(index).copied().unwrap_or(0) };
        Block { first: index as u32 * 32, values, word }
    };
    values.chunks(32).enumerate().map(block).filter(|block| block.word != 0)
}

pub(super) trait MaxFinite {
    /// Minus infinity becomes the least finite number; NaN stays.
    fn max_finite(self) -> Self;
}

impl MaxFinite for f32 {
    #[inline]
    fn max_finite(self) -> Self {
        if self == f32::NEG_INFINITY { f32::MIN } else { self }
    }
}

/// The model computed what is not a number.
pub(super) fn not_a_number(token: u32, value: f32) -> Error {
    Error::internal(format!(
        "the model gave token {token} a logit of {value}: its weights are damaged, or its data type overflows"
    ))
}
