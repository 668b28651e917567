//! [`Languages`]: the automata of strings and numbers, cached for all schemas of a compiler.
//!
//! Schemas repeat formats, patterns and bounds of numbers. To make an automaton takes milliseconds, and to classify a vocabulary by its
//! states takes about as long again. Both are cached: the automaton here by its conditions, the classes elsewhere by its id.

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::collections::cache::Cache;
use crate::collections::fingerprint::Fingerprint;
use crate::interrupt::to_the_end;
use crate::json::language::characters::Characters;
use crate::json::language::format::{self, Format};
use crate::json::language::number::{self, Conditions, Numbers};
use crate::json::language::spellable::Spellable;
use crate::options::Digits;
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};
use foldhash::HashMap;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The set of strings of a pattern or a format.
#[derive(Debug)]
pub(crate) struct Language {
    /// Its key in caches.
    pub(crate) id: u64,
    format: Format,
}

impl Language {
    /// The automaton of a superset: a string that it rejects is certainly outside of the set.
    pub(crate) fn possible(&self) -> &Dfa {
        self.format.possible.as_ref().unwrap_or(self)
    }

    /// Whether a string is certainly in the set (if `holds`), or certainly outside of it. The automaton of a format may accept fewer
    /// strings than the format has, so both can be false.
    pub(crate) fn certainly(&self, text: &str, holds: bool) -> bool {
        let judged = || self.format.judge.and_then(|judge| judge(text));
        if holds {
            self.accepts(text.as_bytes()) || self.possible().accepts(text.as_bytes()) && judged() == Some(true)
        } else {
            !self.possible().accepts(text.as_bytes()) || judged() == Some(false)
        }
    }
}

impl Deref for Language {
    type Target = Dfa;

    fn deref(&self) -> &Dfa {
        &self.format.dfa
    }
}

/// The conditions of a set of strings: the ids of languages with whether the strings are in them, the strings excluded, and the least
/// number of characters.
pub(crate) type StringKey = (BTreeSet<(u64, bool)>, BTreeSet<String>, u32);

/// The cached automata.
#[derive(Debug)]
pub(crate) struct Languages {
    patterns: Cache<String, Arc<Language>>,
    /// Patterns without their count, each with the greatest number of characters that takes its place.
    uncounted: Cache<String, (Arc<Language>, u32)>,
    strings: Cache<StringKey, (Arc<Characters>, usize)>,
    /// By a fingerprint of the automaton.
    characters: Cache<u128, Arc<Characters>>,
    numbers: Cache<(Conditions, Digits), Arc<Numbers>>,
    spellable: Spellable,
    /// Never evicted: there are no more of them than the drafts define.
    formats: Mutex<HashMap<(String, Digits), Arc<Language>>>,
}

impl Languages {
    /// A cache for `budget` bytes of automata, restricted to `spellable` texts. Half is for strings, the most frequent ones.
    pub(crate) fn new(budget: usize, spellable: Spellable) -> Languages {
        Languages {
            patterns: Cache::new(budget / 8),
            uncounted: Cache::new(budget / 8),
            strings: Cache::new(budget / 2),
            characters: Cache::new(budget / 8),
            numbers: Cache::new(budget / 8),
            spellable,
            formats: Mutex::default(),
        }
    }

    /// The texts that the vocabulary spells.
    pub(crate) fn spellable(&self) -> &Spellable {
        &self.spellable
    }

    /// The strings in which the regex matches somewhere.
    pub(crate) fn pattern(&self, regex: &str, limits: DfaLimits) -> Result<Arc<Language>, RegexError> {
        if let Some(language) = self.patterns.get(regex) {
            return Ok(language);
        }
        let language = language(regex::anywhere(regex, Dialect::Ecma, limits)?.into());
        self.patterns.insert(regex.to_owned(), language.clone(), language.size() + regex.len());
        Ok(language)
    }

    /// As [`Languages::pattern`], or the strings of a pattern without its count and the greatest number of characters that takes the count's
    /// place.
    pub(crate) fn pattern_but_length(
        &self,
        regex: &str,
        limits: DfaLimits,
    ) -> Result<(Arc<Language>, Option<u32>), RegexError> {
        if let Some((language, most)) = self.uncounted.get(regex) {
            return Ok((language, Some(most)));
        }
        if let Some(language) = self.patterns.get(regex) {
            return Ok((language, None));
        }
        let (dfa, most) = regex::anywhere_but_length(regex, Dialect::Ecma, limits)?;
        let language = language(dfa.into());
        let size = language.size() + regex.len();
        match most {
            Some(most) => self.uncounted.insert(regex.to_owned(), (language.clone(), most), size),
            None => self.patterns.insert(regex.to_owned(), language.clone(), size),
        }
        Ok((language, most))
    }

