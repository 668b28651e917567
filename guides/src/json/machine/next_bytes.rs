//! A superset of the bytes that may come next, found without a step.
//!
//! A mask tries only these bytes at a node of the trie. In `{"a` with the names `ab` and `ac` there are two of them, where 256 steps would
//! find the same. A byte too many costs a step; a byte too few would forbid tokens, so where it is not known all bytes are in the set.

use crate::collections::byte_set::ByteSet;
use crate::collections::few::Few;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, Choice, JsonState, KeyReader, Level, LevelKind, Reader};

/// JSON's white space (RFC 8259, section 2).
const BLANKS: ByteSet = ByteSet::of(b" \n\r\t");

impl JsonMachine {
    /// All bytes that may come next, and perhaps others.
    pub(crate) fn bytes_after(&self, state: &JsonState) -> ByteSet {
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
                        Reader::String { .. } => return ByteSet::ALL,
                    };
                    let literals = &self.schema(scalar.schema).literals[low as usize..high as usize];
                    // A literal that is complete is the first of the range, since it sorts before those that it begins.
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
    pub(crate) fn bytes_after_values(&self, level: &Level) -> ByteSet {
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

    /// The white space that may follow so many bytes of white space.
    pub(crate) fn blanks_after(&self, blanks: u8) -> ByteSet {
        match self.most_blanks {
            _ if self.spacing.is_fixed() => ByteSet::of(b" \n"),
            most if blanks >= most => ByteSet::default(),
            1 => ByteSet::of(b" "),
            _ => BLANKS,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::automaton::Automaton;
    use crate::json;
    use crate::json::language::cache::Languages;
    use crate::json::language::spellable::Spellable;
    use crate::json::schema::documents::Documents;
    use crate::options::{Limits, Options, Whitespace};

    const SCHEMA: &str = r#"{
        "properties": {"a": {"type": "integer"}, "ab": {"enum": [1, 12, "x", [2]]}, "c": {"type": "array", "items": {"type": ["string", "null"]}},
            "d": {}, "e": {"type": "array", "uniqueItems": true, "prefixItems": [{"const": true}, {"type": "number"}]}},
        "additionalProperties": {"type": "object", "required": ["y"]}}"#;

    const TEXTS: [(Whitespace, &str); 5] = [
        (
            Whitespace::Compact,
            r#"{"a":-10,"ab":12,"c":["",null],"d":[{},[],1.5e3,{"q":false}],"e":[true,0,{}],"f":{"y":"\n\u00e9"}}"#,
        ),
        (
            Whitespace::Optional,
            r#"{ "ab" : "x" , "c" : [ ] , "d" : [1 , 2 ] , "e" :[ true ] , "zz" : { "y" :null , "x": {} } }"#,
        ),
        (
            Whitespace::Spaces,
            r#"{"a": 0, "ab": [2], "c": ["a", null], "d": {"a": [1, true]}, "e": [true, 2, 3], "f": {"y": {}}}"#,
        ),
        (
            Whitespace::Pretty,
            "{\n  \"a\": 7,\n  \"c\": [\n    \"s\",\n    null\n  ],\n  \"d\": [],\n  \"f\": {\n    \"y\": 1\n  }\n}",
        ),
        (Whitespace::Any, "{\r\n\t\"a\"  :\t7 ,\n\"d\":[ 1\t,\n[ ] ]\n, \"f\" : {\"y\": \"\"\n}  }"),
    ];

    #[test]
    fn every_byte_that_a_step_takes_is_among_the_bytes_that_may_come_next() {
        for (whitespace, text) in TEXTS {
            let (languages, options) =
                (Languages::new(1 << 20, Spellable::ALL), Options { whitespace, ..Options::default() });
            let compiled = json::compile(
                SCHEMA,
                &options,
                &Limits::default(),
                &languages,
                &Documents::default(),
                &Default::default(),
            );
            let machine = compiled.expect("a schema");
            let mut state = machine.start();
            for (at, byte) in text.bytes().enumerate() {
                let possible = machine.next_bytes(&state);
                for other in 0..=255 {
                    let missing = machine.step(&state, other).is_some() && !possible.contains(other);
                    assert!(!missing, "{whitespace:?}: {:?} after {}", other as char, &text[..at]);
                }
                state = machine.step(&state, byte).unwrap_or_else(|| panic!("{whitespace:?}: {}", &text[..=at]));
            }
            assert_eq!(machine.cost(&state), 0, "{whitespace:?}");
        }
    }
}
