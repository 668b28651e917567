//! Keywords that constrain numbers and strings, and `type` (JSON Schema 2020-12 validation, sections 6.1 to 6.3 and 7).

use crate::automaton::dfa::DfaLimits;
use crate::error::{CompileError, Place, too_big};
use crate::json::language::cache::Language;
use crate::json::language::format;
use crate::json::language::number::NumberAtom;
use crate::json::schema::graph::{Kinds, Node, NodeId, PatternId};
use crate::json::schema::keywords::{Keyword, KeywordReader, StringSet};
use crate::json::text::decimal::{Decimal, GREATEST_EXPONENT};
use crate::json::text::value::Value;
use crate::options::{Digits, Formats};
use crate::regex::error::RegexError;
use std::sync::Arc;

/// Digits of a number before or behind its point: exponents beyond make numbers that no program reads ([`Decimal`]).
const MOST_DIGITS: usize = GREATEST_EXPONENT as usize;

impl KeywordReader<'_> {
    /// `type`.
    pub(super) fn kinds(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        let names = match value {
            Value::Array(names) if !names.is_empty() => names.as_slice(),
            Value::String(_) => std::slice::from_ref(value),
            _ => return Err(self.error(at, "expected the name of a type, or an array of names")),
        };
        let (mut kinds, mut integers) = (Kinds::NONE, false);
        for name in names {
            let Value::String(name) = name else { return Err(self.error(at, "the name of a type is a string")) };
            kinds = kinds.or(match name.as_str() {
                "null" => Kinds::NULL,
                "boolean" => Kinds::BOOLEAN,
                "number" => Kinds::NUMBER,
                "string" => Kinds::STRING,
                "array" => Kinds::ARRAY,
                "object" => Kinds::OBJECT,
                "integer" => {
                    integers = true;
                    continue;
                }
                "any" => Kinds::ALL,
                other => {
                    let known = "null, boolean, integer, number, string, array, object";
                    return Err(self.error(at, format!("unknown type {other:?}; known are {known}")));
                }
            });
        }
        if integers && !kinds.has(Kinds::NUMBER) {
            let whole = self.add(Node::Number(NumberAtom::Integer), at);
            let kinds = self.add(Node::Kinds(kinds.or(Kinds::NUMBER)), at);
            return Ok(self.add(Node::All(vec![kinds, whole]), at));
        }
        Ok(self.add(Node::Kinds(kinds), at))
    }

    pub(super) fn decimal(&self, value: &Value, at: &str) -> Result<Decimal, CompileError> {
        match value {
            Value::Number(text) => Decimal::parse(text).ok_or_else(|| {
                too_big(Place::Pointer(at.to_owned()), "digits of a number", MOST_DIGITS, "use a number nearer to zero")
            }),
            _ => Err(self.error(at, format!("expected a number, not {}", value.kind()))),
        }
    }

    /// A count, at most `u32::MAX`: no output is long enough to tell greater ones apart.
    pub(super) fn count(&self, value: &Value, at: &str) -> Result<u32, CompileError> {
        let decimal = self.decimal(value, at)?;
        if decimal.negative || !decimal.is_integer() {
            return Err(self.error(at, "expected a whole number from 0"));
        }
        let digits = decimal.whole();
        Ok(digits.iter().fold(0u32, |n, &digit| n.saturating_mul(10).saturating_add(u32::from(digit))))
    }

    /// A keyword that begins with `min` or `max` and bounds a count.
    pub(super) fn count_bound(
        &mut self,
        keyword: Keyword<'_>,
        node: fn(u32, u32) -> Node,
    ) -> Result<NodeId, CompileError> {
        let count = self.count(keyword.value, keyword.at)?;
        let node = if keyword.name.starts_with("min") { node(count, u32::MAX) } else { node(0, count) };
        Ok(self.add(node, keyword.at))
    }

    /// `minimum`, `maximum`, `exclusiveMinimum` and `exclusiveMaximum`. In draft 4 the last two are booleans, which make the others
    /// exclusive.
    pub(super) fn bound(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        let Keyword { name, value, at, schema, .. } = keyword;
        let is_exclusive = |name: &str| schema.get(name) == Some(&Value::Bool(true));
        let atom = match name {
            "minimum" if is_exclusive("exclusiveMinimum") => NumberAtom::ExclusiveMinimum,
            "maximum" if is_exclusive("exclusiveMaximum") => NumberAtom::ExclusiveMaximum,
            "minimum" => NumberAtom::Minimum,
            "maximum" => NumberAtom::Maximum,
            _ if matches!(value, Value::Bool(_)) => return Ok(None),
            "exclusiveMinimum" => NumberAtom::ExclusiveMinimum,
            _ => NumberAtom::ExclusiveMaximum,
        };
        let atom = atom(self.decimal(value, at)?);
        Ok(Some(self.add(Node::Number(atom), at)))
    }

    /// `multipleOf`.
    pub(super) fn multiple(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let divisor = self.decimal(keyword.value, keyword.at)?;
        if divisor.negative || divisor.is_zero() {
            return Err(self.error(keyword.at, "must be greater than 0"));
        }
        Ok(self.add(Node::Number(NumberAtom::MultipleOf(divisor)), keyword.at))
    }

    /// `pattern`.
    pub(super) fn pattern(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let Value::String(regex) = keyword.value else {
            return Err(self.error(keyword.at, "expected a regex as a string"));
        };
        let made = self.languages.pattern_but_length(regex, self.limits());
        let (language, most) = made.map_err(|error| self.pattern_error(error, keyword.at))?;
        let Some(max) = most else {
            let pattern = self.strings_of_pattern(regex, keyword.at)?;
            return Ok(self.add(Node::Pattern(pattern), keyword.at));
        };
        // The count of the pattern is taken out of it: lengths are counted beside automata.
        let key = StringSet::Uncounted(regex.clone());
        let pattern = match self.patterns.get(&key) {
            Some(&pattern) => pattern,
            None => self.add_pattern(key, language),
        };
        let pattern = self.add(Node::Pattern(pattern), keyword.at);
        let length = self.add(Node::Length { min: 0, max }, keyword.at);
        Ok(self.add(Node::All(vec![pattern, length]), keyword.at))
    }

    /// `format`: an assertion, not just an annotation, unless the options say otherwise (section 7.2.2). Where the automaton of a format
    /// is that of a longer language, the length is a condition of its own.
    pub(super) fn format(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        let Keyword { value, at, .. } = keyword;
        let Value::String(name) = value else { return Err(self.error(at, "expected the name of a format")) };
        if self.formats == Formats::Annotate {
            return Ok(None);
        }
        let Some(pattern) = self.strings_of_format(name, self.digits, at)? else { return Ok(None) };
        // A least length may ask for more digits than are written otherwise.
        let longest =
            |pattern: PatternId| self.graph.patterns[pattern.index()].longest(|byte| u32::from(byte & 0xC0 != 0x80));
        let pattern = match keyword.schema.get("minLength").map(|min| self.count(min, at)) {
            Some(Ok(min)) if longest(pattern).is_some_and(|most| most < min) => {
                self.strings_of_format(name, Digits::Any, at)?.unwrap_or(pattern)
            }
            _ => pattern,
        };
        let pattern = self.add(Node::Pattern(pattern), at);
        let Some(max) = format::longest(name) else { return Ok(Some(pattern)) };
        let length = self.add(Node::Length { min: 0, max }, at);
        Ok(Some(self.add(Node::All(vec![pattern, length]), at)))
    }

    fn limits(&self) -> DfaLimits {
        DfaLimits { states: self.limits.states, bytes: self.limits.bytes }
    }

    /// The strings in which the regex matches somewhere.
    pub(super) fn strings_of_pattern(&mut self, regex: &str, at: &str) -> Result<PatternId, CompileError> {
        if let Some(&pattern) = self.patterns.get(&StringSet::Pattern(regex.to_owned())) {
            return Ok(pattern);
        }
        let language = self.languages.pattern(regex, self.limits()).map_err(|error| self.pattern_error(error, at))?;
        Ok(self.add_pattern(StringSet::Pattern(regex.to_owned()), language))
    }

    fn pattern_error(&self, error: RegexError, at: &str) -> CompileError {
        let place = |position| Place::Pattern(at.to_owned(), position);
        match error {
            RegexError::Syntax(position, reason) => CompileError::Syntax { at: place(position), reason },
            RegexError::Unsupported(position, construct, reason) => {
                CompileError::Unsupported { at: place(position), keyword: format!("pattern: {construct}"), reason }
            }
            RegexError::TooBig => too_big(
                Place::Pointer(at.to_owned()),
                "states of the pattern's automaton",
                self.limits.states,
                "use smaller counts of repetition (maxLength counts without limit), or fewer alternatives that begin alike",
            ),
        }
    }

    fn add_pattern(&mut self, key: StringSet, language: Arc<Language>) -> PatternId {
        let index = PatternId::new(self.graph.patterns.len());
        self.graph.patterns.push(language);
        self.patterns.insert(key, index);
        index
    }

    /// The strings of a format; `None` if no draft defines it.
    fn strings_of_format(&mut self, name: &str, digits: Digits, at: &str) -> Result<Option<PatternId>, CompileError> {
        let key = StringSet::Format(name.to_owned(), digits);
        if let Some(&pattern) = self.patterns.get(&key) {
            return Ok(Some(pattern));
        }
        match self.languages.format(name, digits, self.limits()) {
            Ok(Some(language)) => Ok(Some(self.add_pattern(key, language))),
            Ok(None) => Ok(None),
            Err(_) => Err(too_big(
                Place::Pointer(at.to_owned()),
                "states of the format's automaton",
                self.limits.states,
                "leave it out",
            )),
        }
    }
}
