//! Masks that were made before, by what they depend on.

use crate::collections::cache::Cache;
use crate::vocabulary::mask::Mask;

/// The part of a budget that a mask depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Slack {
    /// Whatever token comes, the output can be completed.
    Free,
    /// After the cheapest completion so many tokens are left. Not all budgets are told apart: see [`rounded`].
    Spare(u32),
    /// Fewer tokens than the bytes of the cheapest completion.
    Short,
}

impl Slack {
    /// The slack of an output that costs `cost` bytes to complete, by `growth` more after some token.
    pub(crate) fn of(cost: u32, growth: u32, tokens_left: u32) -> Slack {
        match tokens_left {
            left if left > cost.saturating_add(growth) => Slack::Free,
            left if left < cost.max(1) => Slack::Short,
            left => Slack::Spare(rounded(left - cost)),
        }
    }
}

/// Rounds down to three significant bits: an output comes nearer to its end with every token, and each mask would be another. What
/// is lost are tokens that would have taken nearly all that is left.
fn rounded(spare: u32) -> u32 {
    let dropped = (u32::BITS - spare.leading_zeros()).saturating_sub(3);
    spare >> dropped << dropped
}

#[derive(Debug, Clone)]
pub(crate) struct KnownMask {
    pub(crate) mask: Mask,
    /// By how much the cost of the output can grow with one of the tokens.
    pub(crate) growth: u32,
}

/// Masks by the key of the state and the slack of the output.
pub(crate) type MaskCache = Cache<(u128, Slack), KnownMask>;

impl KnownMask {
    /// Memory in bytes, with the key.
    pub(crate) fn bytes(&self) -> usize {
        64 + if let Mask::Words(words) = &self.mask { words.len() * 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rooms_are_exact_and_larger_ones_lose_less_than_a_quarter() {
        for spare in 0..100_000 {
            let kept = rounded(spare);
            assert!(kept <= spare && (spare >= 8 || kept == spare) && (spare - kept) * 4 <= spare, "{spare}: {kept}");
            assert_eq!(rounded(kept), kept);
        }
    }

    #[test]
    fn an_output_with_as_many_tokens_as_its_completion_has_bytes_is_not_short() {
        assert_eq!(Slack::of(5, 3, 5), Slack::Spare(0));
        assert_eq!(Slack::of(5, 3, 4), Slack::Short);
        assert_eq!(Slack::of(5, 3, 9), Slack::Free);
        assert_eq!(Slack::of(0, 0, 0), Slack::Short);
    }
}
