//! [`Compiler`]: sources to guides, with a cache.
//!
//! | file | what it holds |
//! |---|---|
//! | this one | the cache, and the way of each kind of source to its automaton |
//! | `slot` | a result that one thread makes while others wait |
//!
//! # Invariants
//!
//! - A source is compiled by one thread at a time; the others wait for its slot. A refusal is cached like a guide, an interruption is not.
//! - No lock is held while a source is compiled.

mod slot;
#[cfg(test)]
mod tests;

use crate::automaton::Automaton;
use crate::automaton::by_character::ByCharacter;
use crate::automaton::determinize::CharacterDfa;
use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::automaton::regular::{Regular, Unspellable};
use crate::automaton::whole_tokens::MOST_STEPS;
use crate::collections::cache::Cache;
use crate::compiler::slot::Slot;
use crate::error::{CompileError, Place, too_big};
use crate::grammar::machine::GrammarMachine;
use crate::grammar::{self, GrammarTokens};
use crate::guide::Guide;
use crate::interrupt::{self, Interrupt};
use crate::json;
use crate::json::language::cache::Languages;
use crate::json::language::spellable::Spellable;
use crate::json::machine::JsonMachine;
use crate::json::schema::documents::Documents;
use crate::json::shape::shapes::Analysis;
use crate::json::tokens::cache::ClassesCache;
use crate::options::{Limits, Options};
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};
use crate::source::Source;
use crate::tags;
use crate::tags::build::ContentCompiler;
use crate::tags::tokens::TagTokens;
use crate::vocabulary::Vocabulary;
use foldhash::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Compiles sources for one vocabulary, and caches the guides that were used last.
#[derive(Debug)]
pub struct Compiler {
    vocabulary: Arc<Vocabulary>,
    limits: Limits,
    /// Classes of the tokens by their effect on strings and numbers.
    classes: Arc<ClassesCache>,
    /// Automata that several schemas use.
    languages: Languages,
    /// Documents that schemas may refer to.
    documents: Documents,
    tag_tokens: Arc<TagTokens>,
    grammar_tokens: GrammarTokens,
    /// The machines of the schemas of tags. Requests repeat their tools.
    contents: Cache<(String, Options), Arc<JsonMachine>>,
    cache: Mutex<CompiledGuides>,
    clock: AtomicU64,
}

/// The cached guides.
#[derive(Debug, Default)]
struct CompiledGuides {
    /// By options and then by source, so a look needs no key that owns copies of both.
    entries: HashMap<Options, HashMap<Source, CachedGuide>>,
    /// Bytes of the entries when they were last measured.
    bytes: usize,
}

/// Bytes of cached automata of strings and numbers.
const LANGUAGE_BYTES: usize = 32 << 20;

/// All entries are measured again after so many uses of the cache: guides grow with their masks.
const LOOK_AGAIN: u64 = 8;

#[derive(Debug)]
struct CachedGuide {
    slot: Arc<Slot<Guide>>,
    used: u64,
    bytes: usize,
}

impl Compiler {
    /// A compiler for a vocabulary, with empty caches.
    pub fn new(vocabulary: Arc<Vocabulary>, limits: Limits) -> Compiler {
        let spellable = Spellable::new(&vocabulary);
        let classes = Arc::new(ClassesCache::new(&vocabulary, spellable.clone()));
        let languages = Languages::new(LANGUAGE_BYTES, spellable);
        let (documents, cache, clock) = (Documents::default(), Mutex::default(), AtomicU64::new(0));
        let tag_tokens = Arc::new(TagTokens::new(classes.clone()));
        let grammar_tokens = GrammarTokens::new(classes.clone());
        let contents = Cache::new(limits.cache_bytes / 4);
        Compiler {
            vocabulary,
            limits,
            classes,
            languages,
            documents,
            tag_tokens,
            grammar_tokens,
            contents,
            cache,
            clock,
        }
    }

    /// The compiler with documents that all schemas may refer to.
    #[must_use]
    pub fn with_documents(self, documents: Documents) -> Compiler {
        Compiler { documents, ..self }
    }

