//! [`Cost`]: the bytes that complete an output or a value, or that none do.

use std::ops::{Add, AddAssign};

/// A number of bytes that completes an output or a value, the least or an upper bound; [`Cost::NEVER`] if nothing completes it. Where bytes
/// are weighed, it is the sum of their weights. A budget stays a plain number, so a cost and a budget are not mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub(crate) struct Cost(u32);

impl Cost {
    /// Nothing completes it. Greater than every other cost, and no sum of other costs.
    pub(crate) const NEVER: Cost = Cost(u32::MAX);

    /// It is complete.
    pub(crate) const ZERO: Cost = Cost(0);

    /// The greatest cost below [`Cost::NEVER`], where sums saturate.
    const MOST: u32 = u32::MAX - 1;

    /// The cost of so many bytes.
    pub(crate) fn bytes(bytes: u32) -> Cost {
        Cost(bytes.min(Cost::MOST))
    }

    /// The cost of a text.
    pub(crate) fn of(text: &[u8]) -> Cost {
        Cost::capped(text.len() as u64)
    }

    /// The cost of so many bytes, saturated.
    pub(crate) fn capped(bytes: u64) -> Cost {
        Cost(bytes.min(u64::from(Cost::MOST)) as u32)
    }

    /// The least of some costs; [`Cost::NEVER`] if there are none.
    pub(crate) fn least(ways: impl IntoIterator<Item = Cost>) -> Cost {
        ways.into_iter().min().unwrap_or(Cost::NEVER)
    }

    /// The greatest of some costs; [`Cost::ZERO`] if there are none.
    pub(crate) fn greatest(ways: impl IntoIterator<Item = Cost>) -> Cost {
        ways.into_iter().max().unwrap_or(Cost::ZERO)
    }

    pub(crate) fn is_never(self) -> bool {
        self == Cost::NEVER
    }

    /// The number of bytes, `u32::MAX` for [`Cost::NEVER`].
    pub(crate) fn get(self) -> u32 {
        self.0
    }

    /// The cost less some bytes that it includes.
    pub(crate) fn without(self, bytes: u32) -> Cost {
        if self.is_never() { self } else { Cost(self.0.saturating_sub(bytes)) }
    }

    /// By how many bytes it exceeds `other`, 0 if it does not.
    pub(crate) fn beyond(self, other: Cost) -> u32 {
        self.0.saturating_sub(other.0)
    }

    /// The signed difference `other - self`.
    pub(crate) fn growth_to(self, other: Cost) -> i64 {
        i64::from(other.0) - i64::from(self.0)
    }

    /// The cost plus a signed difference: `a.grown(a.growth_to(b)) == b`.
    pub(crate) fn grown(self, growth: i64) -> Cost {
        u32::try_from(i64::from(self.0) + growth).map_or(Cost::NEVER, Cost)
    }
}

impl Add<u32> for Cost {
    type Output = Cost;

    /// Saturates below [`Cost::NEVER`].
    fn add(self, bytes: u32) -> Cost {
        if self.is_never() { self } else { Cost::bytes(self.0.saturating_add(bytes)) }
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        if other.is_never() { other } else { self + other.0 }
    }
}

impl AddAssign<u32> for Cost {
    fn add_assign(&mut self, bytes: u32) {
        *self = *self + bytes;
    }
}

impl PartialEq<u32> for Cost {
    fn eq(&self, bytes: &u32) -> bool {
        self.0 == *bytes
    }
}

impl PartialOrd<u32> for Cost {
    fn partial_cmp(&self, bytes: &u32) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(bytes)
    }
}

impl From<Cost> for u64 {
    fn from(cost: Cost) -> u64 {
        u64::from(cost.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_below_never_and_never_stays_never() {
        let most = Cost::bytes(u32::MAX);
        assert!(!most.is_never() && most < Cost::NEVER);
        assert_eq!((most + 5, most + most, Cost::capped(u64::MAX)), (most, most, most));
        assert_eq!(
            (Cost::NEVER + 5, Cost::NEVER + Cost::ZERO, Cost::ZERO + Cost::NEVER),
            (Cost::NEVER, Cost::NEVER, Cost::NEVER)
        );
        assert_eq!((Cost::NEVER.without(1), Cost::bytes(3).without(5)), (Cost::NEVER, Cost::ZERO));
        assert_eq!(Cost::bytes(3) + Cost::bytes(4), Cost::bytes(7));
    }

    #[test]
    fn the_least_of_no_costs_is_never_and_the_greatest_is_zero() {
        assert_eq!((Cost::least([]), Cost::greatest([])), (Cost::NEVER, Cost::ZERO));
        let ways = [Cost::bytes(2), Cost::bytes(1), Cost::NEVER];
        assert_eq!((Cost::least(ways), Cost::greatest(ways)), (Cost::bytes(1), Cost::NEVER));
    }

    #[test]
    fn growth_between_two_costs_leads_from_one_to_the_other() {
        let (one, other) = (Cost::bytes(7), Cost::bytes(3));
        assert_eq!((one.growth_to(other), one.grown(-4), other.grown(-4)), (-4, other, Cost::NEVER));
        assert_eq!((one.beyond(other), other.beyond(one)), (4, 0));
    }
}
