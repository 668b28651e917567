//! Names of hosts, some labels of which are read with their text beside the automaton of the others ([`labels`](super::labels)).

use super::labels::{Label, Labels};
use super::strings::{Decoder, StringState, Strings};
use crate::automaton::dfa::{Dfa, NEVER};
use std::sync::Arc;

/// Names of hosts with such labels.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) dfa: Dfa,
    pub(crate) labels: Arc<Labels>,
}

impl Names {
    /// Whether this is one of the names.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        let (mut states, mut open): (Vec<u32>, Vec<Label>) = (vec![self.dfa.start()], Vec::new());
        for byte in text.bytes() {
            let ended: Vec<u32> = open.iter().filter_map(Label::end).collect();
            let begun = states.iter().filter_map(|&state| self.labels.begin(&self.dfa, state, byte));
            let longer = open.iter().filter_map(|label| self.labels.step(label, byte));
            open = longer.chain(begun).collect();
            states.extend(ended);
            // Other bytes are in no text.
            states.retain_mut(|state| {
                *state = self.dfa.next(*state, byte);
                *state != 0
            });
            states.sort_unstable();
            states.dedup();
        }
        states.extend(open.iter().filter_map(Label::end));
        states.iter().any(|&state| self.dfa.accepts_at(state))
    }
}

/// How far a JSON string is, inside a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct InLabel {
    label: Label,
    /// Characters begun, counted no further than they matter.
    count: u32,
}

impl Strings {
    /// Whether labels may be read with their text.
    pub(crate) fn has_labels(&self) -> bool {
        self.characters.labels().is_some()
    }

    /// Whether an A-label begins here, so that nothing else can come.
    pub(crate) fn begins_label(&self, at: &StringState) -> bool {
        self.has_labels() && Labels::begins_encoded(&self.characters.dfa, at.state)
    }

    /// The label that begins with this byte, beside the state of the automaton after it.
    pub(crate) fn begin_label(&self, at: &StringState, byte: u8) -> Option<InLabel> {
        let labels = self.characters.labels()?;
        if at.decoder != Decoder::Body {
            return None;
        }
        let label = labels.begin(&self.characters.dfa, at.state, byte)?;
        self.in_label(label, self.counted(at.count))
    }

    /// The label with one more byte.
    pub(crate) fn step_label(&self, at: &InLabel, byte: u8) -> Option<InLabel> {
        let label = self.characters.labels()?.step(&at.label, byte)?;
        self.in_label(label, if byte & 0xC0 == 0x80 { at.count } else { self.counted(at.count) })
    }

    fn in_label(&self, label: Label, count: u32) -> Option<InLabel> {
        Some(InLabel { label, count }).filter(|at| self.cost_in_label(at) != NEVER)
    }

    /// The state after a label that is whole.
    pub(crate) fn after_label(&self, at: &InLabel) -> Option<StringState> {
        Some(StringState { state: at.label.end()?, count: at.count, decoder: Decoder::Body })
    }