    /// Compiles the automata of all formats, so that no request has to wait for them: about a third of a second of one thread. Optional;
    /// other threads may compile meanwhile.
    pub fn warm_up(&self) {
        for format in json::language::format::DEFINED {
            let _ = self.json(&format!(r#"{{"type":"string","format":"{format}"}}"#), &Options::default());
        }
    }

    /// The vocabulary that guides are compiled for.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The guide for a source. Takes microseconds for a cached source, and up to about a second for a new one that is as complex as the
    /// limits allow. Do not call it on a thread that must not block.
    ///
    /// # Errors
    /// The refusals of [`CompileError`].
    pub fn compile(&self, source: &Source, options: &Options) -> Result<Guide, CompileError> {
        self.compile_until(source, options, &Interrupt::new())
    }

    /// As [`Compiler::compile`], until the interrupt is raised. Other threads that wait for the same guide are not interrupted: one of them
    /// starts the work again.
    ///
    /// # Errors
    /// The refusals, and [`CompileError::Interrupted`] and [`CompileError::TooSlow`]. These two are not cached, as the next compilation may
    /// have more time.
    pub fn compile_until(
        &self,
        source: &Source,
        options: &Options,
        interrupt: &Interrupt,
    ) -> Result<Guide, CompileError> {
        self.check_length(source)?;
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let slot = self.cache().slot(source, options, used);
        let mut fresh = false;
        let result = slot.get_or_make(interrupt, || {
            fresh = true;
            interrupt::until(interrupt, || self.build(source, options))
        });
        match result {
            Err(ref error) if error.is_interruption() => self.cache().forget(source, options, &slot),
            _ if fresh => self.account(source, options, used),
            _ => {}
        }
        result
    }

    /// The cached guide or refusal of a source; `None` if it is not compiled yet. Never waits for a compilation.
    pub fn compiled(&self, source: &Source, options: &Options) -> Option<Result<Guide, CompileError>> {
        if let Err(refused) = self.check_length(source) {
            return Some(Err(refused));
        }
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let slot = {
            let mut cache = self.cache();
            let entry = cache.entries.get_mut(options)?.get_mut(source)?;
            entry.used = used;
            entry.slot.clone()
        };
        slot.get()
    }

    fn check_length(&self, source: &Source) -> Result<(), CompileError> {
        match self.limits.source_bytes {
            limit if source.len() > limit => {
                Err(too_big(Place::Source, "bytes of source", limit, "send a smaller one"))
            }
            _ => Ok(()),
        }
    }

    /// Measures a new entry, and drops the entries that were used longest ago until the rest fits.
    fn account(&self, source: &Source, options: &Options, now: u64) {
        let mut cache = self.cache();
        let cache = &mut *cache;
        if let Some(entry) = cache.entries.get_mut(options).and_then(|entries| entries.get_mut(source)) {
            let bytes = entry.size(source);
            let before = std::mem::replace(&mut entry.bytes, bytes);
            cache.bytes = (cache.bytes + bytes).saturating_sub(before);
        }
        if now.is_multiple_of(LOOK_AGAIN) || cache.bytes > self.limits.cache_bytes {
            cache.bytes = 0;
            for (source, entry) in cache.entries.values_mut().flatten() {
                entry.bytes = entry.size(source);
                cache.bytes += entry.bytes;
            }
        }
        if cache.bytes <= self.limits.cache_bytes {
            return;
        }
        let mut ages: Vec<(u64, usize)> =
            cache.entries.values().flat_map(HashMap::values).map(|entry| (entry.used, entry.bytes)).collect();
        ages.sort_unstable();
        let mut oldest_kept = 0;
        for (used, bytes) in ages {
            if cache.bytes <= self.limits.cache_bytes {
                break;
            }
            cache.bytes -= bytes;
            oldest_kept = used + 1;
        }
        cache.entries.values_mut().for_each(|entries| entries.retain(|_, entry| entry.used >= oldest_kept));
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, CompiledGuides> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, source: &Source, options: &Options) -> Result<Guide, CompileError> {
        Ok(match source {
            Source::Regex(regex) => self.regex_guide(regex)?,
            Source::Choice(choices) => self.guide(self.regular(self.choice(choices)?)?),
            Source::JsonSchema(schema) => self.guide(self.json(schema, options)?),
            Source::JsonObject => self.guide(self.json(r#"{"type":"object"}"#, options)?),
            Source::Grammar(text) => self.guide(self.grammar(text, options)?),
            Source::Tags(part) => {
                let contents = CachedContents { compiler: self };
                self.guide(tags::compile(part, options, &contents, &self.vocabulary, self.tag_tokens.clone())?)
            }
        })
    }

    fn guide(&self, automaton: impl Automaton) -> Guide {
        let shared = self.classes.shared_sets().clone();
        Guide::new(self.vocabulary.clone(), automaton, self.limits.mask_bytes, shared)
    }

    fn json(&self, schema: &str, options: &Options) -> Result<JsonMachine, CompileError> {
        json::compile(schema, options, &self.limits, &self.languages, &self.documents, &self.classes)
    }

    fn grammar(&self, text: &str, options: &Options) -> Result<GrammarMachine, CompileError> {
        let contents = CachedContents { compiler: self };
        let schemas = |schema: &str| contents.json(schema, options);
        grammar::compile(text, &self.limits, &self.vocabulary, self.grammar_tokens.clone(), &schemas)
    }

    fn regular(&self, dfa: Dfa) -> Result<Regular, CompileError> {
        if dfa.is_empty() {
            return Err(CompileError::Unsatisfiable {
                pointers: Vec::new(),
                reason: "the regex matches no text at all".into(),
            });
        }
        Regular::new(dfa, &self.vocabulary).map_err(|failed| match failed {
            Unspellable::Missing(byte) => {
                CompileError::Vocabulary { at: Place::Source, what: "any text that the regex matches".into(), byte }
            }
            Unspellable::TooMuch => too_big(
                Place::Source,
                "steps along tokens with bytes that are no tokens of the model's vocabulary",
                MOST_STEPS,
                "use a smaller regex, or fewer choices, or a model whose tokenizer has all bytes",
            ),
        })
    }

    /// The guide of a regex: a table over bytes, or where that would be too big one over characters.
    fn regex_guide(&self, regex: &str) -> Result<Guide, CompileError> {
        let (characters, limits) = (self.regex_by_character(regex)?, self.dfa_limits());
        // Costs in tokens, for a vocabulary without a token for each byte of text, are known over bytes only.
        let mut bytes = (0..=0x7F).chain(0x80..=0xBF).chain(0xC2..=0xF4);
        let has_all = bytes.all(|byte| self.vocabulary.single_bytes().contains(byte));
        if has_all
            && characters.most_states() > limits.states
            && let Ok(automaton) = ByCharacter::new(&characters, limits.states)
            && !automaton.is_empty()
        {
            return Ok(self.guide(automaton));
        }
        let dfa = characters.to_bytes(limits).map_err(|error| self.regex_error(error.into()))?;
        Ok(self.guide(self.regular(dfa)?))
    }

    fn regex(&self, regex: &str) -> Result<Dfa, CompileError> {
        let bytes = self.regex_by_character(regex)?.to_bytes(self.dfa_limits());
        bytes.map_err(|error| self.regex_error(error.into()))
    }

    fn regex_by_character(&self, regex: &str) -> Result<CharacterDfa, CompileError> {
        let made = regex::whole_by_character(regex, Dialect::Python, self.dfa_limits());
        made.map_err(|error| self.regex_error(error))
    }

    fn dfa_limits(&self) -> DfaLimits {
        DfaLimits { states: self.limits.states, bytes: self.limits.bytes }
    }

    fn regex_error(&self, error: RegexError) -> CompileError {
        match error {
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
        }
    }

    /// The automaton of the choices: their trie, which is deterministic already.
    fn choice(&self, choices: &[String]) -> Result<Dfa, CompileError> {
        if choices.is_empty() {
            return Err(CompileError::Syntax {
                at: Place::Source,
                reason: "choice is empty; give at least one string".into(),
            });
        }
        for (index, choice) in choices.iter().enumerate() {
            if let Some(byte) = self.vocabulary.missing_for(choice.as_bytes()) {
                return Err(CompileError::Vocabulary {
                    at: Place::Source,
                    what: format!("choice {index}, {choice:?}"),
                    byte,
                });
            }
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

/// The contents of tags. Machines are shared by all tags with one schema.
struct CachedContents<'a> {
    compiler: &'a Compiler,
}

impl ContentCompiler for CachedContents<'_> {
    fn json(&self, schema: &str, options: &Options) -> Result<Arc<JsonMachine>, CompileError> {
        let key = (schema.to_owned(), options.clone());
        if let Some(known) = self.compiler.contents.get(&key) {
            return Ok(known);
        }
        let machine = Arc::new(self.compiler.json(schema, options)?);
        self.compiler.contents.insert(key, machine.clone(), machine.size() + schema.len() + 256);
        Ok(machine)
    }

    fn analysis(&self, schema: &str, options: &Options) -> Result<Analysis, CompileError> {
        let Compiler { limits, languages, documents, .. } = self.compiler;
        json::analysed(schema, options, limits, languages, documents)
    }

    fn machine(&self, analysis: Analysis, options: &Options) -> JsonMachine {
        JsonMachine::new(analysis, options, self.compiler.classes.clone())
    }

    fn grammar(&self, grammar: &str, options: &Options) -> Result<Arc<GrammarMachine>, CompileError> {
        self.compiler.grammar(grammar, options).map(Arc::new)
    }

    fn regex(&self, regex: &str) -> Result<Dfa, CompileError> {
        self.compiler.regex(regex)
    }

    fn limits(&self) -> &Limits {
        &self.compiler.limits
    }
}

impl CompiledGuides {
    /// The slot of a guide, marked as used now.
    fn slot(&mut self, source: &Source, options: &Options, used: u64) -> Arc<Slot<Guide>> {
        let entries = self.entries.entry(options.clone()).or_default();
        if let Some(entry) = entries.get_mut(source) {
            entry.used = used;
            return entry.slot.clone();
        }
        let entry = CachedGuide { slot: Arc::default(), used, bytes: 0 };
        entries.entry(source.clone()).or_insert(entry).slot.clone()
    }

    /// Drops an entry without a result for which no other thread waits.
    fn forget(&mut self, source: &Source, options: &Options, slot: &Arc<Slot<Guide>>) {
        let Some(entries) = self.entries.get_mut(options) else { return };
        // A slot is cloned under the lock of the cache only. With two references, the caller's and the cache's, no other thread has it.
        let is_alone = |entry: &CachedGuide| Arc::ptr_eq(&entry.slot, slot) && Arc::strong_count(slot) == 2;
        if entries.get(source).is_some_and(|entry| is_alone(entry) && entry.slot.get().is_none()) {
            entries.remove(source);
        }
    }
}

impl CachedGuide {
    fn size(&self, source: &Source) -> usize {
        let guide = match self.slot.get() {
            Some(Ok(guide)) => guide.bytes(),
            _ => 0,
        };
        source.len() + guide + 256
    }
}
