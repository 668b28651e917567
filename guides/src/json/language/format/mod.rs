//! The formats of JSON Schema (draft 2020-12 validation, section 7.3) as regular languages.
//!
//! Every accepted string is of the format. If a format is not regular, or takes too many states, its automaton accepts a subset:
//!
//! | format | what is not written |
//! |---|---|
//! | `time`, `date-time` | leap seconds with an offset other than `Z`; more than nine digits of a second |
//! | `duration`, `relative-json-pointer` | more than nine digits of a number |
//! | `email`, `idn-email` | domains without a dot |
//! | `hostname` | labels in Punycode (`xn--`), and others with hyphens in third and fourth place |
//! | `idn-hostname`, `idn-email` | most labels beyond ASCII: see `idna` |
//! | `regex` | what `expressions` lists |
//!
//! The digits are not bounded where the options say so ([`Digits::Any`]).
//!
//! A literal of the schema is not written by a model but must be judged exactly: [`Format::possible`] and [`Format::judge`] do that.

mod ecma;
mod expressions;
mod idna;
mod leap;

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::options::Digits;
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};

/// The formats that the drafts define, the most frequent ones first.
pub(crate) const DEFINED: [&str; 21] = [
    "date-time",
    "uri",
    "email",
    "date",
    "uuid",
    "time",
    "hostname",
    "ipv4",
    "ipv6",
    "uri-reference",
    "regex",
    "duration",
    "json-pointer",
    "relative-json-pointer",
    "uri-template",
    "iri",
    "iri-reference",
    "idn-email",
    "idn-hostname",
    "host-name",
    "ip-address",
];

/// The strings of a format: a subset, a superset, and a judge for strings between the two.
#[derive(Debug)]
pub(crate) struct Format {
    /// Every string that it accepts is of the format. These are written.
    pub(crate) dfa: Dfa,
    /// Every string of the format is accepted; `None` if `dfa` is exact.
    pub(crate) possible: Option<Dfa>,
    /// Whether a string that `possible` accepts and `dfa` rejects is of the format; `None` if it cannot tell.
    pub(crate) judge: Option<fn(&str) -> Option<bool>>,
}

impl From<Dfa> for Format {
    fn from(dfa: Dfa) -> Format {
        Format { dfa, possible: None, judge: None }
    }
}