    /// The number of bytes to the end, the closing quote included.
    pub(crate) fn cost_in_label(&self, at: &InLabel) -> u32 {
        let count = (0..at.label.characters_left()).fold(at.count, |count, _| self.counted(count));
        let rest = self.rest(at.label.ends_in(), count);
        if rest == NEVER { NEVER } else { at.label.left() + rest + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::formats;
    use super::super::labels::PREFIX;
    use super::super::punycode::{Decoded, encoded};
    use super::super::shape::any_strings;
    use super::super::strings::Characters;
    use super::*;
    use crate::automaton::dfa::DfaLimits;

    fn names(format: &str) -> Names {
        let limits = DfaLimits { states: 50_000, bytes: 16 << 20 };
        formats::language(format, limits).expect("small").expect("enforced").names.expect("labels")
    }

    fn strings(names: &Names, max: u32) -> Strings {
        let any = Characters::any().expect("small");
        let characters = Characters::new(names.dfa.clone(), &any.dfa).with_labels(Some(names.labels.clone()));
        any_strings(Arc::new(characters), 0, max)
    }

    /// A place in a string, between labels or in one.
    #[derive(Debug, Clone)]
    enum Place {
        Outside(StringState),
        Inside(InLabel),
    }

    fn cost(strings: &Strings, place: &Place) -> u32 {
        match place {
            Place::Outside(at) => strings.cost(at),
            Place::Inside(at) => strings.cost_in_label(at),
        }
    }

    fn nexts(strings: &Strings, place: &Place, byte: u8) -> Vec<Place> {
        match place {
            Place::Outside(at) => {
                let label = strings.begin_label(at, byte).map(Place::Inside);
                strings.step(at, byte).map(Place::Outside).into_iter().chain(label).collect()
            }
            Place::Inside(at) => {
                let left = strings.after_label(at).and_then(|at| strings.step(&at, byte)).map(Place::Outside);
                strings.step_label(at, byte).map(Place::Inside).into_iter().chain(left).collect()
            }
        }
    }

    #[test]
    fn what_a_label_stands_for_may_stand_in_its_place() {
        let (encoded, both) = (names("hostname"), names("idn-hostname"));
        for yes in [
            "xn--9n2bp8q.xn--9t4b11yi5a",
            "xn--zca29lwxobi7a",
            "xn--qmbc",
            "xn--ll-0ea",
            "xn--wva3je",
            "xn--4dbc5h",
            "xn--4dbc8h",
            "xn--k8j5u",
            "xn--bck0j",
            "xn--vek778f",
            "xn--ngba1o",
            "xn--0-gyc",
            "xn--11b2ezcw70k",
            "xn--11b2ezcs70k",
            "xn--ngba5hb2804a",
            "xn--ihqwcrb4cv8a8dqg056pqjye",
            "www.xn--bcher-kva.de",
            "xn--4dbc5h.com",
        ] {
            assert!(encoded.accepts(yes) && both.accepts(yes), "{yes}");
        }
        for no in [
            "xn--",
            "xn--X",
            "xn--x",
            "xn--example-",
            "xn---9uc",
            "xn--7a",
            "xn--0ca24w",
            "xn--07jt112bpxg.xn--9t4b11yi5a",
            "xn--hello-txk",
            "xn--hello-zed",
            "xn--hello-6bf",
            "xn--chb89f",
            "xn--07jceefgh4c",
            "xn--al-0ea",
            "xn--l-fda",
            "xn--la-0ea",
            "xn--l-gda",
            "xn--S-jib3p",
            "xn--wva3j",
            "xn--A-2hc5h",
            "xn--5db1e",
            "xn--5db3e",
            "xn--defabc-k64e",
            "xn--vek",
            "xn--ngb6iyr",
            "xn--11b2er09f",
            "xn--02b508i",
            "XN--aa---o47jg78q",
            "XN--9n2bp8q",
            "xn--9N2bp8q",
            "xn--zca.",
            "xn--zca..a",
            "-xn--zca",
            // Beside right to left no label begins with a digit.
            "1a.xn--4dbc5h",
            "xn--zca.xn--4dbc5h",
            "xn--\u{FD}\u{FD}\u{FD}",
        ] {
            assert!(!encoded.accepts(no) && !both.accepts(no), "{no}");
        }
        assert!(both.accepts("ü.xn--zca\u{3002}日本") && !encoded.accepts("ü.xn--zca"));
        let most = format!("xn--{}", String::from_utf8_lossy(&punycode(&"ü-".repeat(8).repeat(2))));
        assert!(!encoded.accepts(&most), "{most}");
    }

    fn punycode(text: &str) -> Vec<u8> {
        encoded(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn names_of_the_world_are_written_in_punycode_too() {
        let (encoded, both) = (names("hostname"), names("idn-hostname"));
        for label in [
            "münchen",
            "łódź",
            "españa",
            "été",
            "são-paulo",
            "ελ",
            "παράδειγμα",
            "рф",
            "пример",
            "қаз",
            "հայ",
            "გე",
            "भारत",
            "हिन्दी",
            "हिंदी",
            "संगठन",
            "ไทย",
            "中国",
            "公司",
            "日本語",
            "グーグル",
            "みんな",
            "한국",
            "네이버",
            "مثال",
            "قطر",
            "דוגמה",
            "ישראל",
            "bücher",
            "straße",
            "a-ü",
            "ü-b",
            "ü-ö",
        ] {
            let name = format!("xn--{}", String::from_utf8(punycode(label)).expect("ASCII"));
            if both.dfa.accepts(label.as_bytes()) {
                assert!(encoded.accepts(&name) && both.accepts(&name), "{label} {name}");
            } else {
                assert!(!encoded.accepts(&name) && !both.accepts(&name), "{label} {name}");
            }
        }
    }

    #[test]
    fn a_label_that_is_written_is_as_long_as_its_encoding_may_be() {
        let names = names("idn-hostname");
        for (label, valid) in [
            ("παράδειγμα".repeat(5) + "πα", true),
            ("παράδειγμα".repeat(7), false),
            ("α".repeat(54), true),
            ("α".repeat(58), false),
            ("αω".repeat(30), false),
            ("αβγδεζηθικλμνξοπρστυφχψω".to_owned(), true),
            ("ώ".repeat(20) + "x", false),
            ("ä".repeat(20), false),
            ("αβγδε-1é".to_owned(), true),
        ] {
            let fits = punycode(&label).len() + PREFIX.len() <= 62;
            assert!(!valid || fits, "{label}");
            for name in [label.clone(), format!("{label}.com"), format!("a\u{FF61}{label}\u{3002}b")] {
                assert_eq!(names.accepts(&name), valid, "{name}");
            }
        }
    }

    /// Steps of a generator of random numbers.
    fn below(random: &mut u64, bound: usize) -> usize {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*random >> 33) as usize) % bound
    }

    #[test]
    fn every_walk_comes_nearer_to_an_end_and_ends_in_a_name() {
        let mut random = 5;
        for format in ["hostname", "idn-hostname"] {
            let names = names(format);
            for max in [u32::MAX, 253, 30, 12] {
                let strings = strings(&names, max);
                for beginning in ["\"xn--", "\"a.xn--", "\"xn---", "\"xn--wva", "\"xn--ab-", "\"", "\"1.xn--4dbc5h"] {
                    for _ in 0..12 {
                        walk(&names, &strings, beginning, &mut random);
                    }
                }
            }
        }
    }

    fn walk(names: &Names, strings: &Strings, beginning: &str, random: &mut u64) {
        let mut places = vec![Place::Outside(strings.start())];
        for byte in beginning.bytes() {
            places = places.iter().flat_map(|place| nexts(strings, place, byte)).collect();
        }
        let Some(mut place) = places.pop() else { return };
        let (mut text, length) = (beginning.as_bytes().to_vec(), below(random, 90));
        loop {
            let least = cost(strings, &place);
            if least == 0 {
                break;
            }
            // Quotes and escapes only at the end.
            let bytes = (0..=255u8).filter(|byte| text.len() >= length || !matches!(byte, b'"' | b'\\'));
            let all: Vec<(u8, Place)> =
                bytes.flat_map(|byte| nexts(strings, &place, byte).into_iter().map(move |next| (byte, next))).collect();
            let nearer: Vec<&(u8, Place)> = all.iter().filter(|(_, next)| cost(strings, next) < least).collect();
            let ends = !nexts(strings, &place, b'"').is_empty();
            assert!(!nearer.is_empty() || ends, "{} {place:?}", String::from_utf8_lossy(&text));
            let (byte, next) = match (text.len() < length && !all.is_empty(), nearer.is_empty()) {
                (true, _) => all[below(random, all.len())].clone(),
                (_, false) => nearer[below(random, nearer.len())].clone(),
                _ => (b'"', nexts(strings, &place, b'"').swap_remove(0)),
            };
            text.push(byte);
            place = next;
        }
        let text = String::from_utf8(text).expect("UTF-8");
        let name = text.trim_matches('"');
        assert!(names.accepts(name), "{name}");
        for label in
            name.split(['.', '\u{3002}', '\u{FF0E}', '\u{FF61}']).filter_map(|label| label.strip_prefix("xn--"))
        {
            let (basic, digits) = label.rsplit_once('-').unwrap_or(("", label));
            let decoded = Decoded::new(basic.as_bytes()).after(digits.as_bytes()).expect("digits").text;
            assert_eq!(String::from_utf8(encoded(&decoded)).expect("ASCII"), label);
            assert!(decoded.iter().any(|character| !character.is_ascii()), "{name}");
        }
    }
}
