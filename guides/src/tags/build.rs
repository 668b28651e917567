//! A tree of parts to a [`Net`], from the end to the beginning: each part is given the segment that follows it.
//!
//! So the least bytes behind a part are known when it is built, and a tag that several ways lead to is built once.

use crate::automaton::Automaton;
use crate::automaton::backward::Backward;
use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::automaton::marks;
use crate::automaton::search::{Words, up_to};
use crate::collections::fingerprint::Fingerprint;
use crate::error::{CompileError, Place, too_big};
use crate::grammar::machine::GrammarMachine;
use crate::interrupt::passed;
use crate::json::language::strings::Characters;
use crate::json::machine::JsonMachine;
use crate::json::shape::SchemaId;
use crate::json::shape::shapes::Analysis;
use crate::options::{Limits, Options};
use crate::source::part::{Marker, Part, SeparatedTags, Style, Tag};
use crate::tags::net::{GrammarText, Json, Net, NetScope, ScopeId, ScopeKind, Segment, SegmentId, Text, times};
use crate::tags::registers::MOST_SCOPES;
use crate::vocabulary::Vocabulary;
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most levels of a tree of parts.
const MOST_LEVELS: usize = 64;

/// The most segments of a net.
const MOST_SEGMENTS: usize = 100_000;

/// What compiles the contents of tags.
pub(crate) trait ContentCompiler {
    /// The machine of a schema.
    fn json(&self, schema: &str, options: &Options) -> Result<Arc<JsonMachine>, CompileError>;

    /// The alternatives of a schema.
    fn analysis(&self, schema: &str, options: &Options) -> Result<Analysis, CompileError>;

    /// The machine of alternatives.
    fn machine(&self, analysis: Analysis, options: &Options) -> JsonMachine;

    /// The machine of a grammar.
    fn grammar(&self, grammar: &str, options: &Options) -> Result<Arc<GrammarMachine>, CompileError>;

    /// The automaton of a regex.
    fn regex(&self, regex: &str) -> Result<Dfa, CompileError>;

    fn limits(&self) -> &Limits;
}

/// The net under construction.
pub(super) struct NetBuilder<'a> {
    pub(super) net: Net,
    pub(super) contents: &'a dyn ContentCompiler,
    pub(super) vocabulary: &'a Vocabulary,
    /// The options of the request.
    pub(super) options: &'a Options,
    /// All text that tokens write byte by byte.
    pub(super) any: Dfa,
    /// The scope of the part that is being built.
    pub(super) scope: Option<ScopeId>,
    /// The way from the root to the part that is being built, as in a JSON pointer.
    pub(super) path: Vec<String>,
}

pub(super) type Built<T = SegmentId> = Result<T, CompileError>;

impl<'a> NetBuilder<'a> {
    /// With an empty net.
    pub(super) fn new(
        contents: &'a dyn ContentCompiler,
        vocabulary: &'a Vocabulary,
        options: &'a Options,
    ) -> Built<NetBuilder<'a>> {
        let all = Characters::any().map_err(|_| CompileError::Interrupted)?;
        let any = all.dfa.with_bytes(|byte| vocabulary.single_bytes().contains(byte));
        Ok(NetBuilder { net: Net::default(), contents, vocabulary, options, any, scope: None, path: Vec::new() })
    }
}

