//! The formats `idn-hostname` and `idn-email`, and `hostname` with labels in Punycode: names with labels beyond ASCII, fewer than
//! there are.
//!
//! IDNA2008 (RFC 5890 to 5893) asks much of a label: characters that it allows, some of them beside certain others only, in
//! normal form C, in an order that the rule on right-to-left text allows, and with at most 63 octets once it is encoded in
//! Punycode. Written are labels in which all this is seen at once: of characters that compose with none before them, of the
//! scripts listed here, with no more than nine of them, which never take more than 63 octets. A name has at most four
//! labels of 62 octets, so that it takes no more than 253, or one of 63; where something is written from right to left, two.
//! Each of them may also be written in Punycode (`xn--`), and there are labels with more small letters of Greek, as far as those take
//! no more octets there: [`labels`](super::super::labels).

use super::super::fitting::Fitting;
use super::super::labels::{ENCODED, Labels, PREFIX, WRITTEN};
use super::super::names::Names;
use super::Format;
use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::{self, Dialect, RegexError};
use std::sync::{Arc, OnceLock};

/// Letters that are written from left to right: Latin, Greek, Cyrillic, Armenian, Georgian, Devanagari, Thai, Tibetan's
/// divider, kana, Han and Hangul. All are valid (PVALID), of bidirectional class L, and in normal form C.
const LETTERS: &str = concat!(
    "\u{DF}-\u{F6}\u{F8}-\u{FF}\u{101}\u{103}\u{105}\u{107}\u{109}\u{10B}\u{10D}\u{10F}\u{111}\u{113}\u{115}\u{117}\u{119}",
    "\u{11B}\u{11D}\u{11F}\u{121}\u{123}\u{125}\u{127}\u{129}\u{12B}\u{12D}\u{12F}\u{131}\u{135}\u{137}\u{138}\u{13A}\u{13C}",
    "\u{13E}\u{142}\u{144}\u{146}\u{148}\u{14B}\u{14D}\u{14F}\u{151}\u{153}\u{155}\u{157}\u{159}\u{15B}\u{15D}\u{15F}\u{161}",
    "\u{163}\u{165}\u{167}\u{169}\u{16B}\u{16D}\u{16F}\u{171}\u{173}\u{175}\u{177}\u{17A}\u{17C}\u{17E}\u{3AC}-\u{3CE}",
    "\u{430}-\u{45F}\u{561}-\u{586}\u{10D0}-\u{10FA}\u{904}-\u{939}\u{E01}-\u{E30}\u{E32}\u{F0B}\u{3007}\u{3041}-\u{3094}",
    "\u{30A1}-\u{30F4}\u{30FC}\u{4E00}-\u{9FA5}\u{AC00}-\u{D7A3}"
);
/// Marks that follow a letter, none of which moves past another one in normal form C.
const MARKS: &str = "\u{901}-\u{903}\u{93A}\u{93B}\u{93E}-\u{94D}\u{E31}\u{E34}-\u{E37}\u{E47}\u{E4C}-\u{E4E}";
/// Letters that are written from right to left: Hebrew and Arabic.
const RIGHT_TO_LEFT: &str = "\u{5D0}-\u{5EA}\u{620}-\u{63F}\u{641}-\u{64A}\u{6FD}\u{6FE}";
/// Arabic letters that join those on both of their sides.
const JOINING: &str = "\u{628}\u{62A}-\u{62E}\u{633}-\u{63A}\u{641}-\u{647}\u{649}\u{64A}";
/// Hiragana, Katakana and Han.
const KANA_AND_HAN: &str = "\u{3041}-\u{3094}\u{30A1}-\u{30F4}\u{4E00}-\u{9FA5}";

/// What stands between labels.
const SEPARATORS: [char; 4] = ['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'];

/// Octets of an A-label after its prefix (RFC 1035, section 2.3.4).
const ENCODED_LABEL: usize = 63 - PREFIX.len();

/// A label of ASCII with at most so many characters.
fn ascii(most: usize) -> String {
    format!("[0-9A-Za-z]([0-9A-Za-z-]{{0,{}}}[0-9A-Za-z])?", most - 2)
}

/// Labels beyond ASCII that are written from left to right, and begin with a letter.
fn from_left() -> String {
    format!("[a-z{LETTERS}](-?[0-9a-z{LETTERS}]|[{MARKS}]){{0,8}}")
}

/// Labels with characters that may stand beside certain others only (RFC 5892, appendix A).
fn in_context() -> String {
    let devanagari = "[\u{904}-\u{939}]{1,3}";
    let greek = "[\u{3AC}-\u{3CE}]";
    [
        // Middle dot between two l.
        "[a-z]{0,8}l\u{B7}l[a-z]{0,8}".to_owned(),
        // Keraia before Greek.
        format!("{greek}{{1,4}}\u{375}{greek}{{1,4}}"),
        // Joiners after virama.
        format!("{devanagari}\u{94D}[\u{200C}\u{200D}]{devanagari}"),
    ]
    .join("|")
}

