//! Bounds on the number of characters of a string, as part of its automaton: the product with a counter.

use crate::automaton::dfa::{Dfa, TooManyStates};

/// The strings of `dfa` with `min` to `max` characters.
pub(crate) fn with_length(dfa: &Dfa, min: u32, max: u32, limit: usize) -> Result<Dfa, TooManyStates> {
    let (shortest, longest) = lengths(dfa);
    if shortest >= min && longest.is_some_and(|longest| longest <= max) {
        return Ok(dfa.clone());
    }
    let counted = |count: u32| if max == u32::MAX { (count + 1).min(min) } else { count + 1 };
    // The counter distinguishes the bytes that begin a character.
    let (class_of, bytes) = dfa.classes_with(|byte| byte & 0xC0 != 0x80);
    Dfa::build(
        |byte| class_of[byte as usize],
        bytes.len(),
        (dfa.start(), 0u32),
        limit,
        |&(state, count), class| {
            let next = dfa.next(state, bytes[class]);
            let begins = bytes[class] & 0xC0 != 0x80;
            (next != 0 && !(begins && count >= max)).then(|| (next, if begins { counted(count) } else { count }))
        },
        |&(state, count)| dfa.accepts_at(state) && count >= min,
    )
}

/// The least and the greatest number of characters of an accepted string; `None` if there is no greatest.
fn lengths(dfa: &Dfa) -> (u32, Option<u32>) {
    let weight = |byte: u8| u32::from(byte & 0xC0 != 0x80);
    (dfa.costs(weight)[dfa.start() as usize].get(), dfa.longest(weight))
}
