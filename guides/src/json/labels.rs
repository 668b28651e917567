//! The labels of hosts' names that no automaton of bearable size holds: those in Punycode (A-labels, RFC 5890), and long ones of
//! which it must be known how long they are in Punycode. They are read with their whole text.
//!
//! In the automaton of the [`names`](super::names) other bytes stand for such a label, which no text has and as many as its
//! shortest one, so that the automaton knows what comes after it, and at least what it costs.
//!
//! An A-label is whole where it decodes to a label that the names could have in its place. As no text is in Punycode in two ways,
//! what it decodes to is encoded as it is. The beginning of one is alive where the integer that its digits are in the midst of, or
//! the first one to come, can be such that the label is whole after it; with one more integer where there is hardly a character yet.
//! What is alive without that is not written. As the digits are read that make a label whole with the least integer, they go on
//! to do so: there is no dead end, and each of them is one byte less to come.

use super::fitting::{Fitting, Places, Symbol};
use super::punycode::{Decoded, encoded, most_first_digits};
use crate::automaton::dfa::Dfa;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// What stands in the automaton of names for an A-label, after its prefix: one that may stand beside labels from left to right, and
/// one beside labels from right to left.
pub(super) const ENCODED: [&[u8]; 2] = [b"\xFD\xFD\xFD", b"\xFE\xFE\xFE"];
/// What stands for a label of [`WRITABLE`] letters.
pub(super) const WRITTEN: &[u8] = b"\xFF\x80";
/// The prefix of an A-label.
pub(super) const PREFIX: &[u8] = b"xn--";
/// Small letters of Greek: those of which a label may have more than the automaton counts.
const WRITABLE: std::ops::RangeInclusive<char> = '\u{3AC}'..='\u{3CE}';
/// A label with no more characters than that may need two more, one on each side, as where it is a sign that stands between letters.
const FEW_CHARACTERS: usize = 1;
/// The bytes that begin one of the letters.
const LEADS: [u8; 2] = [0xCE, 0xCF];

/// Which labels there are.
#[derive(Debug)]
pub(crate) struct Labels {
    /// What A-labels decode to, by the two kinds of [`ENCODED`].
    fitting: Arc<Fitting>,
    /// The greatest number of octets of a label in Punycode, the prefix not counted.
    most: usize,
    /// The most octets of the first integer of an A-label, and of the hyphen before it.
    most_first: u32,
}

/// A label as far as it is read.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    form: Form,
    /// In Punycode, without the prefix.
    octets: Vec<u8>,
    /// How many bytes make it whole, as few as are needed or a few more.
    left: u32,
    /// The state of the names' automaton once it is.
    ends_in: u32,
}

#[derive(Debug, Clone)]
enum Form {
    Encoded(Encoded),
    /// The state after the label, and the first byte of a letter that is not whole.
    Written(u32, Option<u8>),
}

/// An A-label. All of it but the first follows from the octets.
#[derive(Debug, Clone)]
struct Encoded {
    /// The states after a label of each kind, 0 for those that may not stand here.
    after: [u32; 2],
    /// As if all of it was ASCII: the states of the automata of what one character completes.
    basic: [u32; 2],
    /// As if the last hyphen ended what is ASCII, and digits followed.
    spelled: Option<Spelled>,
}

#[derive(Debug, Clone)]
struct Spelled {
    decoded: Decoded,
    /// What is known of the text without the integer that is being read.
    known: Arc<Known>,
}

#[derive(Debug)]
struct Known {
    symbols: Vec<Symbol>,
    /// The kind of label that it is.
    kind: Option<usize>,
    places: OnceLock<Places>,
}

impl Label {
    /// How many bytes make it whole, as few as are needed or a few more.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// How many characters begin with these.
    pub(super) fn characters_left(&self) -> u32 {
        if matches!(self.form, Form::Encoded(_)) { self.left } else { 0 }
    }

    /// The state of the names' automaton once it is whole.
    pub(super) fn ends_in(&self) -> u32 {
        self.ends_in
    }

    /// The same, if it is whole.
    pub(super) fn end(&self) -> Option<u32> {
        (self.left == 0).then_some(self.ends_in)
    }