/// Labels that are allowed only where nothing is written from right to left (RFC 5893, section 2).
fn undirected() -> String {
    let kana = format!("[{KANA_AND_HAN}]");
    [
        format!("[0-9](-?[0-9a-z{LETTERS}]|[{MARKS}]){{0,8}}"),
        // Middle dot beside kana or Han.
        format!("{kana}{{0,3}}\u{30FB}{kana}{{1,3}}|{kana}{{1,3}}\u{30FB}"),
        // Extended digits, which do not stand beside the others.
        "[\u{6F0}-\u{6F9}][0-9\u{6F0}-\u{6F9}]{0,8}".to_owned(),
    ]
    .join("|")
}

/// Labels that are written from right to left. Digits are of one kind (RFC 5893, rule 4).
fn from_right() -> String {
    let letters = format!("[{RIGHT_TO_LEFT}]");
    let with = |digits: &str| format!("{letters}(-?[{RIGHT_TO_LEFT}{digits}]){{0,8}}");
    [
        with("0-9"),
        with("\u{660}-\u{669}"),
        with("\u{6F0}-\u{6F9}"),
        // Geresh and gershayim after Hebrew.
        format!("{letters}{{0,3}}[\u{5D0}-\u{5EA}][\u{5F3}\u{5F4}]{letters}{{0,3}}"),
        // Non-joiner between letters that would join.
        format!("{letters}{{0,3}}[{JOINING}]\u{200C}[{JOINING}]{letters}{{0,3}}"),
    ]
    .join("|")
}

/// Labels beyond ASCII that may stand beside others from left to right.
fn beside_left() -> String {
    format!("{}|{}|{}", from_left(), in_context(), undirected())
}

/// Labels of ASCII that may stand beside others from right to left.
fn ascii_beside_right(most: usize) -> String {
    format!("[A-Za-z]([0-9A-Za-z-]{{0,{}}}[0-9A-Za-z])?", most - 2)
}

/// The names of hosts.
pub(super) fn hostnames(limits: DfaLimits) -> Result<Format, RegexError> {
    let [left, right] = ENCODED.map(|stand_in| [PREFIX, stand_in].concat());
    let one_way = format!("{}|{}", ascii(62), beside_left());
    let one_way = names(&one_way, &[&left, WRITTEN], (&SEPARATORS, Some(4)), limits)?;
    // Where something is written from right to left, all labels are of one direction from end to end.
    let mixed = format!("{}|{}", ascii_beside_right(59), from_right());
    let mixed = names(&mixed, &[&right], (&SEPARATORS, Some(2)), limits)?;
    let single = names(&ascii(63), &[], (&SEPARATORS, Some(1)), limits)?;
    let all = one_way.union(&mixed, limits.states)?.union(&single, limits.states)?;
    let whole = |regex: &str| regex::whole(regex, Dialect::Ecma, limits);
    Ok(Format {
        // What stands for other labels is no text.
        dfa: whole("[^]*")?.intersection(&all, limits.states)?,
        // Letters, digits, hyphens and separators; of what is beyond ASCII there is ever more.
        possible: Some(whole("[-.0-9A-Za-z\u{80}-\u{10FFFF}]+")?),
        names: Some(Names { dfa: all, labels: labels(ENCODED_LABEL - 1)? }),
    })
}

/// The names of hosts in ASCII, with those labels beyond it that have an encoding.
pub(super) fn encoded_hostnames(limits: DfaLimits) -> Result<Names, RegexError> {
    let [left, right] = ENCODED.map(|stand_in| [PREFIX, stand_in].concat());
    let one_way = names(&ascii(63), &[&left], (&['.'], None), limits)?;
    let mixed = names(&ascii_beside_right(63), &[&right], (&['.'], None), limits)?;
    Ok(Names { dfa: one_way.union(&mixed, limits.states)?, labels: labels(ENCODED_LABEL)? })
}

fn labels(most: usize) -> Result<Arc<Labels>, RegexError> {
    Ok(Arc::new(Labels::new(fitting()?, most)))
}

/// What A-labels decode to: made once, as all formats with such labels want it.
fn fitting() -> Result<Arc<Fitting>, RegexError> {
    static FITTING: OnceLock<Result<Arc<Fitting>, RegexError>> = OnceLock::new();
    let make = || {
        let limits = DfaLimits { states: 10_000, bytes: 8 << 20 };
        let kinds = [beside_left(), from_right()];
        let ranges = regex::ranges_beyond_ascii(&kinds.join("|"), Dialect::Ecma)?;
        let [left, right] = kinds.map(|kind| regex::whole(&format!("({kind})"), Dialect::Ecma, limits));
        Ok(Arc::new(Fitting::new([left?, right?], &ranges, limits.states)?))
    };
    FITTING.get_or_init(make).clone()
}

