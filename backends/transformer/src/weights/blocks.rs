//! Blocks of elements that share a scale, and what remains of them when a range of elements is cut out.

use std::ops::Range;

/// A range of elements, cut out of a row in which each block of `size` elements (a power of two) shares a scale.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// Elements of a block of the cut: a power of two, at most the original size.
    pub(super) size: usize,
    /// Its blocks.
    pub(super) count: usize,
    start: usize,
    before: usize,
}

impl Cut {
    /// Where the range begins within a block, blocks become smaller, so that each lies within one original block.
    pub(super) fn new(size: usize, range: &Range<usize>) -> Self {
        let aligned = if range.start == 0 { size } else { size.min(1 << range.start.trailing_zeros()) };
        Self { size: aligned, count: range.len().div_ceil(aligned), start: range.start, before: size }
    }

    /// For each block of the cut, the original block that it lies in.
    pub(super) fn blocks(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count).map(|block| (self.start + block * self.size) / self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_has_the_number_that_it_had() {
        for size in [1, 2, 8, 64] {
            for range in [0..5, 0..64, 8..24, 12..41, 63..64, 64..200] {
                let cut = Cut::new(size, &range);
                let blocks: Vec<usize> = cut.blocks().collect();
                assert!(cut.size <= size && blocks.len() == cut.count);
                for (at, element) in range.enumerate() {
                    assert_eq!(blocks[at / cut.size], element / size, "{size} {at}");
                }
            }
        }
    }
}