    /// What tells it from other labels.
    fn identity(&self) -> ([u32; 2], Option<u8>, &[u8]) {
        match &self.form {
            Form::Encoded(encoded) => (encoded.after, None, &self.octets),
            Form::Written(after, lead) => ([*after, u32::MAX], *lead, &self.octets),
        }
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Label) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Label {}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Whether Punycode without capital letters has this byte.
fn is_octet(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')
}

/// Whether a label may begin at the end of these bytes of a token, or with the last of them.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|last| LEADS.contains(last)) || bytes.ends_with(PREFIX) || PREFIX.ends_with(bytes)
}

/// The letter that two bytes are.
fn letter(lead: u8, byte: u8) -> Option<char> {
    let letter = std::str::from_utf8(&[lead, byte]).ok()?.chars().next()?;
    WRITABLE.contains(&letter).then_some(letter)
}

impl Labels {
    /// Labels of so many octets.
    pub(super) fn new(fitting: Arc<Fitting>, most: usize) -> Labels {
        let most_first = 1 + most_first_digits(fitting.greatest(), fitting.longest());
        Labels { fitting, most, most_first }
    }

    /// Whether an A-label begins in a state of the names' automaton.
    pub(super) fn begins_encoded(dfa: &Dfa, state: u32) -> bool {
        ENCODED.iter().any(|bytes| dfa.next(state, bytes[0]) != 0)
    }

    /// The label that begins with this byte in a state of the names' automaton.
    pub(super) fn begin(&self, dfa: &Dfa, state: u32, byte: u8) -> Option<Label> {
        if is_octet(byte) && Labels::begins_encoded(dfa, state) {
            let after = ENCODED.map(|bytes| dfa.after(state, bytes));
            let basic = [0, 1].map(|kind| self.fitting.basic(kind).start());
            let spelled = self.spelled(after, Decoded::new(&[]));
            return self.encoded(&Encoded { after, basic, spelled }, &[], byte);
        }
        if LEADS.contains(&byte) && dfa.next(state, WRITTEN[0]) != 0 {
            return self.written(dfa.after(state, WRITTEN), &[], byte);
        }
        None
    }

    /// The label with one more byte, if it can become whole.
    pub(super) fn step(&self, label: &Label, byte: u8) -> Option<Label> {
        match label.form {
            Form::Encoded(ref encoded) => is_octet(byte).then(|| self.encoded(encoded, &label.octets, byte)).flatten(),
            Form::Written(after, None) => self.written(after, &label.octets, byte),
            Form::Written(after, Some(lead)) => {
                let octets = self.longer(&label.octets, letter(lead, byte)?)?;
                Some(Label { form: Form::Written(after, None), octets, left: 0, ends_in: after })
            }
        }
    }

    /// A label that is written, with the first byte of one more letter.
    fn written(&self, after: u32, octets: &[u8], lead: u8) -> Option<Label> {
        let mut letters = (0x80..=0xBF).filter_map(|byte| letter(lead, byte));
        letters.any(|letter| self.longer(octets, letter).is_some()).then(|| Label {
            form: Form::Written(after, Some(lead)),
            octets: octets.to_vec(),
            left: 1,
            ends_in: after,
        })
    }

    /// A label of letters that are not of ASCII, with one more of them.
    fn longer(&self, octets: &[u8], letter: char) -> Option<Vec<u8>> {
        let text = [&*Decoded::new(&[]).after(octets)?.text, &[letter]].concat();
        Some(encoded(&text)).filter(|octets| octets.len() <= self.most)
    }

    /// `None` if a character is in no label.
    fn spelled(&self, after: [u32; 2], decoded: Decoded) -> Option<Spelled> {
        let symbols = self.fitting.symbols(&decoded.text)?;
        let kind = self.fitting.kind(after.map(|after| after != 0), &symbols);
        Some(Spelled { decoded, known: Arc::new(Known { symbols, kind, places: OnceLock::new() }) })
    }

