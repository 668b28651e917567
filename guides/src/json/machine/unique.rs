//! `uniqueItems`: the entries of an array, and the entries that the one that is being written can still become equal to.
//!
//! Entries are compared as values: members of objects in any order, numbers in any spelling. After `["xa","xb","x` both entries are near,
//! after `["xa","xb","y` none is. A value that a later entry needs is compared as if it were an entry. Once no entry is near, nothing that follows can make the entry equal to another one, so that most
//! states of most entries take no comparison.

use crate::collections::byte_set::ByteSet;
use crate::collections::fingerprint::Fingerprint;
use crate::json::machine::entry_text::EntryText;
use crate::json::text::escape::write_string;
use crate::json::text::prefix::{Agreement, Reached, meet, meet_members};
use crate::json::text::value::{self, Value, same};
use crate::json::tokens::entries::WholeEntries;
use std::cmp::Ordering;
use std::sync::Arc;

/// The record of an array whose entries must be distinct, with those of the arrays around it.
#[derive(Debug, Clone)]
pub(crate) struct Distinct {
    outer: Option<Arc<Distinct>>,
    /// The depth of the array's level.
    depth: u32,
    entries: Arc<Vec<Value>>,
    /// Values that the entry must not have because later entries need them.
    barred: Arc<[Value]>,
    /// The entry that is being written.
    text: EntryText,
    /// If the entry is an object, the members that are in all entries near, so that they are not compared again.
    reached: Reached,
    /// The indices of the entries that it may still become equal to; `None` if there are none.
    near: Option<Arc<[u32]>>,
    /// If the entry ends within a string of plain characters, the strings of the entries near at the same place. Each byte is then compared
    /// with one byte of each, and the entry is not read from its beginning.
    awaited: Option<Awaited>,
    /// Whether `near`, `awaited` and `reached` are still those before the last byte of the text. A step that fails for another reason never
    /// looks at them.
    unsettled: bool,
}

/// The strings, values or keys, at one place of the entries near.
#[derive(Debug, Clone)]
struct Awaited {
    /// Bytes of the string that were read.
    read: usize,
    /// The strings that begin with these bytes, each with the index of its entry, in the order of the entries.
    strings: Arc<[(u32, Box<str>)]>,
}

impl Awaited {
    /// The strings that go on with a byte, or end if the byte is the closing quote.
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
            barred: Arc::default(),
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

    /// The entries that are complete.
    pub(super) fn entries(&self) -> &[Value] {
        &self.entries
    }

    /// Before an entry that must not have these values either.
    pub(super) fn barring(self, barred: Vec<Value>) -> Distinct {
        if barred.is_empty() {
            return self;
        }
        let near = (0..(self.entries.len() + barred.len()) as u32).collect();
        Distinct { barred: barred.into(), near: Some(near), ..self }
    }

    /// An entry, or behind all of them a value that is barred.
    fn compared(&self, index: u32) -> &Value {
        let index = index as usize;
        self.entries.get(index).unwrap_or_else(|| &self.barred[index - self.entries.len()])
    }

    pub(crate) fn outer(&self) -> Option<Arc<Distinct>> {
        self.outer.clone()
    }

    /// With one more byte of the entries that are being written. `own` says whether the byte belongs to an entry of this array, or only
    /// to the entries of the arrays around it. The entries near stay those before the byte until [`Self::settled`].
    pub(crate) fn with(&self, byte: u8, own: bool) -> Distinct {
        let outer = self.outer.as_ref().map(|outer| Arc::new(outer.with(byte, true)));
        if !own {
            return Distinct { outer, ..self.clone() };
        }
        Distinct { outer, text: self.text.with(byte), unsettled: self.near.is_some(), ..self.clone() }
    }

    fn is_unsettled(&self) -> bool {
        self.unsettled || self.outer.as_ref().is_some_and(|outer| outer.is_unsettled())
    }

    /// With the entries that are near after the last byte; `None` if these are known.
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

    /// As if no entry that is being written could become equal to another one.
    pub(crate) fn apart(&self) -> Distinct {
        let outer = self.outer.as_ref().map(|outer| Arc::new(outer.apart()));
        Distinct { outer, near: None, awaited: None, unsettled: false, ..self.clone() }
    }

