//! Masks that were made before, by state and slack.
//!
//! A mask with a budget depends on how much of the budget is to spare after the cheapest completion, not on the budget itself:
//!
//! ```text
//!  tokens left    0 .. cost-1    cost .. cost+growth        cost+growth+1 ..
//!  slack          Short          Spare(rounded down)        Free
//! ```
//!
//! The growth is the most that a token adds to the cost. With more left than that, the budget excludes no token.

use crate::collections::cache::Cache;
use crate::vocabulary::mask::Mask;

/// The part of a budget that a mask depends on, with the key of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slack {
    /// The output can be completed after every token.
    Free,
    /// So many tokens are left beyond the cheapest completion, [`rounded`] down.
    Spare(u32),
    /// There are fewer tokens than bytes of the cheapest completion.
    Short,
}

impl Slack {
    /// The slack of an output that takes `cost` bytes to complete, and at most `growth` more after a token.
    pub(crate) fn of(cost: u32, growth: u32, tokens_left: u32) -> Slack {
        match tokens_left {
            left if left > cost.saturating_add(growth) => Slack::Free,
            left if left < cost.max(1) => Slack::Short,
            left => Slack::Spare(rounded(left - cost)),
        }
    }
}

/// Rounds down to three significant bits. The spare changes with every token, and without rounding no mask would be found in the cache.
/// Rounding down is safe; it excludes tokens that would use up nearly all that is left.
fn rounded(spare: u32) -> u32 {
    let dropped = (u32::BITS - spare.leading_zeros()).saturating_sub(3);
    spare >> dropped << dropped
}

#[derive(Debug, Clone)]
pub(super) struct KnownMask {
    pub(super) mask: Mask,
    /// The most that one of the tokens adds to the cost of the output.
    pub(super) growth: u32,
}

/// Masks by the key of the state and the slack of the output.
pub(super) type MaskCache = Cache<(u128, Slack), KnownMask>;

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
    fn small_spares_are_exact_and_larger_ones_lose_less_than_a_quarter() {
        for spare in 0..100_000 {
            let kept = rounded(spare);
            assert!(kept <= spare && (spare >= 8 || kept == spare) && (spare - kept) * 4 <= spare, "{spare}: {kept}");
            assert_eq!(rounded(kept), kept);
        }
    }

    #[test]
    fn slack_is_short_below_the_cost_and_free_beyond_cost_and_growth() {
        assert_eq!(Slack::of(5, 3, 5), Slack::Spare(0));
        assert_eq!(Slack::of(5, 3, 4), Slack::Short);
        assert_eq!(Slack::of(5, 3, 9), Slack::Free);
        assert_eq!(Slack::of(0, 0, 0), Slack::Short);
    }
}
