//! From a source to a guide, with a cache.

use crate::automaton::Automaton;
use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::automaton::regular::Regular;
use crate::error::{CompileError, Place, too_big};
use crate::guide::Guide;
use crate::json;
use crate::json::language::cache::Languages;
use crate::json::machine::JsonMachine;
use crate::json::schema::documents::Documents;
use crate::json::tokens::cache::ClassesCache;
use crate::options::{Limits, Options, Source};
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};
use crate::vocabulary::Vocabulary;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Compiles sources for one vocabulary, and remembers the guides that were used last.
#[derive(Debug)]
pub struct Compiler {
    vocabulary: Arc<Vocabulary>,
    limits: Limits,
    /// What the tokens do to strings and numbers.
    classes: Arc<ClassesCache>,
    /// Automata that schemas have in common.
    languages: Languages,
    /// Schemas that others may refer to.
    documents: Documents,
    cache: Mutex<Cache>,
    clock: AtomicU64,
}

/// The guides that were compiled.
#[derive(Debug, Default)]
struct Cache {
    entries: HashMap<(Source, Options), Entry>,
    /// Bytes of the entries, as they were when last looked at.
    bytes: usize,
}

/// Bytes of automata that are kept for further schemas.
const LANGUAGE_BYTES: usize = 32 << 20;

/// After so many compilations all entries are looked at again: guides grow with the masks that they remember.
const LOOK_AGAIN: u64 = 8;

/// A guide that is there or that some thread is compiling; the others wait for it.
type Slot = Arc<OnceLock<Result<Guide, CompileError>>>;

#[derive(Debug)]
struct Entry {
    slot: Slot,
    used: u64,
    bytes: usize,
}

impl Compiler {
    /// A compiler for this vocabulary.
    pub fn new(vocabulary: Arc<Vocabulary>, limits: Limits) -> Compiler {
        let (classes, languages) = (Arc::new(ClassesCache::new(&vocabulary)), Languages::new(LANGUAGE_BYTES));
        let (documents, cache, clock) = (Documents::default(), Mutex::default(), AtomicU64::new(0));
        Compiler { vocabulary, limits, classes, languages, documents, cache, clock }
    }

    /// With documents that all schemas may refer to.
    #[must_use]
    pub fn with_documents(self, documents: Documents) -> Compiler {
        Compiler { documents, ..self }
    }

