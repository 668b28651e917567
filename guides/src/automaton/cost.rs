//! What it takes to complete something: a number of bytes, or that there is no way.

use std::ops::{Add, AddAssign};

/// The bytes that complete an output or a value, the least there are or a bound of them; [`Cost::NEVER`] where none do. It is compared
/// with the bytes that are left, which are a plain number. Where bytes have other weights, the sum of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub(crate) struct Cost(u32);

impl Cost {
    /// Nothing completes it. Greater than any other cost, and never a sum of others.
    pub(crate) const NEVER: Cost = Cost(u32::MAX);

    /// It is complete.
    pub(crate) const ZERO: Cost = Cost(0);

    /// The greatest that is not [`Cost::NEVER`].
    const MOST: u32 = u32::MAX - 1;

    /// That of so many bytes.
    pub(crate) fn bytes(bytes: u32) -> Cost {
        Cost(bytes.min(Cost::MOST))
    }

    /// That of a text.
    pub(crate) fn of(text: &[u8]) -> Cost {
        Cost::capped(text.len() as u64)
    }

    /// That of so many bytes, which may be too many to count.
    pub(crate) fn capped(bytes: u64) -> Cost {
        Cost(bytes.min(u64::from(Cost::MOST)) as u32)
    }

    /// The least of some ways; [`Cost::NEVER`] if there are none.
    pub(crate) fn least(ways: impl IntoIterator<Item = Cost>) -> Cost {
        ways.into_iter().min().unwrap_or(Cost::NEVER)
    }

    /// The greatest of some ways; [`Cost::ZERO`] if there are none.
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

    /// Without some bytes that it counts.
    pub(crate) fn without(self, bytes: u32) -> Cost {
        if self.is_never() { self } else { Cost(self.0.saturating_sub(bytes)) }
    }

    /// By how much it exceeds another one.
    pub(crate) fn beyond(self, other: Cost) -> u32 {
        self.0.saturating_sub(other.0)
    }

    /// By how much another one is greater, or less if that is negative.
    pub(crate) fn growth_to(self, other: Cost) -> i64 {
        i64::from(other.0) - i64::from(self.0)
    }

    /// The other one of [`Cost::growth_to`].
    pub(crate) fn grown(self, growth: i64) -> Cost {
        u32::try_from(i64::from(self.0) + growth).map_or(Cost::NEVER, Cost)
    }
}

impl Add<u32> for Cost {
    type Output = Cost;

    /// Sums too great to count are capped below [`Cost::NEVER`].
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
    fn the_least_of_no_ways_is_never_and_the_greatest_is_zero() {
        assert_eq!((Cost::least([]), Cost::greatest([])), (Cost::NEVER, Cost::ZERO));
        let ways = [Cost::bytes(2), Cost::bytes(1), Cost::NEVER];
        assert_eq!((Cost::least(ways), Cost::greatest(ways)), (Cost::bytes(1), Cost::NEVER));
    }

    #[test]
    fn a_cost_grows_by_what_it_grew_by() {
        let (one, other) = (Cost::bytes(7), Cost::bytes(3));
        assert_eq!((one.growth_to(other), one.grown(-4), other.grown(-4)), (-4, other, Cost::NEVER));
        assert_eq!((one.beyond(other), other.beyond(one)), (4, 0));
    }
}