/// The strings of a format; `None` if no draft defines it.
pub(crate) fn language(name: &str, digits: Digits, limits: DfaLimits) -> Result<Option<Format>, RegexError> {
    let whole = |regex: &str| regex::whole(regex, Dialect::Ecma, limits);
    // A part of a format is written; the whole of it is known exactly.
    let part = |dfa: Dfa, all: Dfa| Format { dfa, possible: Some(all), judge: Some(|_| Some(true)) };
    let bounded = digits == Digits::Bounded;
    let second = if bounded { r"(\.[0-9]{1,9})?" } else { SECOND_FRACTION };
    let number = |digits: &str| digits.replace("[0-9]+", "[0-9]{1,9}");
    Ok(Some(match name {
        "time" => {
            let leap = format!("{MINUTE}:60{SECOND_FRACTION}{OFFSET}");
            let all = whole(&format!("({}|{leap})", time(SECOND_FRACTION)))?;
            Format { dfa: whole(&time(second))?, possible: Some(all), judge: Some(leap::judge) }
        }
        "date-time" => {
            let leap = format!("{}[Tt]{MINUTE}:60{SECOND_FRACTION}{OFFSET}", date());
            let all = whole(&format!("({}|{leap})", date_time(SECOND_FRACTION)))?;
            Format { dfa: whole(&date_time(second))?, possible: Some(all), judge: Some(leap::judge) }
        }
        "duration" if bounded => part(whole(&number(DURATION))?, whole(DURATION)?),
        "relative-json-pointer" if bounded => {
            let pointer = |digits: &str| format!("(0|[1-9][0-9]{digits})(#|{JSON_POINTER})");
            part(whole(&pointer("{0,8}"))?, whole(&pointer("*"))?)
        }
        "email" | "idn-email" => {
            let beyond = if name == "email" { "" } else { "\u{80}-\u{10FFFF}" };
            let local = whole(&local_part(beyond))?;
            let mut domain = whole(&mail_domain())?;
            if name == "idn-email" {
                domain = domain.union(&whole(&idna::mail_domain())?, limits.states)?;
            }
            // A name without a dot is a domain (RFC 5321, section 4.1.2), but none that mail from elsewhere reaches.
            let reached = domain.intersection(&whole(r"[^]*\.[^]*|\[[^]*")?, limits.states)?;
            part(address(&local, &reached, limits)?, address(&local, &domain, limits)?)
        }
        "hostname" | "host-name" => {
            // Labels with hyphens in third and fourth place are reserved (RFC 5891, section 4.2.3.1).
            let possible = whole(&hostname())?;
            let reserved = whole(r"([^.]*\.)*[^.]{2}--.*")?;
            let dfa = possible.difference(&reserved, limits.states)?;
            Format { dfa, possible: Some(possible), judge: Some(idna::judge) }
        }
        "idn-hostname" => {
            // Unicode adds letters with each version, so every character beyond ASCII is possible.
            let possible = whole("[-.0-9A-Za-z\u{80}-\u{10FFFF}]+")?;
            Format { dfa: idna::hostnames(limits)?, possible: Some(possible), judge: Some(idna::judge) }
        }
        "regex" => {
            // What begins with a quantifier or a closing bracket is certainly none.
            let possible = whole(r"([^*+?)\]}][^]*)?")?;
            Format { dfa: expressions::language(limits)?, possible: Some(possible), judge: Some(ecma::judge) }
        }
        _ => return Ok(regular(name, limits)?.map(Format::from)),
    }))
}

/// The strings of the other formats, all of them or a regular subset; `None` if no draft defines the format.
fn regular(name: &str, limits: DfaLimits) -> Result<Option<Dfa>, RegexError> {
    let whole = |regex: &str| regex::whole(regex, Dialect::Ecma, limits).map(Some);
    match name {
        "date" => whole(&date()),
        "duration" => whole(DURATION),
        "uuid" => whole("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"),
        "ipv4" | "ip-address" => whole(&ipv4()),
        "ipv6" => whole(&ipv6()),
        "uri" => whole(&uri(false, "", "")),
        "uri-reference" => whole(&uri(true, "", "")),
        "iri" => whole(&uri(false, UCSCHAR, IPRIVATE)),
        "iri-reference" => whole(&uri(true, UCSCHAR, IPRIVATE)),
        "uri-template" => whole(&uri_template()),
        "json-pointer" => whole(JSON_POINTER),
        "relative-json-pointer" => whole(&format!("(0|[1-9][0-9]*)(#|{JSON_POINTER})")),
        _ => Ok(None),
    }
}

/// The greatest number of characters of the strings of a format, if its automaton does not count them (RFC 1035, section 2.3.4).
pub(crate) fn longest(name: &str) -> Option<u32> {
    matches!(name, "hostname" | "host-name").then_some(253)
}

/// RFC 3987, section 2.2: characters beyond ASCII that need no percent-encoding.
const UCSCHAR: &str = concat!(
    "\u{A0}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFEF}\u{10000}-\u{1FFFD}\u{20000}-\u{2FFFD}\u{30000}-\u{3FFFD}",
    "\u{40000}-\u{4FFFD}\u{50000}-\u{5FFFD}\u{60000}-\u{6FFFD}\u{70000}-\u{7FFFD}\u{80000}-\u{8FFFD}",
    "\u{90000}-\u{9FFFD}\u{A0000}-\u{AFFFD}\u{B0000}-\u{BFFFD}\u{C0000}-\u{CFFFD}\u{D0000}-\u{DFFFD}\u{E1000}-\u{EFFFD}"
);
/// RFC 3987, section 2.2: private characters, which only a query may have.
const IPRIVATE: &str = "\u{E000}-\u{F8FF}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}";