    /// Works out what many schemas have in common, the formats above all, so that no request has to wait for it: about a third of a
    /// second of one thread. Nothing depends on it; other threads may compile meanwhile.
    pub fn warm_up(&self) {
        for format in json::language::format::DEFINED {
            let _ = self.json(&format!(r#"{{"type":"string","format":"{format}"}}"#), &Options::default());
        }
    }

    /// The vocabulary that guides are compiled for.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The guide for a source. Takes microseconds where the source was compiled before, and up to a second where it
    /// is new and as complex as the limits allow: not for a thread that must not wait.
    pub fn compile(&self, source: &Source, options: &Options) -> Result<Guide, CompileError> {
        let length = source.len();
        if length > self.limits.source_bytes {
            return Err(too_big(Place::Source, "bytes of source", self.limits.source_bytes, "send a smaller one"));
        }
        let key = (source.clone(), options.clone());
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let slot = {
            let mut cache = self.cache();
            let entry =
                cache.entries.entry(key.clone()).or_insert_with(|| Entry { slot: Slot::default(), used, bytes: 0 });
            entry.used = used;
            entry.slot.clone()
        };
        let mut fresh = false;
        let result = slot.get_or_init(|| {
            fresh = true;
            self.build(source, options)
        });
        let result = result.clone();
        if fresh {
            self.account(&key, used);
        }
        result
    }

    /// Counts what a new entry takes, and forgets what was used longest ago until the rest fits.
    fn account(&self, key: &(Source, Options), now: u64) {
        let mut cache = self.cache();
        let cache = &mut *cache;
        if let Some(entry) = cache.entries.get_mut(key) {
            entry.bytes = entry.size(&key.0);
            cache.bytes += entry.bytes;
        }
        if now.is_multiple_of(LOOK_AGAIN) || cache.bytes > self.limits.cache_bytes {
            cache.bytes = 0;
            for ((source, _), entry) in &mut cache.entries {
                entry.bytes = entry.size(source);
                cache.bytes += entry.bytes;
            }
        }
        if cache.bytes <= self.limits.cache_bytes {
            return;
        }
        let mut ages: Vec<(u64, usize)> = cache.entries.values().map(|entry| (entry.used, entry.bytes)).collect();
        ages.sort_unstable();
        let mut oldest_kept = 0;
        for (used, bytes) in ages {
            if cache.bytes <= self.limits.cache_bytes {
                break;
            }
            cache.bytes -= bytes;
            oldest_kept = used + 1;
        }
        cache.entries.retain(|_, entry| entry.used >= oldest_kept);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, source: &Source, options: &Options) -> Result<Guide, CompileError> {
        Ok(match source {
            Source::Regex(regex) => self.guide(self.regular(self.regex(regex)?)?),
            Source::Choice(choices) => self.guide(self.regular(self.choice(choices)?)?),
            Source::JsonSchema(schema) => self.guide(self.json(schema, options)?),
            Source::JsonObject => self.guide(self.json(r#"{"type":"object"}"#, options)?),
        })
    }

    fn guide(&self, automaton: impl Automaton) -> Guide {
        Guide::new(self.vocabulary.clone(), automaton, self.limits.mask_bytes)
    }

    fn json(&self, schema: &str, options: &Options) -> Result<JsonMachine, CompileError> {
        // What JSON text can consist of: ASCII without control characters, and UTF-8 beyond.
        let needed = (0x20..=0x7F).chain(0x80..=0xBF).chain(0xC2..=0xF4);
        if let Some(byte) = needed.into_iter().find(|&byte| self.vocabulary.byte_token(byte).is_none()) {
            return Err(CompileError::Vocabulary { byte });
        }
        json::compile(schema, options, &self.limits, &self.languages, &self.documents, &self.classes)
    }

    fn regular(&self, dfa: Dfa) -> Result<Regular, CompileError> {
        if dfa.is_empty() {
            return Err(CompileError::Unsatisfiable {
                pointers: Vec::new(),
                reason: "the regex matches no text at all".into(),
            });
        }
        if let Some(byte) = dfa.find_byte_without(|byte| self.vocabulary.byte_token(byte).is_some()) {
            return Err(CompileError::Vocabulary { byte });
        }
        Ok(Regular::new(dfa))
    }

    fn regex(&self, regex: &str) -> Result<Dfa, CompileError> {
        let limits = DfaLimits { states: self.limits.states, bytes: self.limits.bytes };
        regex::whole(regex, Dialect::Python, limits).map_err(|error| match error {
            RegexError::Syntax(at, reason) => CompileError::Syntax { at: Place::Regex(at), reason },
            RegexError::Unsupported(at, keyword, reason) => {
                CompileError::Unsupported { at: Place::Regex(at), keyword: keyword.into(), reason }
            }
            RegexError::TooBig => too_big(
                Place::Regex(0),
                "states of the regex's automaton",
                self.limits.states,
                "use smaller counts of repetition, or fewer alternatives that begin alike",
            ),
        })
    }

    /// A trie of the choices is already deterministic.
    fn choice(&self, choices: &[String]) -> Result<Dfa, CompileError> {
        if choices.is_empty() {
            return Err(CompileError::Syntax {
                at: Place::Source,
                reason: "choice is empty; give at least one string".into(),
            });
        }
        let mut sorted: Vec<&[u8]> = choices.iter().map(String::as_bytes).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let limit = self.limits.bytes / 1024;
        Dfa::words(&sorted, limit).map_err(|_| {
            too_big(Place::Source, "characters of all choices together", limit, "give fewer or shorter choices")
        })
    }
}

impl Entry {
    fn size(&self, source: &Source) -> usize {
        let guide = match self.slot.get() {
            Some(Ok(guide)) => guide.bytes(),
            _ => 0,
        };
        source.len() + guide + 256
    }
}