    /// The strings of a format; `None` if no draft defines it. Made without interruption, as all later schemas use it.
    pub(crate) fn format(
        &self,
        name: &str,
        digits: Digits,
        limits: DfaLimits,
    ) -> Result<Option<Arc<Language>>, RegexError> {
        let formats = || self.formats.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), digits);
        if let Some(language) = formats().get(&key) {
            return Ok(Some(language.clone()));
        }
        let Some(format) = to_the_end(|| format::language(name, digits, limits))? else { return Ok(None) };
        let language = language(format);
        // If another thread was faster, its automaton is kept, because its id may be a key already.
        Ok(Some(formats().entry(key).or_insert(language).clone()))
    }

    /// The set of strings with these conditions, from `make` if it is not cached, and the total states of all automata on the way to it.
    pub(crate) fn strings(
        &self,
        key: &StringKey,
        any: &Dfa,
        make: impl FnOnce() -> Result<(Dfa, usize), TooManyStates>,
    ) -> Result<(Arc<Characters>, usize), TooManyStates> {
        if let Some(known) = self.strings.get(key) {
            return Ok(known);
        }
        let (dfa, states) = make()?;
        let characters = Arc::new(Characters::new(dfa, any).within(self.spellable.repertoire()));
        let excluded = key.1.iter().map(|text| text.len() + 32).sum::<usize>();
        let made = (characters, states);
        self.strings.insert(key.clone(), made.clone(), made.0.dfa.size() + excluded);
        Ok(made)
    }

    /// An automaton over characters with the analysis of its states. Equal automata share one.
    pub(crate) fn characters(&self, dfa: Dfa, any: &Dfa) -> Arc<Characters> {
        let mut print = Fingerprint::new();
        print.add(&dfa);
        let print = print.value();
        let make = || Arc::new(Characters::new(dfa, any).within(self.spellable.repertoire()));
        self.characters.get_or_make(print, |_, characters| characters.dfa.size(), make)
    }

    /// The numbers for which each condition holds, or does not hold if its flag is false.
    pub(crate) fn numbers(
        &self,
        atoms: Conditions,
        digits: Digits,
        limit: usize,
    ) -> Result<Arc<Numbers>, TooManyStates> {
        let key = (atoms, digits);
        if let Some(numbers) = self.numbers.get(&key) {
            return Ok(numbers);
        }
        let (dfa, divisor) = number::language(&key.0, digits, limit)?;
        let numbers = Arc::new(self.spellable.numbers(dfa, divisor)?);
        self.numbers.insert(key, numbers.clone(), numbers.size());
        Ok(numbers)
    }
}

fn language(format: Format) -> Arc<Language> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    Arc::new(Language { id: COUNT.fetch_add(1, Ordering::Relaxed), format })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DfaLimits = DfaLimits { states: 1000, bytes: 1 << 20 };

    #[test]
    fn a_pattern_is_cached_until_the_budget_is_full() {
        let languages = Languages::new(80_000, Spellable::ALL);
        let first = languages.pattern("^a+$", LIMITS).expect("small");
        assert_eq!(languages.pattern("^a+$", LIMITS).expect("small").id, first.id);
        for count in 0..100 {
            languages.pattern(&format!("^b{{{count}}}$"), LIMITS).expect("small");
            assert!(languages.patterns.bytes() <= 10_000);
        }
        assert!(languages.patterns.get("^a+$").is_none() && first.accepts(b"aa"));
    }

    #[test]
    fn a_pattern_and_a_format_of_one_name_are_two() {
        let languages = Languages::new(1 << 20, Spellable::ALL);
        let (pattern, format) = (languages.pattern("ipv4", LIMITS), languages.format("ipv4", Digits::Bounded, LIMITS));
        assert!(pattern.expect("small").accepts(b"no ipv4"));
        assert!(format.expect("small").expect("enforced").accepts(b"127.0.0.1"));
        assert!(languages.format("nothing", Digits::Bounded, LIMITS).expect("small").is_none());
    }
}
