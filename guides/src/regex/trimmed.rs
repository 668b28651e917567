//! Expressions for texts in which a regex matches somewhere, of which as little as possible is counted.
//!
//! | regex | becomes | since |
//! |---|---|---|
//! | `a{2,90}` | `.*a{2}.*` | what is beyond two is any text |
//! | `^x[a-z]{2,90}$` | `^x[a-z]{2,}$`, and at most 91 characters | each letter is one character, and the rest has a fixed length |

use crate::automaton::expression::{Assertion, Expression};

/// Smaller counts stay in the automaton.
const LEAST_COUNT: u32 = 64;

/// The texts in which the expression matches somewhere.
pub(super) fn around(expression: &Expression) -> Expression {
    let trimmed = trim(trim(expression.clone(), false), true);
    Expression::Concat(vec![Expression::any(), trimmed, Expression::any()])
}

/// The expression next to any text, in front or behind: what may be missing there is left out, as the text around takes its place. It
/// cannot be seen by an assertion, which looks at the text and not at what matches it.
fn trim(expression: Expression, behind: bool) -> Expression {
    match expression {
        Expression::Concat(mut parts) => {
            loop {
                let place = if behind { parts.len().checked_sub(1) } else { (!parts.is_empty()).then_some(0) };
                let Some(place) = place else { break };
                let part = trim(parts.remove(place), behind);
                if part != Expression::EMPTY {
                    parts.insert(place, part);
                    break;
                }
            }
            Expression::Concat(parts)
        }
        Expression::Either(parts) => Expression::Either(parts.into_iter().map(|part| trim(part, behind)).collect()),
        Expression::Repeat { min: 0, .. } => Expression::EMPTY,
        Expression::Repeat { min: 1, body, .. } => trim(*body, behind),
        Expression::Repeat { min, body, .. } => Expression::Repeat { min, max: Some(min), body },
        other => other,
    }
}

/// The expression without its one bounded count, and the greatest number of characters that takes the count's place, if the expression is
/// `^...$` and all of its other parts have a fixed length.
pub(super) fn without_count(expression: &Expression) -> Option<(Expression, u32)> {
    let Expression::Concat(parts) = expression else { return None };
    let [Expression::Assert(Assertion::Begin), inner @ .., Expression::Assert(Assertion::End)] = parts.as_slice()
    else {
        return None;
    };
    let mut parts = flat(inner);
    let mut counted = (0..parts.len()).filter(|&part| parts[part].length().is_none());
    let (place, None) = (counted.next()?, counted.next()) else { return None };
    let Expression::Repeat { min, max: Some(max), body } = &parts[place] else { return None };
    if *max < LEAST_COUNT {
        return None;
    }
    let counted = body.length()?.saturating_mul(u64::from(*max));
    let others: u64 = parts.iter().filter_map(Expression::length).fold(0, u64::saturating_add);
    let most = u32::try_from(others.saturating_add(counted)).ok().filter(|&most| most < u32::MAX)?;
    parts[place] = body.as_ref().clone().repeated(*min, None);
    let ends = [Assertion::Begin, Assertion::End].map(Expression::Assert);
    let [begin, end] = ends;
    parts.insert(0, begin);
    parts.push(end);
    Some((Expression::Concat(parts), most))
}

/// The parts, and the parts of groups among them.
fn flat(parts: &[Expression]) -> Vec<Expression> {
    let inner = |part: &Expression| match part {
        Expression::Concat(parts) => flat(parts),
        Expression::Repeat { min: 0, max: Some(1), body } => match body.as_ref() {
            // `(a{1,9})?` is `a{0,9}`.
            Expression::Repeat { min: 0 | 1, max, body } => vec![body.as_ref().clone().repeated(0, *max)],
            _ => vec![part.clone()],
        },
        _ => vec![part.clone()],
    };
    parts.iter().flat_map(inner).collect()
}

#[cfg(test)]
mod tests {
    use crate::automaton::dfa::DfaLimits;
    use crate::regex::{Dialect, anywhere, anywhere_but_length};

    const LIMITS: DfaLimits = DfaLimits { states: 20_000, bytes: 4 << 20 };

    #[test]
    fn a_count_is_replaced_by_a_length_where_both_mean_the_same() {
        for (regex, most) in [
            (r"^[a-b]{0,64}$", Some(64)),
            (r"^(a{1,70})?$", Some(70)),
            (r"^a(?=b)b{2}(c|d){1,99}x$", Some(103)),
            (r"^(?:ab){3,100}$", Some(200)),
            (r"^a{0,63}$", None),
            (r"^a*b{0,99}$", None),
            (r"^a{0,99}b{0,99}$", None),
            (r"^(?:ab|c){0,99}$", None),
            (r"^a{0,99}|b$", None),
            (r"a{0,99}$", None),
            (r"^a{64}$", None),
        ] {
            let (dfa, found) = anywhere_but_length(regex, Dialect::Ecma, LIMITS).expect("small");
            assert_eq!(found, most, "{regex}");
            let exact = anywhere(regex, Dialect::Ecma, LIMITS).expect("small");
            for text in ["", "a", "b", "ab", "abbcx", "abbdcx", "x", "c"].map(str::to_owned).into_iter().chain(
                [62, 63, 64, 65, 70, 71, 99, 100].into_iter().flat_map(|n| ["a", "b", "ab"].map(|one| one.repeat(n))),
            ) {
                let length = text.chars().count() as u32;
                let accepted = dfa.accepts(text.as_bytes()) && most.is_none_or(|most| length <= most);
                assert_eq!(accepted, exact.accepts(text.as_bytes()), "{regex} {text}");
            }
        }
    }

    #[test]
    fn a_bounded_look_ahead_without_an_anchor_takes_few_states() {
        let dfa = anywhere(r"(?=.{1,64}$)[a-z](-*[a-z])*", Dialect::Ecma, LIMITS).expect("small");
        let text = |behind: usize| format!("--a{}", "-".repeat(behind));
        assert!(dfa.accepts(text(63).as_bytes()) && dfa.accepts(b"aa-") && dfa.accepts("é-a-é".as_bytes()));
        assert!(!dfa.accepts(text(64).as_bytes()) && !dfa.accepts(b"---"));
    }

    #[test]
    fn a_pattern_without_anchors_counts_no_more_than_it_must() {
        for (regex, small, yes, no) in [
            (r"\p{L}{1,9999}", "\\p{L}", "-é-", "-1-"),
            (r"a{2,9999}$", "a{2}$", "baaa", "ba"),
            (r"(a{0,9999}|b)c", "c|bc", "bc", "b"),
            (r"(a{0,9999}b?)*", "", "", "\u{0}\u{1}no"),
        ] {
            let dfa = anywhere(regex, Dialect::Ecma, LIMITS).expect("small");
            let other = anywhere(small, Dialect::Ecma, LIMITS).expect("small");
            assert!(dfa.accepts(yes.as_bytes()), "{regex}");
            assert_eq!(dfa.accepts(no.as_bytes()), other.accepts(no.as_bytes()), "{regex}");
            assert!(dfa.difference(&other, 9999).expect("small").is_empty(), "{regex}");
            assert!(other.difference(&dfa, 9999).expect("small").is_empty(), "{regex}");
        }
    }
}
