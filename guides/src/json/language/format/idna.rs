//! The formats `idn-hostname` and `idn-email`: a regular subset of the names with labels beyond ASCII.
//!
//! IDNA2008 (RFC 5890 to 5893) demands of a label that its characters are allowed, some only next to certain others; that it is in normal
//! form C; that its directions obey the rule for right-to-left text; and that it has at most 63 octets in Punycode. The automaton accepts
//! labels for which all of this is certain:
//!
//! - characters of the scripts listed here, which never compose with a character before them, so every label is in normal form C;
//! - at most nine characters, which never take more than 63 octets;
//! - at most four labels of 62 octets or one of 63, which never take more than 253; at most two if one is written from right to left;
//! - no label in Punycode (`xn--`).
//!
//! Literals of the schema are judged exactly, by [`judge`].

use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Letters that are written from left to right: Latin, Greek, Cyrillic, Armenian, Georgian, Devanagari, Thai, a Tibetan mark, kana, Han
/// and Hangul. All are PVALID (RFC 5892), of bidirectional class L, and in normal form C.
const LETTERS: &str = concat!(
    "\u{DF}-\u{F6}\u{F8}-\u{FF}\u{101}\u{103}\u{105}\u{107}\u{109}\u{10B}\u{10D}\u{10F}\u{111}\u{113}\u{115}\u{117}\u{119}",
    "\u{11B}\u{11D}\u{11F}\u{121}\u{123}\u{125}\u{127}\u{129}\u{12B}\u{12D}\u{12F}\u{131}\u{135}\u{137}\u{138}\u{13A}\u{13C}",
    "\u{13E}\u{142}\u{144}\u{146}\u{148}\u{14B}\u{14D}\u{14F}\u{151}\u{153}\u{155}\u{157}\u{159}\u{15B}\u{15D}\u{15F}\u{161}",
    "\u{163}\u{165}\u{167}\u{169}\u{16B}\u{16D}\u{16F}\u{171}\u{173}\u{175}\u{177}\u{17A}\u{17C}\u{17E}\u{3AC}-\u{3CE}",
    "\u{430}-\u{45F}\u{561}-\u{586}\u{10D0}-\u{10FA}\u{904}-\u{939}\u{E01}-\u{E30}\u{E32}\u{F0B}\u{3007}\u{3041}-\u{3094}",
    "\u{30A1}-\u{30F4}\u{30FC}\u{4E00}-\u{9FA5}\u{AC00}-\u{D7A3}"
);
/// Marks that follow a letter. Normal form C does not reorder them.
const MARKS: &str = "\u{901}-\u{903}\u{93A}\u{93B}\u{93E}-\u{94D}\u{E31}\u{E34}-\u{E37}\u{E47}\u{E4C}-\u{E4E}";
/// Letters that are written from right to left: Hebrew and Arabic.
const RIGHT_TO_LEFT: &str = "\u{5D0}-\u{5EA}\u{620}-\u{63F}\u{641}-\u{64A}\u{6FD}\u{6FE}";
/// Arabic letters that join those on both of their sides.
const JOINING: &str = "\u{628}\u{62A}-\u{62E}\u{633}-\u{63A}\u{641}-\u{647}\u{649}\u{64A}";
/// Hiragana, Katakana and Han.
const KANA_AND_HAN: &str = "\u{3041}-\u{3094}\u{30A1}-\u{30F4}\u{4E00}-\u{9FA5}";

/// What stands between labels.
const SEPARATORS: [char; 4] = ['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'];

/// The most octets of a name (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// A label of ASCII with at most so many characters.
fn ascii(most: usize) -> String {
    format!("[0-9A-Za-z]([0-9A-Za-z-]{{0,{}}}[0-9A-Za-z])?", most - 2)
}

/// Labels beyond ASCII that are written from left to right and begin with a letter.
fn from_left() -> String {
    format!("[a-z{LETTERS}](-?[0-9a-z{LETTERS}]|[{MARKS}]){{0,8}}")
}

/// Labels with characters that are allowed only next to certain others (RFC 5892, appendix A).
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

/// Labels that are allowed only in names without a label from right to left (RFC 5893, section 2).
fn undirected() -> String {
    let kana = format!("[{KANA_AND_HAN}]");
    [
        format!("[0-9](-?[0-9a-z{LETTERS}]|[{MARKS}]){{0,8}}"),
        // Middle dot next to kana or Han.
        format!("{kana}{{0,3}}\u{30FB}{kana}{{1,3}}|{kana}{{1,3}}\u{30FB}"),
        // Extended Arabic-Indic digits, which exclude the Arabic-Indic ones.
        "[\u{6F0}-\u{6F9}][0-9\u{6F0}-\u{6F9}]{0,8}".to_owned(),
    ]
    .join("|")
}

/// Labels that are written from right to left. Their digits are of one kind (RFC 5893, section 2, rule 4).
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

/// Labels beyond ASCII of names without a label from right to left.
fn beside_left() -> String {
    format!("{}|{}|{}", from_left(), in_context(), undirected())
}

