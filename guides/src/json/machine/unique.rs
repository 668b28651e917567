//! `uniqueItems`: the entries that an array has, and whether the one that is being written can still become equal to one of
//! them.
//!
//! Entries are compared as values: members of objects in any order, numbers however they are spelled. As long as the entry
//! that is being written differs from all that are there, there is nothing to look after.

use crate::collections::byte_set::ByteSet;
use crate::collections::fingerprint::Fingerprint;
use crate::json::machine::entry_text::EntryText;
use crate::json::text::escape::write_string;
use crate::json::text::prefix::{Agreement, Reached, meet, meet_members};
use crate::json::text::value::{self, Value, same};
use crate::json::tokens::entries::WholeEntries;
use std::cmp::Ordering;
use std::sync::Arc;

/// The array around an output's place whose entries are distinct, and those around it in turn.
#[derive(Debug, Clone)]
pub(crate) struct Distinct {
    outer: Option<Arc<Distinct>>,
    /// Of the array's level.
    depth: u32,
    entries: Arc<Vec<Value>>,
    /// Of the entry that is being written.
    text: EntryText,
    /// Where the last of its members begins, if it is an object, and how many there are before: those are in all the entries near.
    reached: Reached,
    /// The indices of the entries that it may still become equal to.
    near: Option<Arc<[u32]>>,
    /// What the string that is being written may become, as long as its characters stand for themselves.
    awaited: Option<Awaited>,
    /// Whether these are still those before the last byte of the text.
    unsettled: bool,
}

/// The strings that stand at one place of the entries: values, or keys.
#[derive(Debug, Clone)]
struct Awaited {
    /// Bytes of the string that were read, as its characters stand for themselves.
    read: usize,
    /// Those that begin with what was read, each with the index of its entry, in the order of the entries.
    strings: Arc<[(u32, Box<str>)]>,
}

impl Awaited {
    /// Those that go on with a byte, or end where it is the closing quote.
    fn after(&self, byte: u8) -> Arc<[(u32, Box<str>)]> {
        let wanted = if byte == b'"' { None } else { Some(byte) };
        let agrees = |string: &(u32, Box<str>)| string.1.as_bytes().get(self.read).copied() == wanted;
        if self.strings.iter().all(agrees) {
            return self.strings.clone();
        }
        self.strings.iter().filter(|string| agrees(string)).cloned().collect()
    }
}

