//! The members of an object between delimiters.
//!
//! The analysis of a schema leaves one object with a schema for each of its properties. A value is read by the machine of the whole schema,
//! begun at the property's schema; a raw string by the automaton of its characters and of the delimiter behind it.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::automaton::search::{LONGEST_END, ended_by};
use crate::error::too_big;
use crate::json::language::length::with_length;
use crate::json::machine::JsonMachine;
use crate::json::shape::object::Object;
use crate::json::shape::shapes::Analysis;
use crate::json::shape::{Schema, SchemaId};
use crate::json::text::value::{self, Value};
use crate::options::{Options, Order};
use crate::source::part::{Delimiters, Values};
use crate::tags::build::{Built, NetBuilder};
use crate::tags::net::{ScopeKind, ScopeMember, Segment, SegmentId, cost_of_members};
use crate::tags::values::{SplitSchema, has_words_inside, split};
use std::sync::Arc;

/// The most members of an object that is written between delimiters: a register has a bit for each.
const MOST_MEMBERS: usize = 64;

/// A member whose values are told apart.
struct Argument {
    name: String,
    required: bool,
    values: SplitSchema,
    /// The strings of its schema, raw.
    raw: Vec<RawStrings>,
}

/// Strings without quotes and escapes.
enum RawStrings {
    Text(Dfa),
    Literal(String),
}

