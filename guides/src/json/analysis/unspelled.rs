//! Values that the vocabulary cannot spell: taken out of the alternatives of a schema, or refused where the schema names them.
//!
//! A vocabulary may lack bytes. Strings and numbers that need them are left out, as the schema allows others. A literal, a required key or
//! a kind of white space that cannot be spelled is refused, as its author counts on it. Where nothing remains, the error names the first
//! text that was left out.

use crate::error::{CompileError, Place};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Term, narrow};
use crate::json::analysis::strings::{StringLimits, string_dfa};
use crate::json::language::number::{self, NumberAtom};
use crate::json::language::strings::{Characters, any_strings};
use crate::json::schema::documents::Documents;
use crate::json::schema::graph::{Kinds, Node};
use crate::json::text::escape::write_string;
use crate::json::text::value::Value;
use crate::options::Whitespace;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Builder<'_> {
    /// Takes out of a branch the kinds of values and the entries that cannot be spelled.
    pub(super) fn take_out_unspelled(&mut self, branch: &mut Branch, terms: &[Term]) -> Result<(), CompileError> {
        if self.languages.spellable().is_complete() {
            return Ok(());
        }
        let of_kinds = [(Kinds::NULL, "null"), (Kinds::STRING, "\""), (Kinds::ARRAY, "[]"), (Kinds::OBJECT, "{}")];
        for (kind, text) in of_kinds {
            if branch.kinds.has(kind) && self.note_missing(text, terms) {
                branch.kinds = branch.kinds.and(kind.complement());
            }
        }
        for (value, text) in [(false, "false"), (true, "true")] {
            if branch.kinds.has(Kinds::BOOLEAN) && self.note_missing(text, terms) {
                branch.excluded.push(Value::Bool(value));
            }
        }
        if branch.kinds.has(Kinds::OBJECT) {
            self.check_required(branch)?;
            for (text, most) in [("\":", 0), (",", 1)] {
                if branch.property_count.1 > most && self.note_missing(text, terms) {
                    narrow(&mut branch.property_count, 0, most);
                }
            }
        }
        if branch.kinds.has(Kinds::ARRAY) && branch.item_count.1 > 1 && self.note_missing(",", terms) {
            narrow(&mut branch.item_count, 0, 1);
        }
        Ok(())
    }

    /// Whether the vocabulary lacks a byte of a text. The first such text becomes the error where nothing remains.
    fn note_missing(&mut self, text: &str, terms: &[Term]) -> bool {
        let missing = self.languages.spellable().missing(text.as_bytes());
        missing.inspect(|&byte| self.note(format!("`{text}`"), byte, terms)).is_some()
    }

    fn note(&mut self, what: String, byte: u8, terms: &[Term]) {
        let at = self.pointer(terms);
        self.unspelled.get_or_insert(CompileError::Vocabulary { at, what, byte });
    }

    /// Refuses a required key that cannot be spelled.
    fn check_required(&self, branch: &Branch) -> Result<(), CompileError> {
        for name in &branch.required {
            if let Some(byte) = self.languages.spellable().missing_of_string(name) {
                let is_it = |node: &Node| matches!(node, Node::Required(other) if other == name);
                return Err(self.refused(is_it, format!("the key {}", write_string(name)), byte));
            }
        }
        Ok(())
    }

    /// Keeps the spellings of a literal that the vocabulary has. Refuses a literal without one.
    pub(super) fn keep_spelled(&self, spellings: &mut Vec<String>, value: &Value) -> Result<(), CompileError> {
        let spellable = self.languages.spellable();
        let Some(byte) = spellings.first().and_then(|text| spellable.missing(text.as_bytes())) else { return Ok(()) };
        let literal = spellings[0].clone();
        spellings.retain(|text| spellable.missing(text.as_bytes()).is_none());
        if spellings.is_empty() {
            let is_it = |node: &Node| matches!(node, Node::Scalars(values) if values.contains(value));
            return Err(self.refused(is_it, literal, byte));
        }
        Ok(())
    }

    fn refused(&self, is_it: impl Fn(&Node) -> bool, what: String, byte: u8) -> CompileError {
        let node = self.graph.nodes.iter().position(is_it);
        let pointer = node.and_then(|node| self.graph.pointers.get(node)).map_or("", |pointer| &**pointer);
        CompileError::Vocabulary { at: Place::Pointer(pointer.to_owned()), what, byte }
    }

    /// Refuses unique entries where numbers are spelled with tokens of several bytes: the search for a number that differs goes byte by
    /// byte, and could end where no token leads on.
    pub(super) fn check_apart(&self) -> Result<(), CompileError> {
        let spellable = self.languages.spellable();
        let mut apart = self.arrays.iter().filter(|array| array.distinct.is_some());
        let has_numbers = self.schemas.iter().any(|schema| schema.numbers.is_some());
        if !spellable.has_pieces() || !has_numbers || apart.next().is_none() {
            return Ok(());
        }
        let is_it = |node: &Node| matches!(node, Node::Unique);
        let byte = spellable.missing(b"0123456789.eE+-").unwrap_or_default();
        Err(self.refused(is_it, "each number of entries that must differ".into(), byte))
    }

    /// Notes why a branch has no numbers: a byte that each of them needs and the vocabulary lacks.
    pub(super) fn note_unspelled_numbers(&mut self, atoms: &[(NumberAtom, bool)], terms: &[Term]) {
        let spellable = self.languages.spellable();
        if spellable.is_complete() {
            return;
        }
        let all = number::language(atoms, self.graph.digits, self.limits.states).map(|(all, _)| all);
        let missing = all.ok().and_then(|all| all.find_byte_without(|byte| spellable.missing(&[byte]).is_none()));
        if let Some(byte) = missing {
            self.note("any of its numbers".into(), byte, terms);
        }
    }

    /// Notes why a branch has no strings: a byte that each of them needs and the vocabulary lacks.
    pub(super) fn note_unspelled_strings(&mut self, branch: &Branch, terms: &[Term]) {
        let spellable = self.languages.spellable();
        let (false, Ok(any)) = (spellable.is_complete(), Characters::any()) else { return };
        let languages = branch.patterns.iter().map(|&(pattern, holds)| (&*self.graph.patterns[pattern.index()], holds));
        let languages: Vec<_> = languages.collect();
        let (min, max) = branch.length;
        let all = string_dfa(&any.dfa, &languages, &BTreeSet::new(), min, StringLimits::of(self.limits));
        let all = all.map(|(all, _)| any_strings(Arc::new(Characters::new(all, &any.dfa)), 0, max));
        let all = all.ok().filter(|all| !all.is_empty()).map(|all| all.characters);
        let missing = all.and_then(|all| all.dfa.find_byte_without(|byte| spellable.missing_of(byte).is_none()));
        if let Some(byte) = missing.and_then(|byte| spellable.missing_of(byte)) {
            self.note("any of its strings".into(), byte, terms);
        }
    }
}