impl Distinct {
    /// An array without entries, within others.
    pub(crate) fn new(depth: u32, outer: Option<Arc<Distinct>>) -> Distinct {
        Distinct {
            outer,
            depth,
            entries: Arc::default(),
            text: EntryText::default(),
            reached: Reached::default(),
            near: None,
            awaited: None,
            unsettled: false,
        }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    pub(crate) fn outer(&self) -> Option<Arc<Distinct>> {
        self.outer.clone()
    }

    /// With one more byte of the entries that are being written; of this array's own entry only if `own`. What they may become equal
    /// to is the same as before until [`Self::settled`].
    pub(crate) fn with(&self, byte: u8, own: bool) -> Distinct {
        let outer = self.outer.as_ref().map(|outer| Arc::new(outer.with(byte, true)));
        if !own {
            return Distinct { outer, ..self.clone() };
        }
        Distinct { outer, text: self.text.with(byte), unsettled: self.near.is_some(), ..self.clone() }
    }

    /// Whether the byte that was last added has not been looked at.
    fn is_unsettled(&self) -> bool {
        self.unsettled || self.outer.as_ref().is_some_and(|outer| outer.is_unsettled())
    }

    /// With the entries that are still possible after the byte that was last added; `None` if these are known.
    pub(crate) fn settled(&self) -> Option<Distinct> {
        if !self.is_unsettled() {
            return None;
        }
        let outer = match &self.outer {
            Some(outer) => outer.settled().map(Arc::new).or_else(|| Some(outer.clone())),
            None => None,
        };
        let mut next = Distinct { outer, ..self.clone() };
        if let (true, Some(near), Some(last)) = (self.unsettled, &self.near, self.text.byte_before(0)) {
            match &self.awaited {
                // Within a string the last byte decides.
                Some(awaited) if last != b'\\' => {
                    let strings = awaited.after(last);
                    if strings.len() < awaited.strings.len() {
                        let mut near: Vec<u32> = strings.iter().map(|(entry, _)| *entry).collect();
                        near.dedup();
                        next.near = (!near.is_empty()).then(|| near.into());
                    }
                    let goes_on = last != b'"' && !strings.is_empty();
                    next.awaited = goes_on.then(|| Awaited { read: awaited.read + 1, strings });
                }
                None if self.ends_with_separator() => {}
                _ => {
                    let text = self.text.to_vec();
                    (next.near, next.awaited, next.reached) = self.near_among(&text, near);
                    next.text = text.into();
                }
            }
        }
        next.unsettled = false;
        Some(next)
    }

    /// Whether the last byte separates values that are complete: it leaves the entries near as they are.
    fn ends_with_separator(&self) -> bool {
        // A quote after a backslash closes nothing.
        matches!(self.text.byte_before(0), Some(b' ' | b':' | b','))
            && matches!(self.text.byte_before(1), Some(b'"' | b'}' | b']' | b',' | b':'))
            && self.text.byte_before(2) != Some(b'\\')
    }

    /// As if nothing that is being written could become equal to an entry.
    pub(crate) fn apart(&self) -> Distinct {
        let outer = self.outer.as_ref().map(|outer| Arc::new(outer.apart()));
        Distinct { outer, near: None, awaited: None, unsettled: false, ..self.clone() }
    }

    /// Without the last byte, which was none of the entry's, before that is [settled](Self::settled).
    pub(crate) fn without_last(&self) -> Distinct {
        let outer = self.outer.as_ref().map(|outer| Arc::new(outer.without_last()));
        Distinct { outer, text: self.text.without_last(), unsettled: false, ..self.clone() }
    }

    /// Those of the entries that what is being written may still become equal to, and what the string in which the text ends, if it ends
    /// in one, may become.
    fn near_among(&self, text: &[u8], entries: &[u32]) -> (Option<Arc<[u32]>>, Option<Awaited>, Reached) {
        let (mut near, mut strings, mut read, mut reached) = (Vec::new(), Vec::new(), 0, self.reached);
        for &entry in entries {
            let mut begin = |string: &str, length: usize| {
                strings.push((entry, Box::from(string)));
                // The same of all of them.
                read = length;
            };
            let mut further = self.reached;
            let meeting = match &self.entries[entry as usize] {
                Value::Object(members) if further.at > 0 => {
                    meet_members(text, &mut 0, &mut further, members, &mut begin)
                }
                Value::Object(members) if text.first() == Some(&b'{') => {
                    further.at = 1;
                    meet_members(text, &mut 0, &mut further, members, &mut begin)
                }
                value => meet(text, &mut 0, value, &mut begin),
            };
            if meeting != Agreement::Differs {
                near.push(entry);
                reached = further;
            }
        }
        let awaited = (!strings.is_empty()).then(|| Awaited { read, strings: strings.into() });
        ((!near.is_empty()).then(|| near.into()), awaited, reached)
    }

    /// Whether a whole entry would be equal to another, of those that what is being written may still become equal to.
    pub(crate) fn repeats(&self, entry: &[u8]) -> bool {
        let value = std::str::from_utf8(entry).ok().and_then(|entry| value::parse(entry, usize::MAX).ok());
        value.is_some_and(|value| self.is_near(&value))
    }

    /// The literals, of these that are sorted, that would not be equal to another entry.
    pub(crate) fn others<'a>(&self, literals: &'a [Box<[u8]>]) -> Vec<&'a [u8]> {
        let near = || self.near.iter().flat_map(|near| near.iter()).map(|&entry| &self.entries[entry as usize]);
        let mut repeated = vec![false; literals.len()];
        for entry in near() {
            let Value::String(text) = entry else { continue };
            // A string is spelled in one way.
            let place = if text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
                let spelled = write_string(text);
                literals.binary_search_by(|literal| (**literal).cmp(spelled.as_bytes()))
            } else {
                literals.binary_search_by(|literal| compare_with_spelled(literal, text.as_bytes()))
            };
            if let Ok(place) = place {
                repeated[place] = true;
            }
        }
        let any_other = near().any(|entry| !matches!(entry, Value::String(_)));
        let stays = |(repeated, literal): &(bool, &[u8])| {
            !repeated && (!any_other || literal.first() == Some(&b'"') || !self.repeats(literal))
        };
        let literals = literals.iter().map(|literal| &**literal);
        repeated.into_iter().zip(literals).filter(stays).map(|(_, literal)| literal).collect()
    }

    fn is_near(&self, value: &Value) -> bool {
        self.near.iter().flat_map(|near| near.iter()).any(|&entry| same(&self.entries[entry as usize], value))
    }

    /// Whether no entry that is being written can become equal to another; `between` says that none of this array's is.
    pub(crate) fn is_clear(&self, between: bool) -> bool {
        (self.near.is_none() || between) && self.outer.as_ref().is_none_or(|outer| outer.is_clear(false))
    }

    /// The bytes after which what is being written may still become equal to an entry: after any other it differs from all.
    pub(crate) fn open_bytes(&self) -> ByteSet {
        let mut bytes = self.outer.as_ref().map_or_else(ByteSet::default, |outer| outer.open_bytes());
        match (&self.near, &self.awaited) {
            (None, _) => bytes,
            (Some(_), Some(awaited)) if !self.unsettled => {
                // A character can be written with an escape wherever it stands for itself.
                bytes.add(b"\\");
                for (_, string) in awaited.strings.iter() {
                    bytes.add(&[string.as_bytes().get(awaited.read).copied().unwrap_or(b'"')]);
                }
                bytes
            }
            _ => ByteSet::ALL,
        }
    }

    /// After the entry that was being written, and whether it is equal to another.
    pub(crate) fn closed(&self) -> (Distinct, bool) {
        let text = self.text.to_vec();
        // What is not known to its end differs from all.
        let value = std::str::from_utf8(&text).ok().and_then(|text| value::parse(text, usize::MAX).ok());
        let mut entries = self.entries.clone();
        let mut repeated = false;
        if let Some(value) = value {
            repeated = self.is_near(&value);
            Arc::make_mut(&mut entries).push(value);
        }
        let near = (!entries.is_empty()).then(|| (0..entries.len() as u32).collect());
        let next = Distinct { outer: self.outer.clone(), entries, near, ..Distinct::new(self.depth, None) };
        (next, repeated)
    }

    /// Adds all that a mask depends on. The text of the entry that is being written matters while it may become equal to one before it, and
    /// while a token may end it and write the same value again.
    pub(crate) fn print(&self, whole: &WholeEntries, print: &mut Fingerprint) {
        if let Some(outer) = &self.outer {
            outer.print(whole, print);
        }
        print.add((self.depth, &self.entries, self.near.is_some()));
        let may_repeat = |first: u8| whole.may_repeat(first, self.text.length());
        if self.near.is_some() || self.text.first().is_some_and(may_repeat) {
            print.add(self.text.to_vec());
        }
    }
}