/// Up to so many labels, with some for which other bytes stand. Those with hyphens in third and fourth place are reserved.
fn names(
    label: &str,
    stand_ins: &[&[u8]],
    (separators, most): (&[char], Option<u8>),
    limits: DfaLimits,
) -> Result<Dfa, RegexError> {
    let whole = |regex: &str| regex::whole(regex, Dialect::Ecma, limits);
    let end: String = separators.iter().collect();
    let ended = whole(&format!("({label})[{end}]"))?.difference(&whole("..--[^]*")?, limits.states)?;
    let ends = separators.iter().map(|separator| separator.to_string().into_bytes());
    let mut others: Vec<Vec<u8>> =
        ends.flat_map(|end| stand_ins.iter().map(move |label| [label, &*end].concat())).collect();
    others.sort_unstable();
    let others: Vec<&[u8]> = others.iter().map(Vec::as_slice).collect();
    let ended = ended.union(&Dfa::words(&others, limits.states)?, limits.states)?;
    let (class_of, bytes) = Dfa::common_classes(&[&ended], |_| false);
    let step = |&(before, state): &(u8, u32), class: usize| match ended.next(state, bytes[class]) {
        0 => None,
        next if ended.accepts_at(next) => match most {
            Some(most) => (before + 1 < most).then_some((before + 1, ended.start())),
            None => Some((before, ended.start())),
        },
        next => Some((before, next)),
    };
    // A label is whole where a separator can follow.
    let accepts = |&(_, state): &(u8, u32)| ended.accepts_at(ended.next(state, b'.'));
    let class = |byte: u8| class_of[usize::from(byte)];
    Ok(Dfa::build(class, bytes.len(), (0, ended.start()), limits.states, step, accepts)?)
}

/// The domains of addresses of mail (RFC 6531, section 3.3), beside literal addresses. Normal form is not asked of their labels.
pub(super) fn mail_domain() -> String {
    let accents = "\u{300}-\u{304}\u{306}-\u{30C}";
    let label = format!("{}|[a-z{LETTERS}](-?[0-9a-z{LETTERS}]|[{MARKS}{accents}]){{0,8}}", ascii(63));
    format!("({label})(\\.({label}))*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_as_idna2008_allows() {
        let dfa = hostnames(DfaLimits { states: 50_000, bytes: 8 << 20 }).expect("small").dfa;
        let long = "a".repeat(63);
        let four = ["a".repeat(62).as_str(); 4].join(".");
        for yes in [
            "실례.테스트",
            &long,
            &four,
            "ß\u{3C2}\u{F0B}\u{3007}",
            "\u{6FD}\u{6FE}",
            "l·l",
            "α\u{375}β",
            "א\u{5F3}ב",
            "א\u{5F4}ב",
            "\u{30FB}ぁ",
            "\u{30FB}ァ",
            "\u{30FB}丈",
            "ب\u{660}ب",
            "\u{6F0}0",
            "\u{915}\u{94D}\u{200D}\u{937}",
            "\u{915}\u{94D}\u{200C}\u{937}",
            "\u{628}\u{64A}\u{200C}\u{628}\u{64A}",
            "host-name",
            "1host",
            "bücher.example.de",
            "a\u{3002}b",
            "a\u{FF0E}ü",
            "a\u{FF61}b",
            "דוגמה.com",
        ] {
            assert!(dfa.accepts(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            ".",
            "a..b",
            "a.",
            "\u{3002}a",
            "\u{302E}실례",
            "실\u{302E}례",
            &"a".repeat(64),
            &[long.as_str(); 4].join("."),
            "XN--aa---o47jg78q",
            "ab--c",
            "-ü",
            "ü-",
            "\u{903}a",
            "\u{300}a",
            "\u{640}\u{7FA}",
            "a·l",
            "l·",
            "α\u{375}S",
            "A\u{5F3}ב",
            "\u{5F3}ב",
            "def\u{30FB}abc",
            "\u{30FB}",
            "ب\u{660}\u{6F0}",
            "\u{915}\u{200D}\u{937}",
            "\u{915}\u{94D}\u{200C}\u{937}x\u{200C}y",
            "0a.א",
            "0ا",
            "aא",
            "א0\u{660}",
            "Ü",
            "cafe\u{301}",
            &"ü".repeat(63),
        ] {
            assert!(!dfa.accepts(no.as_bytes()), "{no}");
        }
    }
}