impl NetBuilder<'_> {
    /// Builds a part that is reached by `step` from the one around it.
    pub(super) fn within<T>(&mut self, step: impl ToString, build: impl FnOnce(&mut Self) -> Built<T>) -> Built<T> {
        self.path.push(step.to_string());
        let built = build(self)?;
        self.path.pop();
        Ok(built)
    }

    /// The first segment of a part that `next` follows.
    pub(super) fn part(&mut self, part: &Part, next: SegmentId) -> Built {
        if self.path.len() > 2 * MOST_LEVELS {
            return Err(too_big(self.here(), "levels of parts", MOST_LEVELS, "nest them less deeply"));
        }
        match part {
            Part::Constant(marker) => {
                let bytes = self.bytes(marker)?;
                self.constant(bytes, next)
            }
            Part::Free { excludes } => self.free(&[], excludes, Some(next), |_, _| Ok(Vec::new())),
            Part::Until { ends, excludes } => {
                if ends.is_empty() {
                    return Err(self.syntax("a text up to a marker has at least one marker"));
                }
                self.until(ends, excludes, next)
            }
            Part::Json { schema, options } => self.json(schema, options.as_ref(), next),
            Part::Arguments { schema, style: Style::Json, options } => self.json(schema, options.as_ref(), next),
            Part::Arguments { schema, style: Style::Delimited(style), options } => {
                let options = options.as_ref().unwrap_or(self.options);
                self.arguments(schema, style, options, next)
            }
            Part::Regex(regex) => {
                let dfa = self.contents.regex(regex).map_err(|error| self.inside(error))?;
                self.text(dfa, Some(next), HashMap::new())
            }
            Part::Grammar(grammar) => {
                let machine = self.contents.grammar(grammar, self.options).map_err(|error| self.inside(error))?;
                if machine.has_special_tokens() {
                    return Err(
                        self.syntax("a grammar among tags names no special tokens; write them as markers of a tag")
                    );
                }
                let cost = machine.cost(&machine.start()) + self.net.cost(next);
                self.add(Segment::Grammar(GrammarText { machine, next }), cost)
            }
            Part::Sequence(parts) => {
                let mut next = next;
                for (index, part) in parts.iter().enumerate().rev() {
                    next = self.within("elements", |own| own.within(index, |own| own.part(part, next)))?;
                }
                Ok(next)
            }
            Part::Choice(parts) => {
                if parts.is_empty() {
                    return Err(self.syntax("a choice has at least one part"));
                }
                let mut ways = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    ways.push(self.within("elements", |own| own.within(index, |own| own.way(part, next)))?);
                }
                self.ways(ways)
            }
            Part::Repeat { content, min, max } => {
                let content = |own: &mut Self, next| own.within("content", |own| own.part(content, next));
                self.repeat((*min, *max), content, |_, next| Ok(next), next)
            }
            Part::Tag(tag) => {
                let way = self.tag(tag, next)?;
                self.ways(vec![way])
            }
            Part::Triggered(tags) => self.triggered(tags, next),
            Part::Separated(tags) => {
                let SeparatedTags { tags, separator, min, max } = &**tags;
                let separator = |own: &mut Self, next| own.within("separator", |own| own.part(separator, next));
                self.repeat((*min, *max), |own, next| own.tags(tags, next), separator, next)
            }
        }
    }

    /// A part as a constant beginning, which may be empty, and the segment of the rest.
    fn way(&mut self, part: &Part, next: SegmentId) -> Built<(Vec<u8>, SegmentId)> {
        match part {
            Part::Constant(marker) => Ok((self.bytes(marker)?, next)),
            Part::Tag(tag) => self.tag(tag, next),
            Part::Sequence(parts) if matches!(parts.first(), Some(Part::Constant(_) | Part::Tag(_))) => {
                let mut next = next;
                for (index, part) in parts.iter().enumerate().skip(1).rev() {
                    next = self.within("elements", |own| own.within(index, |own| own.part(part, next)))?;
                }
                self.within("elements", |own| own.within(0, |own| own.way(&parts[0], next)))
            }
            _ => Ok((Vec::new(), self.part(part, next)?)),
        }
    }

    /// The beginning of a tag, and the segment of its content.
    pub(super) fn tag(&mut self, tag: &Tag, next: SegmentId) -> Built<(Vec<u8>, SegmentId)> {
        let content = match &tag.content {
            Part::Free { excludes } if !tag.ends.is_empty() => {
                self.within("content", |own| own.until(&tag.ends, excludes, next))?
            }
            content => {
                let mut ways = Vec::new();
                for end in &tag.ends {
                    ways.push((self.within("end", |own| own.bytes(end))?, next));
                }
                let end = if ways.is_empty() { next } else { self.ways(ways)? };
                self.within("content", |own| own.part(content, end))?
            }
        };
        let begin: Vec<Vec<u8>> = tag.begin.iter().map(|marker| self.bytes(marker)).collect::<Built<_>>()?;
        Ok((begin.concat(), content))
    }

    /// A choice of tags.
    pub(super) fn tags(&mut self, tags: &[Tag], next: SegmentId) -> Built {
        if tags.is_empty() {
            return Err(self.syntax("there must be at least one tag"));
        }
        let mut ways = Vec::new();
        for (index, tag) in tags.iter().enumerate() {
            ways.push(self.within("tags", |own| own.within(index, |own| own.tag(tag, next)))?);
        }
        self.ways(ways)
    }

    /// A choice of constants, each with the segment that follows it. Constants that begin alike are read together.
    pub(super) fn ways(&mut self, ways: Vec<(Vec<u8>, SegmentId)>) -> Built {
        let mut by_word: BTreeMap<Vec<u8>, Vec<SegmentId>> = BTreeMap::new();
        for (word, next) in ways {
            by_word.entry(word).or_default().push(next);
        }
        let mut branches = by_word.remove(&Vec::new()).unwrap_or_default();
        if !by_word.is_empty() {
            let words: Vec<&[u8]> = by_word.keys().map(Vec::as_slice).collect();
            let dfa = self.sized(Dfa::words(&words, self.contents.limits().bytes / 1024))?;
            let exits = by_word.iter().map(|(word, next)| (dfa.after(dfa.start(), word), next.clone().into()));
            let exits = exits.collect();
            branches.push(self.text(dfa, None, exits)?);
        }
        self.branch(branches)
    }

    pub(super) fn branch(&mut self, mut all: Vec<SegmentId>) -> Built {
        all.sort_unstable();
        all.dedup();
        match all[..] {
            [one] => Ok(one),
            _ => {
                let cost = Cost::least(all.iter().map(|&one| self.net.cost(one)));
                self.add(Segment::Branch(all), cost)
            }
        }
    }

    pub(super) fn constant(&mut self, bytes: Vec<u8>, next: SegmentId) -> Built {
        self.ways(vec![(bytes, next)])
    }

    /// Text up to one of `ends`, which `next` follows.
    fn until(&mut self, ends: &[Marker], excludes: &[Marker], next: SegmentId) -> Built {
        let mut found = vec![false; ends.len()];
        let text = self.free(ends, excludes, None, |_, words| {
            words.iter().for_each(|&word| found[word as usize] = true);
            Ok(vec![next])
        })?;
        match found.iter().position(|found| !found) {
            Some(index) => Err(self.never_written(&ends[index])),
            None => Ok(text),
        }
    }

    pub(super) fn never_written(&self, marker: &Marker) -> CompileError {
        let marker = match marker {
            Marker::Text(text) => format!("{text:?}"),
            Marker::Token(id) => format!("token {id}"),
        };
        self.syntax(&format!("{marker} can never be written: another marker occurs in it"))
    }

    /// Text up to one of the markers, with what `exits` gives for the markers that were found, by their index; if there is an `exit`, also text that ends
    /// before.
    pub(super) fn free(
        &mut self,
        markers: &[Marker],
        excludes: &[Marker],
        exit: Option<SegmentId>,
        mut exits: impl FnMut(&mut Self, &[u32]) -> Built<Vec<SegmentId>>,
    ) -> Built {
        let ends: Vec<Vec<u8>> = markers.iter().map(|marker| self.bytes(marker)).collect::<Built<_>>()?;
        let excluded: Vec<Vec<u8>> = excludes.iter().map(|marker| self.bytes(marker)).collect::<Built<_>>()?;
        let limit = self.contents.limits().states;
        let words = Words { ends: &ends, excluded: &excluded, open: exit.is_some() };
        let texts = self.sized(up_to(&self.any, words, limit))?;
        if texts.dfa.is_empty() && !ends.is_empty() {
            return Err(self.never_written(&markers[0]));
        }
        let mut next: HashMap<u32, Box<[SegmentId]>> = HashMap::new();
        let mut known: HashMap<Vec<u32>, Box<[SegmentId]>> = HashMap::new();
        let mut found: Vec<(u32, Vec<u32>)> = texts.found.into_iter().collect();
        found.sort_unstable();
        for (state, words) in found {
            let follow = match known.get(&words) {
                Some(follow) => follow.clone(),
                None => {
                    let follow: Box<[SegmentId]> = exits(self, &words)?.into();
                    known.insert(words, follow.clone());
                    follow
                }
            };
            next.insert(state, follow);
        }
        self.text(texts.dfa, exit, next)
    }

    /// A text, with what follows it: `exits` by its last state, elsewhere `exit`.
    pub(super) fn text(&mut self, dfa: Dfa, exit: Option<SegmentId>, exits: HashMap<u32, Box<[SegmentId]>>) -> Built {
        // What no token spells is left out, so bytes lead on from every state.
        let single = self.vocabulary.single_bytes();
        let is_written = |byte: u8| single.contains(byte) || marks::is_mark(byte);
        if let Some(byte) = dfa.find_byte_without(is_written) {
            if !exits.is_empty() {
                return Err(self.missing("a marker", byte));
            }
            let written = dfa.with_bytes(is_written);
            if written.is_empty() {
                return Err(self.missing("any text of a part", byte));
            }
            return self.text(written, exit, exits);
        }
        if dfa.is_empty() {
            return Err(self.unsatisfiable("no text matches"));
        }
        let own = (0..dfa.len() as u32).map(|state| match exits.get(&state) {
            _ if state == 0 || !dfa.accepts_at(state) => Cost::NEVER,
            Some(exits) => Cost::least(exits.iter().map(|&exit| self.net.cost(exit))),
            None => Cost::least(exit.map(|exit| self.net.cost(exit))),
        });
        let own: Vec<Cost> = own.collect();
        let costs = Backward::new(&dfa, |_| 1).costs_with(&own);
        let last = (0..dfa.len() as u32).map(|state| dfa.is_final(state)).collect();
        let cost = costs[dfa.start() as usize];
        let mut print = Fingerprint::new();
        print.add(&dfa);
        let text = Text { dfa: Arc::new(dfa), fingerprint: print.value(), exit, exits, costs, last };
        self.add(Segment::Text(text), cost)
    }

    fn json(&mut self, schema: &str, options: Option<&Options>, next: SegmentId) -> Built {
        let options = options.unwrap_or(self.options);
        let machine = self.contents.json(schema, options).map_err(|error| self.inside(error))?;
        let schema = machine.root;
        self.value(machine, schema, next)
    }

    /// A JSON value of a schema of the machine.
    pub(super) fn value(&mut self, machine: Arc<JsonMachine>, schema: SchemaId, next: SegmentId) -> Built {
        let cost = machine.cost_of(schema) + self.net.cost(next);
        self.add(Segment::Json(Json { machine, schema, next }), cost)
    }

    /// A part several times, with a separator.
    pub(super) fn repeat(
        &mut self,
        (min, max): (u32, Option<u32>),
        mut content: impl FnMut(&mut Self, SegmentId) -> Built,
        separator: impl FnOnce(&mut Self, SegmentId) -> Built,
        out: SegmentId,
    ) -> Built {
        match (min, max) {
            (_, Some(max)) if max < min => return Err(self.syntax("the most is less than the fewest")),
            (_, Some(0)) => return Ok(out),
            (0, Some(1)) => {
                let once = content(self, out)?;
                return self.branch(vec![once, out]);
            }
            (1, Some(1)) => return content(self, out),
            _ => {}
        }
        let scope = self.open_scope(out)?;
        let again = self.add(Segment::Again(scope), Cost::ZERO)?;
        let leave = self.add(Segment::Leave(scope, out), Cost::ZERO)?;
        let once = content(self, again)?;
        let further = separator(self, once)?;
        let (begin, each) = (self.net.cost(once), self.net.cost(further));
        // Empty iterations count as well, so a part that may be empty comes often enough whatever is written.
        let min = if each == 0 { 0 } else { min };
        let first = if min == 0 { self.branch(vec![once, leave])? } else { once };
        let between = self.branch(vec![further, leave])?;
        self.net.scopes[scope.index()].kind = ScopeKind::Count { min, max, first, below: further, between, each };
        self.close_scope(scope);
        let cost = if min == 0 { Cost::ZERO } else { begin + times(each, u64::from(min) - 1) };
        self.add(Segment::Enter(scope), cost + self.net.cost(out))
    }

    /// Begins a scope that `out` follows. Its kind is set once it is built.
    pub(super) fn open_scope(&mut self, out: SegmentId) -> Built<ScopeId> {
        let depth = self.scope.map_or(0, |around| self.net.scope(around).depth + 1);
        if depth == MOST_SCOPES {
            return Err(too_big(
                self.here(),
                "repetitions and arguments within each other",
                MOST_SCOPES,
                "nest them less deeply",
            ));
        }
        let id = ScopeId::new(self.net.scopes.len());
        let kind = ScopeKind::Members { members: Vec::new(), required: 0, ordered: true, separator: Cost::ZERO };
        self.net.scopes.push(NetScope { around: self.scope, depth, kind, out });
        self.scope = Some(id);
        Ok(id)
    }

    pub(super) fn close_scope(&mut self, scope: ScopeId) {
        self.scope = self.net.scope(scope).around;
    }

    pub(super) fn add(&mut self, segment: Segment, cost: Cost) -> Built {
        if passed(16) {
            return Err(CompileError::Interrupted);
        }
        if self.net.segments.len() == MOST_SEGMENTS {
            return Err(too_big(self.here(), "parts", MOST_SEGMENTS, "use fewer"));
        }
        self.net.segments.push(segment);
        self.net.costs.push(cost);
        self.net.owners.push(self.scope);
        Ok(SegmentId::new(self.net.segments.len() - 1))
    }

    /// What a marker is in an automaton.
    pub(super) fn bytes(&mut self, marker: &Marker) -> Built<Vec<u8>> {
        let id = match marker {
            Marker::Text(text) if text.is_empty() => return Err(self.syntax("a marker has at least one character")),
            Marker::Text(text) => return self.spelled(text).map(|text| text.as_bytes().to_vec()),
            Marker::Token(id) => *id,
        };
        let (vocabulary, at) = (self.vocabulary, self.here());
        let bytes = self.net.special.spelling(id, vocabulary, at)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.spelled(text).map(|text| text.as_bytes().to_vec()),
            // A mark.
            Err(_) => Ok(bytes),
        }
    }

    /// The text, if tokens write each of its bytes.
    pub(super) fn spelled<'t>(&self, text: &'t str) -> Built<&'t str> {
        let single = self.vocabulary.single_bytes();
        match text.bytes().find(|&byte| !single.contains(byte)) {
            Some(byte) => Err(self.missing(&format!("{text:?}"), byte)),
            None => Ok(text),
        }
    }

    /// The place of the part that is being built.
    pub(super) fn here(&self) -> Place {
        Place::Part(self.path.iter().map(|step| format!("/{step}")).collect(), None)
    }

    pub(super) fn syntax(&self, reason: &str) -> CompileError {
        CompileError::Syntax { at: self.here(), reason: reason.to_owned() }
    }

    pub(super) fn unsupported(&self, keyword: &str, reason: &str) -> CompileError {
        CompileError::Unsupported { at: self.here(), keyword: keyword.to_owned(), reason: reason.to_owned() }
    }

    fn missing(&self, what: &str, byte: u8) -> CompileError {
        CompileError::Vocabulary { at: self.here(), what: what.to_owned(), byte }
    }

    pub(super) fn unsatisfiable(&self, reason: &str) -> CompileError {
        CompileError::Unsatisfiable { pointers: Vec::new(), reason: format!("{reason} ({})", self.here()) }
    }

    /// The error of a schema or a regex, with the place of the part.
    pub(super) fn inside(&self, error: CompileError) -> CompileError {
        let Place::Part(path, _) = self.here() else { return error };
        error.within(|at| Place::Part(path.clone(), Some(Box::new(at))))
    }

    pub(super) fn sized<T>(&self, built: Result<T, TooManyStates>) -> Built<T> {
        let limit = self.contents.limits().states;
        built.map_err(|_| {
            too_big(self.here(), "states of an automaton", limit, "use fewer or shorter texts, or smaller bounds")
        })
    }
}