/// How a literal stands to a string in quotes.
fn compare_with_spelled(literal: &[u8], text: &[u8]) -> Ordering {
    match literal.split_first() {
        Some((b'"', rest)) => {
            let (same, more) = rest.split_at(rest.len().min(text.len()));
            same.cmp(text).then_with(|| more.cmp(b"\""))
        }
        _ => literal.cmp(b"\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An array that has these entries, and a text of the next one.
    fn array(entries: &[&str], text: &str) -> Distinct {
        let write = |distinct: Distinct, text: &str| {
            text.bytes().fold(distinct, |distinct, byte| {
                let next = distinct.with(byte, true);
                next.settled().unwrap_or(next)
            })
        };
        let all = entries.iter().fold(Distinct::new(1, None), |distinct, entry| write(distinct, entry).closed().0);
        write(all, text)
    }

    #[test]
    fn the_other_literals_are_those_that_no_entry_equals() {
        let texts = ["\"\"", "\"a\"", "\"a\\n\"", "\"aé\"", "\"ab\"", "\"b\"", "1", "1.0", "2", "null", "true"];
        let mut literals: Vec<Box<[u8]>> = texts.iter().map(|text| Box::from(text.as_bytes())).collect();
        literals.sort();
        for one in texts {
            for other in texts {
                let array = array(&[one, other, "{}", "\"none of them\""], "");
                let expected: Vec<&[u8]> =
                    literals.iter().map(|literal| &**literal).filter(|literal| !array.repeats(literal)).collect();
                assert_eq!(array.others(&literals), expected, "{one} {other}");
            }
        }
    }

    #[test]
    fn after_other_bytes_than_those_that_are_open_nothing_is_near() {
        let texts = [r#"{"a":""#, r#"{"a":"x"#, r#"{"a":"\u0078"#, r#"{"a":"\u0078y"#, r#"{"\u0061"#, r#"{"a":"x\"#];
        for text in texts.into_iter().chain([r#"{"a":"xy"#, r#"{"#, r#"{"a":"x","#, r#"{"b"#, r#"["x","y"#]) {
            let array = array(&[r#"{"a":"xyz"}"#, r#"{"a":"x","b":1}"#, r#"{"a":"x\n"}"#, r#"["x","yé"]"#], text);
            let open = array.open_bytes();
            for byte in (0..=255).filter(|&byte| !open.contains(byte)) {
                let next = array.with(byte, true);
                assert!(next.settled().unwrap_or(next).is_clear(false), "{text} {byte}");
            }
        }
        let array = array(&[r#"{"a":"xyz"}"#, r#"{"a":"x"}"#], r#"{"a":"x"#);
        assert!(array.open_bytes().iter().eq(*b"\"\\y"));
    }

    #[test]
    fn after_an_escape_a_string_is_awaited_as_before_it() {
        let array = array(&[r#"{"a":"xyz"}"#, r#"{"a":"\n"}"#], r#"{"a":"\u0078"#);
        assert!(array.open_bytes().iter().eq(*b"\\y"));
    }

    #[test]
    fn the_entries_that_are_near_are_those_that_the_whole_text_can_become() {
        let entries = [
            r#"{"ab":"xyz","c":[1]}"#,
            r#"{"ab":"xy\n","c":[1]}"#,
            r#"{"c":[2],"ab":"xy"}"#,
            r#""ab""#,
            r#"{"a":"xyz"}"#,
        ];
        let texts = [
            r#"{"ab": "xyz", "c": [1]}"#,
            r#"{"ab":"xy\n","c":[1]}"#,
            r#"{"c" : [2], "ab":"xy"}"#,
            r#"{"c":[1],"ab":"xy\u000a"}"#,
            r#"{"a":"xyz"}"#,
            r#""ab""#,
            r#""abc""#,
            r#"{"\u0061b":"x"}"#,
            r#"{"d":"x"}"#,
        ];
        for text in texts {
            for end in 1..=text.len() {
                let distinct = array(&entries, &text[..end]);
                let near = distinct.near.as_deref().unwrap_or_default();
                let agrees = |entry: &str| {
                    let entry = value::parse(entry, 9).expect("JSON");
                    meet(&text.as_bytes()[..end], &mut 0, &entry, &mut |_, _| {}) != Agreement::Differs
                };
                let wanted: Vec<u32> =
                    (0..).zip(entries).filter(|(_, entry)| agrees(entry)).map(|(index, _)| index).collect();
                assert_eq!(near, wanted, "{}", &text[..end]);
            }
        }
    }
}