impl NetBuilder<'_> {
    /// The first segment of the members of an object, which `next` follows.
    pub(super) fn arguments(&mut self, schema: &str, style: &Delimiters, options: &Options, next: SegmentId) -> Built {
        let mut analysis = self.contents.analysis(schema, options).map_err(|error| self.inside(error))?;
        let properties = self.properties(&mut analysis, style)?;
        let machine = Arc::new(self.contents.machine(analysis, options));
        let scope = self.open_scope(next)?;
        let again = self.add(Segment::Again(scope), Cost::ZERO)?;
        let (mut members, mut required) = (Vec::new(), 0);
        for (index, property) in properties.into_iter().enumerate() {
            required |= u64::from(property.required) << index;
            let first = self.member(&property, style, &machine, again)?;
            let cost = self.net.cost(first);
            if cost == 0 {
                return Err(self.unsupported("style", "a member without any text; give delimiters"));
            }
            let separator = style.separator.as_bytes();
            let further = if separator.is_empty() { first } else { self.constant(separator.to_vec(), first)? };
            members.push(ScopeMember { first, further, cost });
        }
        let separator = Cost::of(style.separator.as_bytes());
        let cost = match required {
            0 => Cost::ZERO,
            _ => cost_of_members(&members, required, separator).without(style.separator.len() as u32),
        };
        let ordered = options.order == Order::Schema;
        self.net.scopes[scope.index()].kind = ScopeKind::Members { members, required, ordered, separator };
        self.close_scope(scope);
        self.add(Segment::Enter(scope), cost + self.net.cost(next))
    }

    /// The properties of the one object of the root.
    fn properties(&self, analysis: &mut Analysis, style: &Delimiters) -> Built<Vec<Argument>> {
        let unsupported = |keyword: &str, reason: &str| Err(self.unsupported(keyword, reason));
        let &[object] = &analysis.schemas[analysis.root.index()].objects[..] else {
            return unsupported(
                "style",
                "members between delimiters need a schema of one plain object: without anyOf, oneOf, if, not and \
                 dependent keywords at the root; use JSON",
            );
        };
        let Object { properties, demanded, min, max, .. } = &analysis.objects[object.index()];
        let properties = properties.iter().map(|known| (known.name.to_string(), known.required, known.schema));
        let properties: Vec<(String, bool, SchemaId)> = properties.collect();
        let required = properties.iter().filter(|(_, required, _)| *required).count();
        if *demanded != 0 || *min as usize > required || (*max as usize) < properties.len() {
            return unsupported(
                "style",
                "members between delimiters know no minProperties, maxProperties and conditions that some member must \
                 meet; use required, or JSON",
            );
        }
        if properties.len() > MOST_MEMBERS {
            return Err(too_big(self.here(), "members between delimiters", MOST_MEMBERS, "use JSON"));
        }
        let mut found = Vec::new();
        for (name, required, schema) in properties {
            self.spelled(&name)?;
            let before = [&style.before_string, &style.before_other].into_iter();
            if before.filter(|text| !text.is_empty()).any(|text| name.contains(&**text)) || name.is_empty() {
                return unsupported(
                    "style",
                    &format!("the name {name:?} is empty, or has the text that follows a name"),
                );
            }
            if style.values == Values::Python && has_words_inside(analysis, schema) {
                let reason = format!("{name:?} may have true, false or null inside an array or object; use JSON");
                return unsupported("style", &reason);
            }
            let values = split(analysis, schema, style.values == Values::Python);
            let raw = match values.strings {
                Some(id) if style.values == Values::Raw => self.raw_strings(&analysis.schemas[id.index()])?,
                _ => Vec::new(),
            };
            found.push(Argument { name, required, values, raw });
        }
        Ok(found)
    }

    /// The strings of a schema without quotes and escapes.
    fn raw_strings(&self, schema: &Schema) -> Built<Vec<RawStrings>> {
        let mut all = Vec::new();
        for strings in &schema.strings {
            let dfa = &strings.characters.dfa;
            let limit = self.contents.limits().states;
            let bounded = strings.min > 0 || strings.max != u32::MAX;
            let counted = if bounded { with_length(dfa, strings.min, strings.max, limit) } else { Ok(dfa.clone()) };
            all.push(RawStrings::Text(self.sized(counted)?));
        }
        for literal in schema.literals.iter() {
            let text = std::str::from_utf8(literal).ok().and_then(|text| value::parse(text, 1).ok());
            if let Some(Value::String(text)) = text {
                all.push(RawStrings::Literal(text));
            }
        }
        Ok(all)
    }

    /// The first segment of a member.
    fn member(
        &mut self,
        property: &Argument,
        style: &Delimiters,
        machine: &Arc<JsonMachine>,
        next: SegmentId,
    ) -> Built {
        let before = |text: &str| [&style.member, &*property.name, text].concat().into_bytes();
        let mut ways = Vec::new();
        if style.values == Values::Raw {
            if !property.raw.is_empty() {
                ways.push((before(&style.before_string), self.raw(&property.raw, &style.after_string, next)?));
            }
        } else if let Some(schema) = property.values.strings {
            let after = self.optional_constant(&style.after_string, next)?;
            ways.push((before(&style.before_string), self.value(machine.clone(), schema, after)?));
        }
        if let Some(schema) = property.values.others {
            let after = self.optional_constant(&style.after_other, next)?;
            ways.push((before(&style.before_other), self.value(machine.clone(), schema, after)?));
        }
        for word in &property.values.words {
            let after = self.optional_constant(&style.after_other, next)?;
            ways.push((before(&[&style.before_other, *word].concat()), after));
        }
        if ways.is_empty() {
            return Err(self.unsatisfiable(&format!("no value of {:?} can be written", property.name)));
        }
        for (text, _) in &ways {
            self.spelled(std::str::from_utf8(text).unwrap_or_default())?;
        }
        self.ways(ways)
    }

    /// Raw strings and the text behind them, which they do not contain.
    fn raw(&mut self, strings: &[RawStrings], end: &str, next: SegmentId) -> Built {
        if end.is_empty() || end.len() > LONGEST_END {
            let reason = format!("raw strings need a text of 1 to {LONGEST_END} bytes behind them");
            return Err(self.unsupported("style", &reason));
        }
        self.spelled(end)?;
        let limit = self.contents.limits().states;
        let (mut ways, mut branches) = (Vec::new(), Vec::new());
        for strings in strings {
            match strings {
                RawStrings::Text(dfa) => {
                    let written = dfa.with_bytes(|byte| self.vocabulary.single_bytes().contains(byte));
                    let ended = self.sized(ended_by(&written, end.as_bytes(), limit))?;
                    if !ended.is_empty() {
                        branches.push(self.text(ended, Some(next), foldhash::HashMap::default())?);
                    }
                }
                RawStrings::Literal(text) => {
                    let text = [text, end].concat();
                    if text.find(end) == Some(text.len() - end.len()) && self.spelled(&text).is_ok() {
                        ways.push((text.into_bytes(), next));
                    }
                }
            }
        }
        if !ways.is_empty() {
            branches.push(self.ways(ways)?);
        }
        if branches.is_empty() {
            return Err(self.unsatisfiable(&format!("each string has {end:?} in it, which ends it")));
        }
        self.branch(branches)
    }

    /// A text, or nothing if it is empty.
    fn optional_constant(&mut self, text: &str, next: SegmentId) -> Built {
        if text.is_empty() {
            return Ok(next);
        }
        let text = self.spelled(text)?.as_bytes().to_vec();
        self.constant(text, next)
    }
}
