//! Conditions on numbers.

use crate::json::text::decimal::Decimal;

/// A condition on a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum NumberAtom {
    Integer,
    /// At least the bound.
    Minimum(Decimal),
    /// More than the bound.
    ExclusiveMinimum(Decimal),
    /// At most the bound.
    Maximum(Decimal),
    /// Less than the bound.
    ExclusiveMaximum(Decimal),
    /// An integer multiple of the divisor.
    MultipleOf(Decimal),
    /// Exactly this value.
    Equal(Decimal),
}

impl NumberAtom {
    /// Whether it holds for a value; `None` if a divisor is too long to tell.
    pub(crate) fn holds(&self, value: &Decimal) -> Option<bool> {
        Some(match self {
            NumberAtom::Integer => value.is_integer(),
            NumberAtom::Minimum(bound) => value >= bound,
            NumberAtom::ExclusiveMinimum(bound) => value > bound,
            NumberAtom::Maximum(bound) => value <= bound,
            NumberAtom::ExclusiveMaximum(bound) => value < bound,
            NumberAtom::MultipleOf(divisor) => value.is_multiple_of(divisor)?,
            NumberAtom::Equal(other) => value == other,
        })
    }

    /// The number that the condition is about.
    pub(super) fn number(&self) -> Option<&Decimal> {
        match self {
            NumberAtom::MultipleOf(divisor) => Some(divisor),
            other => other.bound(),
        }
    }

    /// The bound, if the condition is a comparison.
    pub(super) fn bound(&self) -> Option<&Decimal> {
        match self {
            NumberAtom::Minimum(bound) | NumberAtom::ExclusiveMinimum(bound) => Some(bound),
            NumberAtom::Maximum(bound) | NumberAtom::ExclusiveMaximum(bound) | NumberAtom::Equal(bound) => Some(bound),
            NumberAtom::Integer | NumberAtom::MultipleOf(_) => None,
        }
    }
}

/// Conditions on a number, each with whether it holds.
pub(crate) type Conditions = Vec<(NumberAtom, bool)>;

/// The same conditions with the strongest bound on each side only, in a normal order: equal conditions become equal keys of a cache.
pub(crate) fn simplified(atoms: Conditions) -> Conditions {
    use NumberAtom::*;
    // A bound and whether it is exclusive. Of two equal bounds the exclusive one is stronger.
    type Bound = Option<(Decimal, bool)>;
    let (mut lower, mut upper): (Bound, Bound) = (None, None);
    let mut rest = Vec::new();
    for (atom, holds) in atoms {
        let (is_lower, bound) = match (atom, holds) {
            (Minimum(bound), true) => (true, (bound, false)),
            (ExclusiveMinimum(bound), true) => (true, (bound, true)),
            (Maximum(bound), true) => (false, (bound, false)),
            (ExclusiveMaximum(bound), true) => (false, (bound, true)),
            (Minimum(bound), false) => (false, (bound, true)),
            (ExclusiveMinimum(bound), false) => (false, (bound, false)),
            (Maximum(bound), false) => (true, (bound, true)),
            (ExclusiveMaximum(bound), false) => (true, (bound, false)),
            other => {
                rest.push(other);
                continue;
            }
        };
        if is_lower {
            lower = Some(lower.map_or(bound.clone(), |before| before.max(bound)));
        } else {
            upper = Some(match upper {
                Some(before) if before.0 < bound.0 || (before.0 == bound.0 && before.1) => before,
                _ => bound,
            });
        }
    }
    let whole = |holds: &(NumberAtom, bool)| holds.0 == Integer;
    rest.sort_by_key(|atom| !whole(atom));
    rest.dedup();
    rest.extend(lower.map(|(bound, strict)| (if strict { ExclusiveMinimum(bound) } else { Minimum(bound) }, true)));
    rest.extend(upper.map(|(bound, strict)| (if strict { ExclusiveMaximum(bound) } else { Maximum(bound) }, true)));
    rest
}
