//! Leap seconds of RFC 3339 times: second 60 of the minute that is 23:59 in UTC, at whatever hour that is where the clock stands.
//!
//! Of the offsets those of whole quarters of an hour are written beside a leap second, as all have been since there are leap
//! seconds. Any offset would need a state for every minute of the day, and fractions without end would need them again for
//! each length that a schema counts, so beside an offset from UTC there are at most nine digits.

use crate::automaton::dfa::{Dfa, TooManyStates};

const DAY: u16 = 24 * 60;
/// The last minute of the day.
const LAST: u16 = DAY - 1;
/// Digits of a fraction beside an offset from UTC.
const MOST_DIGITS: u8 = 9;

/// How far into a leap second a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    /// So many characters of `HH:MM`, and the number that their digits are.
    Clock(u8, u16),
    /// So many characters of `:60` after this minute of the local day.
    Second(u16, u8),
    /// After the point and so many digits.
    Fraction(u16, u8),
    /// What is left of the offset.
    Offset([u8; 5]),
}

/// The texts of leap seconds with their offsets.
pub(super) fn seconds(limit: usize) -> Result<Dfa, TooManyStates> {
    // Digits, the characters that stand between them, and all others.
    const OTHERS: &[u8] = b":.+-Zz";
    let class = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        byte => 10 + OTHERS.iter().position(|&other| other == byte).unwrap_or(OTHERS.len()) as u8,
    };
    let byte_of = |class: usize| match class {
        0..=9 => b'0' + class as u8,
        _ => OTHERS.get(class - 10).copied().unwrap_or(b' '),
    };
    let accepts = |at: &At| *at == At::Offset([0; 5]);
    Dfa::build(class, 11 + OTHERS.len(), At::Clock(0, 0), limit, |at, class| at.step(byte_of(class)), accepts)
}

impl At {
    fn step(self, byte: u8) -> Option<At> {
        Some(match (self, byte) {
            (At::Clock(2, clock), b':') => At::Clock(3, clock),
            (At::Clock(read @ (0 | 1 | 3 | 4), clock), b'0'..=b'9') => {
                let clock = clock * 10 + u16::from(byte - b'0');
                // Hours up to 23, and the minutes that end a quarter.
                let possible = match read {
                    0 => clock <= 2,
                    1 => clock <= 23,
                    3 => [1, 2, 4, 5].contains(&(clock % 10)),
                    _ => [14, 29, 44, 59].contains(&(clock % 100)),
                };
                match (possible, read) {
                    (false, _) => return None,
                    (true, 4) => At::Second(clock / 100 * 60 + clock % 100, 0),
                    (true, _) => At::Clock(read + 1, clock),
                }
            }
            (At::Second(local, read @ 0..3), _) => {
                if byte != b":60"[usize::from(read)] {
                    return None;
                }
                At::Second(local, read + 1)
            }
            (At::Second(local, 3), b'.') => At::Fraction(local, 0),
            (At::Fraction(LAST, _), b'0'..=b'9') => At::Fraction(LAST, 1),
            (At::Fraction(local, read), b'0'..=b'9') if read < MOST_DIGITS => At::Fraction(local, read + 1),
            (At::Second(local, 3) | At::Fraction(local, 1..), b'+') => At::Offset(clock((local + 1) % DAY)),
            (At::Second(local, 3) | At::Fraction(local, 1..), b'-') => At::Offset(clock(LAST - local)),
            (At::Second(LAST, 3) | At::Fraction(LAST, 1..), b'Z' | b'z') => At::Offset([0; 5]),
            (At::Offset(mut left), _) => {
                let next = left.iter_mut().find(|left| **left != 0)?;
                if *next != byte {
                    return None;
                }
                *next = 0;
                At::Offset(left)
            }
            _ => return None,
        })
    }
}

fn clock(minutes: u16) -> [u8; 5] {
    let digit = |number: u16| b'0' + (number % 10) as u8;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    [digit(hours / 10), digit(hours), b':', digit(minutes / 10), digit(minutes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_second_is_23_59_60_in_utc_at_every_quarter_of_an_hour() {
        let dfa = seconds(9999).expect("small");
        let text = |minutes: u16| String::from_utf8(clock(minutes).to_vec()).expect("ASCII");
        for local in 0..DAY {
            for offset in (0..DAY).step_by(5) {
                for (sign, utc) in [("+", local + DAY - offset), ("-", local + offset)] {
                    let time = format!("{}:60{sign}{}", text(local), text(offset));
                    let expected = utc % DAY == LAST && offset % 15 == 0;
                    assert_eq!(dfa.accepts(time.as_bytes()), expected, "{time}");
                }
            }
        }
        for (time, expected) in [
            ("23:59:60Z", true),
            ("22:59:60Z", false),
            ("23:59:60.1234567890123z", true),
            ("15:59:60.123456789-08:00", true),
            ("15:59:60.-08:00", false),
            ("15:59:60.1234567890-08:00", false),
            ("23:59:59Z", false),
        ] {
            assert_eq!(dfa.accepts(time.as_bytes()), expected, "{time}");
        }
    }
}
