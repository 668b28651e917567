//! Whether a guide accepts a value in some spelling of its numbers.

use jig_guides::GuideState;

use crate::cases::respace;
use crate::engines::Whitespace;

/// Larger exponents stay, because the number would be too long without.
const LARGEST_EXPONENT: i64 = 1000;

/// Whether the JSON text is a complete output, unchanged or with numbers that have no exponent and no redundant zeros: a guide may
/// spell an integer only as `1`, and the file as `1.0` or `1e3`. The guide's vocabulary must be
/// [`Tokens::of_bytes`](crate::tokens::Tokens::of_bytes), and it must allow any order of members.
pub(crate) fn accepts(start: &GuideState, text: &str) -> bool {
    let follows = |text: &str| {
        let mut state = start.clone();
        text.bytes().all(|byte| state.advance(u32::from(byte)).is_ok()) && state.may_end()
    };
    let given = respace(text, Whitespace::Compact);
    follows(&given) || follows(&with_plain_numbers(&given))
}

/// The text with its numbers outside strings written without exponent and redundant zeros.
fn with_plain_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => {
                rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        match plain(piece) {
            Some(number) if first == '-' || first.is_ascii_digit() => out.push_str(&number),
            _ => out.push_str(piece),
        }
        rest = after;
    }
    out
}

/// The length of the JSON string at the start of the text, with its quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// A number without exponent and redundant zeros; `None` if the text is not a number or the number is too large.
fn plain(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() <= LARGEST_EXPONENT)?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The position of the decimal point, counted from the first digit.
    let point = whole.len() as i64 + exponent;
    let before = usize::try_from(-point).unwrap_or(0);
    let after = usize::try_from(point - digits.len() as i64).unwrap_or(0);
    let digits = ["0".repeat(before), digits, "0".repeat(after)].concat();
    let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && fraction.is_empty() { "" } else { sign };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::{accepts, plain, with_plain_numbers};
    use crate::tokens::Tokens;
    use jig_guides::{Compiler, Limits, Options, Source};

    #[test]
    fn a_number_is_written_without_exponent_and_redundant_zeros() {
        for (number, written) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("3e2", "300"),
            ("12.50E-3", "0.0125"),
            ("-1.25e1", "-12.5"),
            ("0.001e3", "1"),
            ("9007199254740993", "9007199254740993"),
        ] {
            assert_eq!(plain(number).as_deref(), Some(written), "{number}");
        }
        assert_eq!(plain("1e999999"), None);
        assert_eq!(with_plain_numbers(r#"{"1.0\"2.0":[1.0,true,-2e1]}"#), r#"{"1.0\"2.0":[1,true,-20]}"#);
    }

    #[test]
    fn a_number_is_accepted_unchanged_or_without_its_exponent() {
        let compiler = Compiler::new(Tokens::of_bytes().vocabulary().unwrap(), Limits::default());
        let source = Source::JsonSchema(r#"{"items":{"type":"integer"}}"#.into());
        let guide = compiler.compile(&source, &Options::default()).unwrap();
        assert!(accepts(&guide.start(), "[1.0, 2, 3e2]"));
        assert!(!accepts(&guide.start(), "[1.5]"));
    }
}