const JSON_POINTER: &str = "(/([^~/]|~[01])*)*";

/// RFC 3339, appendix A.
const DURATION: &str = concat!(
    "P(",
    "[0-9]+W",
    "|([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S))?",
    "|T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)",
    ")"
);

/// RFC 3339 full-date, with the days that the month has in that year.
fn date() -> String {
    let leap = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29";
    let days =
        "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    format!("([0-9]{{4}}-{days}|{leap})")
}

/// RFC 3339 time-hour and time-minute.
const MINUTE: &str = "([01][0-9]|2[0-3]):[0-5][0-9]";

/// RFC 3339 time-secfrac.
const SECOND_FRACTION: &str = r"(\.[0-9]+)?";

/// RFC 3339 time-offset.
const OFFSET: &str = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";

/// RFC 3339 full-time, with leap seconds in UTC. The day is unknown, so a leap second is possible.
fn time(second: &str) -> String {
    format!("({MINUTE}:[0-5][0-9]{second}{OFFSET}|23:59:60{second}[Zz])")
}

/// RFC 3339 date-time, with leap seconds in UTC.
fn date_time(second: &str) -> String {
    let date = date();
    format!("({date}[Tt]{MINUTE}:[0-5][0-9]{second}{OFFSET}|[0-9]{{4}}-(06-30|12-31)[Tt]23:59:60{second}[Zz])")
}

/// RFC 2673, section 3.2: four numbers up to 255 without leading zeros.
fn ipv4() -> String {
    let byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    format!("{byte}(\\.{byte}){{3}}")
}

/// RFC 4291, section 2.2.
fn ipv6() -> String {
    let (group, v4) = ("[0-9A-Fa-f]{1,4}", ipv4());
    let last = format!("({group}:{group}|{v4})");
    let mut forms = vec![format!("({group}:){{6}}{last}")];
    // `::` stands for at least one group of zeros, so at most seven groups stand around it.
    for before in 0..=7 {
        let head = if before == 0 { String::new() } else { format!("{group}(:{group}){{{}}}", before - 1) };
        let room = 7 - before;
        let mut tails = vec![String::new()];
        for after in 1..=room {
            tails.push(format!("({group}:){{{}}}{group}", after - 1));
            if after >= 2 {
                tails.push(format!("({group}:){{{}}}{v4}", after - 2));
            }
        }
        forms.push(format!("{head}::({})", tails.join("|")));
    }
    format!("({})", forms.join("|"))
}

/// RFC 1123, section 2.1: labels of letters, digits and inner hyphens, at most 63 each.
fn hostname() -> String {
    let label = "[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?";
    format!("{label}(\\.{label})*")
}