/// Refuses white space that an option prescribes and that cannot be spelled.
pub(crate) fn check_whitespace(
    whitespace: Whitespace,
    missing: impl Fn(&[u8]) -> Option<u8>,
) -> Result<(), CompileError> {
    let (name, needed) = match whitespace {
        Whitespace::Spaces => ("spaces", &b" "[..]),
        Whitespace::Pretty => ("pretty", &b"\n "[..]),
        Whitespace::Optional | Whitespace::Compact | Whitespace::Any => return Ok(()),
    };
    match missing(needed) {
        Some(byte) => {
            let what = format!("the white space of `whitespace: {name}`");
            Err(CompileError::Vocabulary { at: Place::Source, what, byte })
        }
        None => Ok(()),
    }
}

/// An error about a literal, with the literal's index in its `enum` added to the pointer.
pub(crate) fn with_index(error: CompileError, schema: &Value, documents: &Documents) -> CompileError {
    let CompileError::Vocabulary { at: Place::Pointer(pointer), what, byte } = error else { return error };
    let index = match documents.at(schema, &pointer) {
        Some(Value::Array(values)) => values.iter().position(|value| match value {
            Value::String(text) => write_string(text) == what,
            Value::Number(text) => *text == what,
            Value::Bool(value) => value.to_string() == what,
            Value::Null => what == "null",
            Value::Array(_) | Value::Object(_) => false,
        }),
        _ => None,
    };
    let pointer = index.map_or(pointer.clone(), |index| format!("{pointer}/{index}"));
    CompileError::Vocabulary { at: Place::Pointer(pointer), what, byte }
}
