//! The bytes that may come next: those of which it can be seen without a step that no output goes on with them are left out.

use super::digits::OF_NUMBERS;
use super::few::Few;
use super::machine::JsonMachine;
use super::state::{At, Choice, JsonState, KeyReader, Level, LevelKind, Reader};
use crate::automaton::bytes::ByteSet;

/// JSON's white space (RFC 8259, section 2).
const BLANKS: ByteSet = ByteSet::of(b" \n\r\t");

impl JsonMachine {
    /// All bytes that may follow, and perhaps others.
    pub(super) fn bytes_after(&self, state: &JsonState) -> ByteSet {
        let level = &state.level;
        match &state.at {
            At::Value { pending, blanks } => self.bytes_of_values(pending).or(self.blanks_after(*blanks)),
            At::Colon { blanks, .. } => ByteSet::of(b":").or(self.blanks_after(*blanks)),
            At::Comma { blanks, .. } => ByteSet::of(b"\"").or(self.blanks_after(*blanks)),
            At::Open { blanks, .. } if level.kind == LevelKind::Object => {
                ByteSet::of(b"\"}").or(self.blanks_after(*blanks))
            }
            At::Open { items, blanks } => {
                let entries = items.iter().flat_map(|item| self.array(item.shape).entry(item.at).iter());
                let begin = entries.fold(ByteSet::of(b"]"), |bytes, way| bytes.or(self.first_bytes(way.schema)));
                begin.or(self.blanks_after(*blanks))
            }
            At::After { blanks, .. } => Self::ends_of_entries(level).or(self.blanks_after(*blanks)),
            At::End => ByteSet::default(),
            At::Key { keys, .. } => {
                let mut bytes = ByteSet::default();
                for key in keys.iter() {
                    let KeyReader::Named { low, high, depth } = key.reader else { return ByteSet::ALL };
                    let object = self.object(key.item.shape);
                    let names = object.sorted[low as usize..high as usize].iter();
                    bytes.add_each(names.map(|&index| &*object.properties[index as usize].spelling), depth);
                }
                bytes
            }
            At::Scalar { machines, .. } => {
                let mut bytes = ByteSet::default();
                for scalar in machines.iter() {
                    let (low, high, depth) = match scalar.reader {
                        Reader::Literal { low, high, depth } => (low, high, depth),
                        Reader::Number { .. } => {
                            bytes = bytes.or(OF_NUMBERS).or(self.bytes_after_values(level));
                            continue;
                        }
                        Reader::String { .. } | Reader::Label { .. } => return ByteSet::ALL,
                    };
                    let literals = &self.schema(scalar.schema).literals[low as usize..high as usize];
                    // One that is complete may be followed by what comes after it.
                    if literals.first().is_some_and(|literal| literal.len() as u32 == depth) {
                        bytes = bytes.or(self.bytes_after_values(level));
                    }
                    bytes.add_each(literals.iter().map(|literal| &**literal), depth);
                }
                bytes
            }
        }
    }

    /// The bytes that may follow a value that is complete.
    pub(super) fn bytes_after_values(&self, level: &Level) -> ByteSet {
        match level.kind {
            LevelKind::Root => ByteSet::default(),
            _ => Self::ends_of_entries(level).or(self.blanks_after(0)),
        }
    }

    fn ends_of_entries(level: &Level) -> ByteSet {
        match level.kind {
            LevelKind::Root => ByteSet::default(),
            LevelKind::Object => ByteSet::of(b",}"),
            LevelKind::Array => ByteSet::of(b",]"),
        }
    }

    fn bytes_of_values(&self, pending: &Few<Choice>) -> ByteSet {
        pending.iter().fold(ByteSet::default(), |bytes, choice| bytes.or(self.first_bytes(choice.schema)))
    }

    /// The white space that may follow so many bytes of it, where there may be some.
    pub(super) fn blanks_after(&self, blanks: u8) -> ByteSet {
        match self.most_blanks {
            _ if self.spacing.is_fixed() => ByteSet::of(b" \n"),
            most if blanks >= most => ByteSet::default(),
            1 => ByteSet::of(b" "),
            _ => BLANKS,
        }
    }
}
