//! Packed token masks: bit `i % 32` of word `i / 32` is token `i`; a set bit allows the token.
//!
//! An empty slice means "no mask". A mask that is not empty has exactly [`words`]`(vocab_size)` words;
//! bits past the vocabulary are ignored.

/// The number of words of a mask over `vocab_size` tokens.
#[must_use]
pub const fn words(vocab_size: usize) -> usize {
    vocab_size.div_ceil(32)
}

/// Whether a mask allows a token. An empty mask allows every token; a mask that is too short forbids.
#[must_use]
pub fn allows(mask: &[u32], token: u32) -> bool {
    mask.is_empty() || mask.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
}

/// A mask over `vocab_size` tokens that allows only the given ones. Ids past the vocabulary are ignored.
#[must_use]
pub fn pack(vocab_size: usize, tokens: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut mask = vec![0; words(vocab_size)];
    for token in tokens {
        if (token as usize) < vocab_size {
            mask[token as usize / 32] |= 1 << (token % 32);
        }
    }
    mask
}

/// Removes from `mask` the tokens that `other` does not allow. An empty `other` allows everything; an empty `mask`,
/// which does too, becomes a copy of `other`.
pub fn intersect(mask: &mut Vec<u32>, other: &[u32]) {
    if mask.is_empty() {
        mask.extend_from_slice(other);
    } else if !other.is_empty() {
        for (index, word) in mask.iter_mut().enumerate() {
            *word &= other.get(index).copied().unwrap_or(0);
        }
    }
}

/// The tokens below `vocab_size` that a mask allows, in order.
pub fn iter(mask: &[u32], vocab_size: usize) -> impl Iterator<Item = u32> + '_ {
    let all = if mask.is_empty() { vocab_size } else { 0 };
    let words = mask.iter().enumerate().flat_map(|(index, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(index as u32 * 32 + bit)
        })
    });
    (0..all as u32).chain(words.take_while(move |&token| (token as usize) < vocab_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_is_allowed_and_iterated() {
        let mask = pack(70, [0, 31, 32, 69, 70, 4_000_000]);
        assert_eq!(mask.len(), 3);
        assert_eq!(iter(&mask, 70).collect::<Vec<_>>(), [0, 31, 32, 69]);
        assert!(allows(&mask, 69) && !allows(&mask, 70) && !allows(&mask, 1) && !allows(&mask, u32::MAX));
    }

    #[test]
    fn an_intersection_allows_what_both_allow() {
        let mut mask = Vec::new();
        intersect(&mut mask, &pack(70, [1, 40, 69]));
        intersect(&mut mask, &[]);
        intersect(&mut mask, &pack(70, [2, 40, 69]));
        assert_eq!(iter(&mask, 70).collect::<Vec<_>>(), [40, 69]);
    }

    #[test]
    fn an_empty_mask_allows_everything() {
        assert!(allows(&[], u32::MAX));
        assert_eq!(iter(&[], 3).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
