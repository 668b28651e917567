//! Ids of calls.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::family::Ids;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Ids {
    /// A new id for the call of a function, the `number`-th of the conversation. No two are the same, whatever server made them.
    #[must_use]
    pub fn next(self, name: &str, number: usize) -> String {
        match self {
            Self::Call => format!("call_{}", random(24)),
            Self::Nine => random(9),
            Self::Numbered => format!("functions.{name}:{number}"),
        }
    }
}

/// Letters and digits that nobody can guess.
fn random(length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // The keys of each state are random.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_usize(text.len());
        let mut bits = hasher.finish();
        for _ in 0..10 {
            if text.len() < length {
                text.push(char::from(LETTERS[(bits % 62) as usize]));
            }
            bits /= 62;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_have_the_form_of_their_family_and_are_never_the_same() {
        let ids: HashSet<String> = (0..1000).map(|_| Ids::Nine.next("a", 0)).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        let id = Ids::Call.next("a", 0);
        assert_eq!((&id[..5], id.len()), ("call_", 29));
        assert_eq!(Ids::Numbered.next("a.b", 7), "functions.a.b:7");
    }
}