    /// Without the last byte, before it is [settled](Self::settled): it turned out to stand behind the entry.
    pub(super) fn without_last(&self) -> Distinct {
        let outer = self.outer.as_ref().map(|outer| Arc::new(outer.without_last()));
        Distinct { outer, text: self.text.without_last(), unsettled: false, ..self.clone() }
    }

    /// Which of some entries a text may still become equal to, the strings that it awaits if it ends within one, and how far its members
    /// were compared.
    fn near_among(&self, text: &[u8], entries: &[u32]) -> (Option<Arc<[u32]>>, Option<Awaited>, Reached) {
        let (mut near, mut strings, mut read, mut reached) = (Vec::new(), Vec::new(), 0, self.reached);
        for &entry in entries {
            let mut begin = |string: &str, length: usize| {
                strings.push((entry, Box::from(string)));
                // The same for all of them: it is a length of the text.
                read = length;
            };
            let mut further = self.reached;
            let meeting = match self.compared(entry) {
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

    /// Whether a whole entry would be equal to one of the entries near.
    pub(super) fn repeats(&self, entry: &[u8]) -> bool {
        let value = std::str::from_utf8(entry).ok().and_then(|entry| value::parse(entry, usize::MAX).ok());
        value.is_some_and(|value| self.is_near(&value))
    }

    /// The literals that would be equal to none of the entries near. The literals are sorted, and a string has one spelling among them, so
    /// that an entry that is a string takes a binary search.
    pub(crate) fn others<'a>(&self, literals: &'a [Box<[u8]>]) -> Vec<&'a [u8]> {
        let near = || self.near.iter().flat_map(|near| near.iter()).map(|&entry| self.compared(entry));
        let mut repeated = vec![false; literals.len()];
        for entry in near() {
            let Value::String(text) = entry else { continue };
            // A string without escapes is compared as it stands, without a copy in quotes.
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
        self.near.iter().flat_map(|near| near.iter()).any(|&entry| same(self.compared(entry), value))
    }

    /// Whether no entry that is being written can become equal to another one. `between` says that none of this array's is being written.
    pub(crate) fn is_clear(&self, between: bool) -> bool {
        (self.near.is_none() || between) && self.outer.as_ref().is_none_or(|outer| outer.is_clear(false))
    }

    /// The bytes after which the entry may still become equal to another one. After any other byte it differs from all.
    pub(crate) fn open_bytes(&self) -> ByteSet {
        let mut bytes = self.outer.as_ref().map_or_else(ByteSet::default, |outer| outer.open_bytes());
        match (&self.near, &self.awaited) {
            (None, _) => bytes,
            (Some(_), Some(awaited)) if !self.unsettled => {
                // Any character can also be written as an escape.
                bytes.add(b"\\");
                for (_, string) in awaited.strings.iter() {
                    bytes.add(&[string.as_bytes().get(awaited.read).copied().unwrap_or(b'"')]);
                }
                bytes
            }
            _ => ByteSet::ALL,
        }
    }

    /// After the end of the entry, and whether it is equal to another one.
    pub(crate) fn closed(&self) -> (Distinct, bool) {
        let text = self.text.to_vec();
        // A text that ends within an escape, or is no whole value, is equal to none.
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

    /// Adds everything that a mask depends on to a mask key. The text of the entry matters while entries are near, and while one token
    /// may end it and write the same value again.
    pub(super) fn print(&self, whole: &WholeEntries, print: &mut Fingerprint) {
        if let Some(outer) = &self.outer {
            outer.print(whole, print);
        }
        print.add((self.depth, &self.entries, &self.barred, self.near.is_some()));
        let may_repeat = |first: u8| whole.may_repeat(first, self.text.length());
        if self.near.is_some() || self.text.first().is_some_and(may_repeat) {
            print.add(self.text.to_vec());
        }
    }
}

/// The order of a literal and of a string in quotes.
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
    fn literals_that_an_entry_equals_are_left_out_of_the_others() {
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
    fn after_a_byte_that_is_not_open_the_entry_differs_from_all() {
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
    fn after_a_whole_escape_the_open_bytes_are_those_of_plain_characters() {
        let array = array(&[r#"{"a":"xyz"}"#, r#"{"a":"\n"}"#], r#"{"a":"\u0078"#);
        assert!(array.open_bytes().iter().eq(*b"\\y"));
    }

    #[test]
    fn byte_by_byte_the_same_entries_stay_near_as_for_the_text_at_once() {
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