/// Labels of ASCII with at most so many characters, for names with a label from right to left: they begin with a letter.
fn ascii_beside_right(most: usize) -> String {
    format!("[A-Za-z]([0-9A-Za-z-]{{0,{}}}[0-9A-Za-z])?", most - 2)
}

/// The names of hosts.
pub(super) fn hostnames(limits: DfaLimits) -> Result<Dfa, RegexError> {
    let one_way = names(&format!("{}|{}", ascii(62), beside_left()), 4, limits)?;
    // With a label from right to left, the rule of RFC 5893 applies to every label.
    let mixed = names(&format!("{}|{}", ascii_beside_right(59), from_right()), 2, limits)?;
    let single = names(&ascii(63), 1, limits)?;
    Ok(one_way.union(&mixed, limits.states)?.union(&single, limits.states)?)
}

/// Names of up to `most` labels, without labels that have hyphens in third and fourth place (reserved by RFC 5891, section 4.2.3.1).
fn names(label: &str, most: u8, limits: DfaLimits) -> Result<Dfa, RegexError> {
    let whole = |regex: &str| regex::whole(regex, Dialect::Ecma, limits);
    let end: String = SEPARATORS.iter().collect();
    let ended = whole(&format!("({label})[{end}]"))?.difference(&whole("..--[^]*")?, limits.states)?;
    let (class_of, bytes) = Dfa::common_classes(&[&ended], |_| false);
    let step = |&(before, state): &(u8, u32), class: usize| match ended.next(state, bytes[class]) {
        0 => None,
        next if ended.accepts_at(next) => (before + 1 < most).then_some((before + 1, ended.start())),
        next => Some((before, next)),
    };
    // A label is complete if a separator can follow.
    let accepts = |&(_, state): &(u8, u32)| ended.accepts_at(ended.next(state, b'.'));
    let class = |byte: u8| class_of[usize::from(byte)];
    Ok(Dfa::build(class, bytes.len(), (0, ended.start()), limits.states, step, accepts)?)
}

/// Whether a text is a host name with labels beyond ASCII, as they are or in Punycode. `None` if the answer depends on a contextual rule
/// (RFC 5892, appendix A) or on a character that UTS 46 allows and IDNA2008 may not.
pub(super) fn judge(text: &str) -> Option<bool> {
    let uts46 = Uts46::new();
    let (mut octets, mut certain) = (0, true);
    for label in text.split(SEPARATORS) {
        let ascii = uts46.to_ascii(label.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
        let (unicode, valid) = uts46.to_unicode(label.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
        let (Ok(ascii), Ok(())) = (ascii, valid) else { return Some(false) };
        octets += ascii.len() + 1;
        // A label that UTS 46 maps to another one is invalid, except that ASCII letters are compared without case.
        if label.is_ascii() && !ascii.eq_ignore_ascii_case(label) || !label.is_ascii() && unicode != label {
            return Some(false);
        }
        // A reserved label that does not decode from Punycode is invalid.
        if label.get(2..4) == Some("--") && unicode == ascii {
            return Some(false);
        }
        certain &= unicode.chars().all(|character| character.is_ascii() || is_plain(character));
    }
    if octets > LONGEST_NAME + 1 { Some(false) } else { certain.then_some(true) }
}

/// Whether IDNA2008 allows a character that UTS 46 allows, without regard to its neighbours.
fn is_plain(character: char) -> bool {
    let in_context = matches!(character, '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}');
    character.is_alphanumeric() && !in_context
}

/// The domains of mail addresses (RFC 6531, section 3.3), without literal addresses. Their labels need not be in normal form.
pub(super) fn mail_domain() -> String {
    let accents = "\u{300}-\u{304}\u{306}-\u{30C}";
    let label = format!("{}|[a-z{LETTERS}](-?[0-9a-z{LETTERS}]|[{MARKS}{accents}]){{0,8}}", ascii(63));
    format!("({label})(\\.({label}))*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_only_if_idna2008_allows_them() {
        let dfa = hostnames(DfaLimits { states: 50_000, bytes: 8 << 20 }).expect("small");
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

    #[test]
    fn a_literal_name_is_judged_with_its_labels_in_punycode() {
        for (name, expected) in [
            ("xn--9n2bp8q.xn--9t4b11yi5a", Some(true)),
            ("www.xn--bcher-kva.de", Some(true)),
            ("XN--bcher-kva", Some(true)),
            ("münchen.de", Some(true)),
            ("παράδειγμα", Some(true)),
            ("a.b", Some(true)),
            // It decodes to a middle dot that stands beside no l.
            ("xn--l-fda", None),
            ("xn--X", Some(false)),
            ("xn--", Some(false)),
            ("xn--example-", Some(false)),
            ("ab--c", Some(false)),
            ("Ü", Some(false)),
            ("-a", Some(false)),
            ("a..b", Some(false)),
            ("a b", Some(false)),
            (&["a".repeat(63).as_str(); 4].join("."), Some(false)),
        ] {
            assert_eq!(judge(name), expected, "{name}");
        }
    }
}