/// RFC 5321, section 4.1.2: dot-atom or quoted string. With characters beyond ASCII, RFC 6531, section 3.3.
fn local_part(beyond: &str) -> String {
    let atom = format!("[0-9A-Za-z!#$%&'*+/=?^_`{{|}}~{beyond}-]+");
    let quoted = format!(r#""([ !#-\[\]-~{beyond}]|\\[ -~])*""#);
    format!("({atom}(\\.{atom})*|{quoted})")
}

fn mail_domain() -> String {
    let label = "[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?";
    format!("({label}(\\.{label})*|\\[{}\\]|\\[IPv6:{}\\])", ipv4(), ipv6())
}

/// A local part of at most 64 octets (RFC 5321, section 4.5.3.1.1), an at sign, a domain.
fn address(local: &Dfa, domain: &Dfa, limits: DfaLimits) -> Result<Dfa, TooManyStates> {
    #[derive(Clone, PartialEq, Eq, Hash)]
    enum At {
        Local(u32, u32),
        Domain(u32),
    }
    let (class_of, bytes) = Dfa::common_classes(&[local, domain], |byte| byte == b'@');
    let step = |at: &At, class: usize| match *at {
        // An unquoted local part has no at sign, and a quoted one is complete only after its quote.
        At::Local(state, _) if bytes[class] == b'@' && local.accepts_at(state) => Some(At::Domain(domain.start())),
        At::Local(state, written) => {
            let next = local.next(state, bytes[class]);
            (next != 0 && written < 64).then_some(At::Local(next, written + 1))
        }
        At::Domain(state) => Some(domain.next(state, bytes[class])).filter(|&next| next != 0).map(At::Domain),
    };
    let accepts = |at: &At| matches!(*at, At::Domain(state) if domain.accepts_at(state));
    let class = |byte: u8| class_of[usize::from(byte)];
    Dfa::build(class, bytes.len(), At::Local(local.start(), 0), limits.states, step, accepts)
}

/// RFC 3986, appendix A; with `reference` relative references too. With characters `beyond` ASCII, and `private` ones for queries, it is
/// RFC 3987, section 2.2.
fn uri(reference: bool, beyond: &str, private: &str) -> String {
    let unreserved = r"0-9A-Za-z._~\-";
    let sub = "!$&'()*+,;=";
    let percent = "%[0-9A-Fa-f]{2}";
    let pchar = format!("([{unreserved}{beyond}{sub}:@]|{percent})");
    let literal = format!("\\[({}|[vV][0-9A-Fa-f]+\\.[{unreserved}{sub}:]+)\\]", ipv6());
    let host = format!("({literal}|([{unreserved}{beyond}{sub}]|{percent})*)");
    let authority = format!("(([{unreserved}{beyond}{sub}:]|{percent})*@)?{host}(:[0-9]*)?");
    let abempty = format!("(/{pchar}*)*");
    let absolute = format!("/({pchar}+(/{pchar}*)*)?");
    let rootless = format!("{pchar}+(/{pchar}*)*");
    let tail = format!("(\\?({pchar}|[/?{private}])*)?(#({pchar}|[/?])*)?");
    let full = format!("[A-Za-z][0-9A-Za-z+.-]*:(//{authority}{abempty}|{absolute}|{rootless}|){tail}");
    if !reference {
        return full;
    }
    let first = format!("([{unreserved}{beyond}{sub}@]|{percent})+");
    format!("({full}|(//{authority}{abempty}|{absolute}|{first}(/{pchar}*)*|){tail})")
}

/// RFC 6570, section 2.
fn uri_template() -> String {
    let percent = "%[0-9A-Fa-f]{2}";
    let literal = format!(r"([!#$&-;=?-\[\]_a-z~{UCSCHAR}{IPRIVATE}]|{percent})");
    let character = format!("([0-9A-Za-z_]|{percent})");
    let name = format!("{character}(\\.?{character})*");
    let variable = format!("{name}(:[1-9][0-9]{{0,3}}|\\*)?");
    // The operators that section 2.2 reserves have no meaning yet, so they are not written.
    format!("({literal}|\\{{[+#./;?&]?{variable}(,{variable})*\\}})*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, yes: &[&str], no: &[&str]) {
        let limits = DfaLimits { states: 50_000, bytes: 16 << 20 };
        let dfa = language(name, Digits::Bounded, limits).expect("small").expect("enforced").dfa;
        for text in yes {
            assert!(dfa.accepts(text.as_bytes()), "{text} is a {name}");
        }
        for text in no {
            assert!(!dfa.accepts(text.as_bytes()), "{text} is no {name}");
        }
    }

    #[test]
    fn a_format_accepts_the_strings_of_its_standard() {
        check(
            "date",
            &["2024-02-29", "2000-02-29", "1999-12-31"],
            &["2023-02-29", "1900-02-29", "2024-04-31", "2024-1-1", "24-01-01"],
        );
        check(
            "time",
            &["08:30:06Z", "23:59:60Z", "15:59:59.123-08:00", "23:59:60.5z"],
            &["08:30:06", "24:00:00Z", "22:59:60Z", "08:30Z", "23:59:60+01:00", "22:59:60-01:00", "23:59:61Z"],
        );
        check(
            "date-time",
            &["1963-06-19T08:30:06.283185Z", "1990-12-31t23:59:60z", "2012-06-30T23:59:60.25Z"],
            &[
                "1963-06-19 08:30:06Z",
                "2013-350T01:01:01",
                "2025-03-14T23:59:60Z",
                "1990-12-31T15:59:60-08:00",
                "1963-06-19T08:30:06.0123456789Z",
            ],
        );
        check(
            "duration",
            &["P4DT12H30M5S", "P1Y2M", "PT36H", "P2W"],
            &["P", "PT", "P1D2H", "P1Y2W", "4D", "P1YT", "P1234567890D"],
        );
        check(
            "uuid",
            &["2EB8AA08-AA98-11EA-B4AA-73B441D16380"],
            &["2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4ga-73b441d16380"],
        );
        check("ipv4", &["192.168.0.1", "0.0.0.0"], &["256.1.1.1", "01.1.1.1", "1.1.1", "1.1.1.1."]);
        check(
            "ipv6",
            &["::1", "::", "1:2:3:4:5:6:7:8", "::ffff:192.168.0.1", "1::8", "1:2:3:4:5:6:7::"],
            &["1:2:3:4:5:6:7", "::1::", "12345::", "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:1.2.3.4.5"],
        );
        check("hostname", &["www.example.com", "a", "1host"], &["-a", "a-", "xn--x", "a..b", ".a", "a_b", ""]);
        check(
            "email",
            &[
                "joe.bloggs@example.com",
                "\"joe bloggs\"@example.com",
                "te~st@example.com",
                "a@[127.0.0.1]",
                "a@[IPv6:::1]",
            ],
            &[".a@b.c", "a..b@c.d", "a", "a@", "a@b", &format!("{}@b.c", "a".repeat(65))],
        );
        check(
            "idn-email",
            &[
                "실례@실례.테스트",
                "\"δοκιμή\"@example.com",
                "user@cafe\u{301}.com",
                "\u{85}@a.b",
                "𝕏@a.b",
                "é@bücher.de",
            ],
            &[
                "2962",
                "user＠example.com",
                "a@-ü",
                "a@ü-",
                "a@\u{301}",
                "a@x\u{200D}y",
                "a@א",
                "é@a",
                &format!("{}@b.c", "é".repeat(33)),
            ],
        );
        check(
            "email",
            &[&format!("{}@b.c", "a".repeat(64)), "\"a@b\"@c.d"],
            &[&format!("\"{}@\"@b.c", "a".repeat(62))],
        );
        check(
            "uri",
            &["http://foo.bar/?baz=qux#quux", "urn:oasis:names", "http://[::1]:80/", "mailto:a@b.c"],
            &["//foo.bar", "/abc", "http:// x", "a b", "http://a/%zz"],
        );
        check("uri-reference", &["/abc", "//foo.bar/?baz", "abc", "#frag", ""], &["\\\\WINDOWS", "#fr\\ag", ":a"]);
        check(
            "iri",
            &["http://ƒøø.ßår/?∂éœ=πîx#πîüx", "http://a/?\u{E000}"],
            &["/abc", "http://2001:0db8:85a3::7334]", "http://a/\u{E000}", "\u{A0}:a"],
        );
        check("iri-reference", &["//ƒøø.ßår/", "âππ", ""], &["\\\\WINDOWS", "#ƒräg\\mênt"]);
        check(
            "uri-template",
            &["http://example.com/dictionary/{term:1}/{term}", "{?x,y,empty}", "{/list*}", "", "{%41.b}"],
            &["http://example.com/dictionary/{term:1}/{term", "{}", "{a..b}", "{x:0}", "a b", "}"],
        );
        check("json-pointer", &["/foo/bar~0/baz~1/%a", "", "//"], &["/foo/bar~", "/~2", "foo"]);
        check("relative-json-pointer", &["1", "0/foo", "2#"], &["/foo", "-1/foo", "01", "0##"]);
    }
}
