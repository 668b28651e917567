//! Exact decimal numbers, which JSON numbers are (RFC 8259, section 6).

use std::cmp::Ordering;

/// The greatest exponent. An automaton of numbers has a state for each digit of a bound.
pub(crate) const GREATEST_EXPONENT: i64 = 400;

/// `digits * 10^exponent`, where `digits` has neither leading nor trailing zeros; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads a JSON number; `None` if it is too long or too large to work with.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
        let mut exponent = exponent.checked_sub(fraction.len() as i64)?;
        while digits.last() == Some(&0) {
            digits.pop();
            exponent += 1;
        }
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..leading);
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        let magnitude = exponent + digits.len() as i64;
        (exponent >= -GREATEST_EXPONENT && magnitude <= GREATEST_EXPONENT).then_some(Decimal {
            negative,
            digits,
            exponent,
        })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The value without fraction and exponent, if it is a small integer.
    pub(crate) fn plain_integer(&self) -> Option<String> {
        let digits = self.whole();
        if !self.is_integer() || digits.len() > 20 {
            return None;
        }
        let text: String = digits.iter().map(|&digit| (b'0' + digit) as char).collect();
        let sign = if self.negative { "-" } else { "" };
        Some(if text.is_empty() { "0".to_owned() } else { format!("{sign}{text}") })
    }

    /// The digits without leading and trailing zeros, and the place of the first one: 0 for ones, 1 for tens, -1 for tenths. Zero has no
    /// digits, at place 0.
    pub(crate) fn significant(&self) -> (&[u8], i64) {
        let place = if self.is_zero() { 0 } else { self.exponent + self.digits.len() as i64 - 1 };
        (&self.digits, place)
    }

    /// The digits before the point, without leading zeros.
    pub(crate) fn whole(&self) -> Vec<u8> {
        let length = (self.digits.len() as i64 + self.exponent).max(0) as usize;
        (0..length).map(|i| self.digits.get(i).copied().unwrap_or(0)).collect()
    }

    /// The digits after the point, without trailing zeros.
    pub(crate) fn fraction(&self) -> Vec<u8> {
        let point = self.digits.len() as i64 + self.exponent;
        let zeros = (-point).max(0) as usize;
        let digits = self.digits.iter().skip(point.max(0) as usize).copied();
        if self.exponent >= 0 { Vec::new() } else { std::iter::repeat_n(0, zeros).chain(digits).collect() }
    }

    /// The absolute value as `m * 10^-s` with the least `s >= 0`; `None` if `m` is beyond 64 bits.
    pub(crate) fn scaled(&self) -> Option<(u64, u32)> {
        let zeros = self.exponent.max(0) as usize;
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, zeros));
        let m = digits.into_iter().try_fold(0u64, |m, digit| m.checked_mul(10)?.checked_add(u64::from(digit)))?;
        Some((m, (-self.exponent).max(0) as u32))
    }

    /// Whether it is an integer multiple of `divisor`, which is not zero. `None` if the divisor has more digits than 64 bits hold.
    pub(crate) fn is_multiple_of(&self, divisor: &Decimal) -> Option<bool> {
        let (m, scale) = divisor.scaled()?;
        if self.is_zero() {
            return Some(true);
        }
        // self / (m * 10^-scale) is an integer exactly if self * 10^scale is an integer that m divides.
        let shifted = self.exponent + i64::from(scale);
        if shifted < 0 {
            return Some(false);
        }
        let modulus = u128::from(m);
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, shifted as usize));
        Some(digits.fold(0u128, |rest, digit| (rest * 10 + u128::from(digit)) % modulus) == 0)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let magnitude = || {
            let (a, b) = (self.whole(), other.whole());
            a.len().cmp(&b.len()).then_with(|| a.cmp(&b)).then_with(|| self.fraction().cmp(&other.fraction()))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn equal_values_are_equal_however_they_are_spelled() {
        for (a, b) in [("1", "1.0"), ("100", "1e2"), ("-0", "0"), ("0.010", "1E-2"), ("12.5", "125e-1")] {
            assert_eq!(d(a), d(b));
        }
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        let sorted = ["-1e3", "-10.5", "-10", "-0.01", "0", "0.009", "0.01", "1", "9.99", "10", "1e2"];
        for pair in sorted.windows(2) {
            assert!(d(pair[0]) < d(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        assert_eq!(d("0.3").is_multiple_of(&d("0.1")), Some(true));
        assert_eq!(d("0.35").is_multiple_of(&d("0.1")), Some(false));
        assert_eq!(d("1e300").is_multiple_of(&d("7")), Some(false));
        assert_eq!(d("-21").is_multiple_of(&d("7")), Some(true));
        assert_eq!(d("7.5").is_multiple_of(&d("2.5")), Some(true));
    }

    #[test]
    fn whole_and_fraction_are_the_digits_around_the_point() {
        assert_eq!((d("120.05").whole(), d("120.05").fraction()), (vec![1, 2, 0], vec![0, 5]));
        assert_eq!((d("0.05").whole(), d("0.05").fraction()), (vec![], vec![0, 5]));
        assert_eq!((d("3e2").whole(), d("3e2").fraction()), (vec![3, 0, 0], vec![]));
        let places = ["120.05", "0.05", "3e2", "0", "7"].map(|text| d(text).significant().1);
        assert_eq!(places, [2, -2, 2, 0, 0]);
    }
}