    /// An A-label with one more octet.
    fn encoded(&self, before: &Encoded, octets: &[u8], octet: u8) -> Option<Label> {
        let after = before.after;
        let spelled = match (&before.spelled, octet) {
            // The last hyphen ends the characters of ASCII; without any it is not written.
            (_, b'-') => (!octets.is_empty()).then(|| self.spelled(after, Decoded::new(octets))).flatten(),
            (None, _) => None,
            (Some(spelled), _) => {
                spelled.decoded.clone().after(&[octet]).and_then(|decoded| match decoded.is_whole() {
                    true => self.spelled(after, decoded),
                    false => Some(Spelled { decoded, known: spelled.known.clone() }),
                })
            }
        };
        let basic = [0, 1].map(|kind| self.fitting.basic(kind).next(before.basic[kind], octet));
        let octets = [octets, &[octet]].concat();
        let encoded = Encoded { after, basic, spelled };
        let (left, ends_in) = self.ending(&encoded, &octets)?;
        let fits = octets.len() + left as usize <= self.most;
        fits.then_some(Label { form: Form::Encoded(encoded), octets, left, ends_in })
    }

    /// How many octets make an A-label whole, and the state after it.
    fn ending(&self, label: &Encoded, octets: &[u8]) -> Option<(u32, u32)> {
        let after = label.after;
        let of_digits = label.spelled.as_ref().and_then(|spelled| {
            let begun = octets.last() != Some(&b'-') && spelled.decoded.is_whole();
            match spelled.known.kind.filter(|_| begun) {
                Some(kind) => Some((0, after[kind])),
                None => self.completion(after, spelled),
            }
        });
        if of_digits.is_some_and(|(left, _)| left < self.most_first) {
            return of_digits;
        }
        // Or the hyphen that ends the characters of ASCII is still to come.
        let mut kinds = (0..2).filter(|&kind| after[kind] != 0);
        let kind = kinds.find(|&kind| self.fitting.basic(kind).accepts_at(label.basic[kind]));
        let of_ascii = match kind {
            Some(kind) => Some((self.most_first, after[kind])),
            None if octets.len() > FEW_CHARACTERS => None,
            None => {
                let spelled = self.spelled(after, Decoded::new(octets));
                let completion = spelled.and_then(|spelled| self.completion(after, &spelled));
                completion.map(|(digits, ends_in)| (digits + 1, ends_in))
            }
        };
        of_digits.into_iter().chain(of_ascii).min_by_key(|(left, _)| *left)
    }

    /// The fewest digits that make a label whole, and the state after it.
    fn completion(&self, after: [u32; 2], spelled: &Spelled) -> Option<(u32, u32)> {
        let by_one = self.completion_by_one(after, spelled);
        let decoded = &spelled.decoded;
        if by_one.is_some() || decoded.text.len() > FEW_CHARACTERS {
            return by_one;
        }
        self.fitting.find_any(decoded.least(), |low, high| {
            decoded.nexts(low, high).find_map(|(rest, _)| {
                let next = self.spelled(after, decoded.with(rest)?)?;
                let (digits, ends_in) = self.completion_by_one(after, &next)?;
                Some((decoded.digits(rest) + digits, ends_in))
            })
        })
    }

    /// As [`Self::completion`], by the rest of one integer.
    fn completion_by_one(&self, after: [u32; 2], Spelled { decoded, known }: &Spelled) -> Option<(u32, u32)> {
        let allowed = after.map(|after| after != 0);
        let places = known.places.get_or_init(|| self.fitting.places(allowed, &known.symbols));
        self.fitting.find(places, decoded.least(), |low, high, kind| {
            let mut nexts = decoded.nexts(low, high);
            nexts.find_map(|(rest, place)| Some((decoded.digits(rest), after[kind(place)?])))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::formats;
    use super::*;
    use crate::automaton::dfa::DfaLimits;

    #[test]
    fn as_many_bytes_stand_for_a_label_as_its_shortest_one_has() {
        let limits = DfaLimits { states: 50_000, bytes: 16 << 20 };
        let format = formats::language("hostname", limits).expect("small").expect("enforced");
        let labels = format.names.expect("labels").labels;
        for (after, bytes) in [[1, 0], [0, 1]].into_iter().zip(ENCODED) {
            let nothing = labels.spelled(after, Decoded::new(&[])).expect("nothing");
            assert_eq!(labels.completion(after, &nothing), Some((bytes.len() as u32, 1)));
        }
        assert!(WRITABLE.clone().all(|letter| letter.len_utf8() == WRITTEN.len()));
        assert!(WRITABLE.clone().all(|letter| LEADS.contains(&letter.to_string().as_bytes()[0])));
    }
}
