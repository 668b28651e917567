//! The format `regex`: a regular subset of the regular expressions of ECMA-262 (section 22.2.1, with the flag `u`).
//!
//! Alternatives, groups, names of groups, look-ahead and look-behind, quantifiers and lazy ones, classes, ranges, escapes and properties are
//! written. Some rules of the syntax are not regular. The subset obeys them by construction:
//!
//! | rule | in the subset |
//! |---|---|
//! | parentheses match | groups are nested at most five deep, and look-around does not stand in look-around |
//! | names of groups are unique | at most three groups have names, which begin with a to i, with j to r, and with anything else |
//! | `{m,n}` is in order | `n` has more digits than `m`, or `m` is 0 or 1 |
//! | `[a-b]` is in order | a range begins with the first letter or digit, or ends with the last; or it is one of `\x00-\xHH`, `\u0000-\uHHHH`, `\u4e00-\u9fHH` |
//! | `\k<name>` refers to a group | the name has one letter, and the rest of the expression has no groups |
//!
//! What else is not written, and how the same is said:
//!
//! | left out | instead |
//! |---|---|
//! | `\1`, since the group must exist | `\k<a>` |
//! | `\0`, since no digit may follow | `\x00` |
//! | `\p{...}` of most scripts and binary properties | the properties listed here |
//! | `(?i:...)` | classes with both cases |
//! | control characters, and ranges beyond those above | escapes, and the members of the range |

use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};

/// The deepest nesting of groups.
const NESTING: u8 = 5;

/// The state of a regular expression that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cursor {
    /// How many groups are open.
    depth: u8,
    /// The depth of the open look-ahead or look-behind, 0 if none is open. A quantifier must not follow it.
    look: u8,
    /// The kinds of first letters of the names so far, as bits.
    named: u8,
    place: Within,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Within {
    /// Between two pieces; whether a quantifier may follow.
    Between(bool),
    /// In an atom or an assertion: the states of both automata.
    Piece(u32, u32),
    /// In a quantifier: the state of its automaton.
    Quantifier(u32),
    /// After `(`.
    Open,
    /// After `(?`.
    Kind,
    /// After `(?<`.
    Angle,
    /// In the name of a group.
    Name,
}

/// The automata of the pieces. Accepted atoms and assertions are prefix-free, so the first accepting state ends the piece. Quantifiers are
/// not: `*` is a prefix of `*?`.
struct Pieces {
    atom: Dfa,
    assertion: Dfa,
    quantifier: Dfa,
}

/// The regular expressions.
pub(super) fn language(limits: DfaLimits) -> Result<Dfa, RegexError> {
    let whole = |regex: &str| regex::whole(regex, Dialect::Ecma, limits);
    let pieces =
        Pieces { atom: whole(&atom())?, assertion: whole(r"\^|\$|\\[bB]")?, quantifier: whole(&quantifier())? };
    // Used only for its classes of bytes: it distinguishes the bytes with a meaning between pieces.
    let groups = whole(r"\((\?(:|<?[=!]|<([a-i]|[j-r]:|[A-Zs-z_$]=)[0-9A-Za-z_$]*>))?|\)|\|")?;
    let automata = [&pieces.atom, &pieces.assertion, &pieces.quantifier, &groups];
    let (class_of, bytes) = Dfa::common_classes(&automata, |_| false);
    let start = Cursor { depth: 0, look: 0, named: 0, place: Within::Between(false) };
    let expressions = Dfa::build(
        |byte| class_of[usize::from(byte)],
        bytes.len(),
        start,
        limits.states,
        |at, class| at.step(&pieces, bytes[class]),
        |at| at.depth == 0 && at.is_between(&pieces),
    )?;
    Ok(expressions.union(&whole(&referring())?, limits.states)?)
}

impl Cursor {
    fn is_between(self, pieces: &Pieces) -> bool {
        match self.place {
            Within::Between(_) => true,
            Within::Quantifier(state) => pieces.quantifier.accepts_at(state),
            _ => false,
        }
    }

    fn step(self, pieces: &Pieces, byte: u8) -> Option<Cursor> {
        let to = |place| Some(Cursor { place, ..self });
        match (self.place, byte) {
            (Within::Between(_), b'(') if self.depth < NESTING => to(Within::Open),
            (Within::Between(_), b')') if self.depth > 0 => {
                let ends_look = self.look == self.depth;
                let look = if ends_look { 0 } else { self.look };
                Some(Cursor { depth: self.depth - 1, look, place: Within::Between(!ends_look), ..self })
            }
            (Within::Between(_), b'|') => to(Within::Between(false)),
            (Within::Between(repeatable), _) => match pieces.quantifier.next(pieces.quantifier.start(), byte) {
                0 => self.piece(pieces, pieces.atom.start(), pieces.assertion.start(), byte),
                state if repeatable => to(Within::Quantifier(state)),
                _ => None,
            },
            (Within::Piece(atom, assertion), _) => self.piece(pieces, atom, assertion, byte),
            (Within::Quantifier(state), _) => match pieces.quantifier.next(state, byte) {
                0 if pieces.quantifier.accepts_at(state) => {
                    Cursor { place: Within::Between(false), ..self }.step(pieces, byte)
                }
                0 => None,
                next => to(Within::Quantifier(next)),
            },
            (Within::Open, b'?') => to(Within::Kind),
            (Within::Open, _) => self.open(false).step(pieces, byte),
            (Within::Kind, b':') => Some(self.open(false)),
            (Within::Kind | Within::Angle, b'=' | b'!') if self.look == 0 => Some(self.open(true)),
            (Within::Kind, b'<') => to(Within::Angle),
            (Within::Angle, b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$') => {
                let kind = match byte {
                    b'a'..=b'i' => 1,
                    b'j'..=b'r' => 2,
                    _ => 4,
                };
                let fresh = self.named & kind == 0;
                fresh.then_some(Cursor { named: self.named | kind, place: Within::Name, ..self })
            }
            (Within::Name, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$') => to(Within::Name),
            (Within::Name, b'>') => Some(self.open(false)),
            _ => None,
        }
    }

    fn piece(self, pieces: &Pieces, atom: u32, assertion: u32, byte: u8) -> Option<Cursor> {
        let (atom, assertion) = (pieces.atom.next(atom, byte), pieces.assertion.next(assertion, byte));
        let place = match (pieces.atom.accepts_at(atom), pieces.assertion.accepts_at(assertion)) {
            (true, _) => Within::Between(true),
            (_, true) => Within::Between(false),
            _ if (atom, assertion) == (0, 0) => return None,
            _ => Within::Piece(atom, assertion),
        };
        Some(Cursor { place, ..self })
    }

    fn open(self, looks: bool) -> Cursor {
        let depth = self.depth + 1;
        Cursor { depth, look: if looks { depth } else { self.look }, place: Within::Between(false), ..self }
    }
}

fn quantifier() -> String {
    let count = r"\{([0-9]{1,3},?|0,[0-9]{1,3}|1,[1-9][0-9]{0,2}|[2-9],[1-9][0-9]{1,2}|[1-9][0-9],[1-9][0-9]{2})\}";
    format!("([*+?]|{count})\\??")
}

fn atom() -> String {
    let hex = "[0-9A-Fa-f]";
    let category = "L[ulmto]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfno]?";
    let property = format!("{category}|Letter|ASCII|Alphabetic|Emoji|Uppercase|Lowercase|Script=(Greek|Han|Latin)");
    let unit = format!("D[0-7]{hex}{{2}}|[0-9A-CEFa-cef]{hex}{{3}}");
    let escape = format!(
        r"\\([fnrtv]|c[A-Za-z]|x{hex}{{2}}|u({unit})|u\{{0{{0,4}}{hex}{{1,4}}\}}|[dDsSwW^$\\.*+?()\[\]{{}}|/]|[pP]\{{({property})\}})"
    );
    // Any two ends would take a state for each first character, and a class several times as many states.
    let letters = "[0-9]-9|0-[0-9]|[A-Z]-Z|A-[A-Z]|[a-z]-z|a-[a-z]";
    let ranges = format!(r"{letters}|\\x00-\\x{hex}{{2}}|\\u0000-\\u({unit})|\\u4e00-\\u9f{hex}{{2}}");
    // A hyphen is a member of a class at its ends only: after a character it would begin a range.
    let member = format!(r"([^\\\]\-\[\x00-\x1f]|{escape}|\\[b-]|{ranges})");
    let class = format!(r"\[\^?-?({member}*|{member}+-)\]");
    let character = r"[^\\^$.*+?()\[\]{}|\x00-\x1f]";
    format!("({character}|\\.|{escape}|{class})")
}

/// The expressions with a back reference: a named group and a reference to it, in plain surroundings.
fn referring() -> String {
    let plain = r#"(([0-9A-Za-z ,;:_'"-]|\.|\\[dDsSwW]|\[\^?[0-9A-Za-z ,;:_'"]+\])([*+?]\??)?)*"#;
    let named = (b'a'..=b'z').map(|name| {
        let name = name as char;
        format!(r"{name}>{plain}\){plain}\\k<{name}>")
    });
    format!(r"{plain}\(\?<({}){plain}", named.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_texts_are_regular_expressions_of_ecma_262() {
        let dfa = language(DfaLimits { states: 50_000, bytes: 8 << 20 }).expect("small");
        for yes in [
            r"([abc])+\s+$",
            r"^(?:a|b{2,10}?)*[^a-f3-9_-]\p{L}$",
            r"\u00e9|é",
            "(a(b(c)))",
            "",
            "()|(|)",
            "(?=a)b(?<!c)",
            "a{1,5}",
            r"^(?<year>\d{4})-(\d\d)$",
            r"(?:a(?<_x$1>b)*)+",
            r#"(?<q>['"]?).*?\k<q>"#,
            r"\bé\b",
            "^/api/(.*)$",
            r"^[-+.\w/]+(?:/[\-a-z\b]*)*\/?$",
            "((((a))))|(?:(b(c(d(e)))))",
            r"(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)",
            r"(?=.*\d)(?=.*[A-Z])(?!.*\s)(?<![^a]b).{8,}",
            r"[\x00-\x7f\u4e00-\u9fa5]\p{Lu}\P{Zs}\p{Script=Han}\p{Emoji}",
            "[-a]|[a-]|[-a-z0-9-]",
        ] {
            assert!(dfa.accepts(yes.as_bytes()), "{yes}");
        }
        for no in [
            "^(abc]",
            "a**",
            "[z-a]",
            r"\a",
            "(?P<x>a)",
            "a{2,1}",
            "a{",
            ")",
            r"\",
            "(?i)a",
            "^*",
            r"\1",
            r"\Z",
            "(?=a)*",
            r"\b+",
            "(?<1>a)",
            "(?<>a)",
            "(?<x>a)(?<x>b)",
            r"(?<x>a)\k<y>",
            r"\k<x>",
            "(?<x",
            "((((((a))))))",
            "(((",
            r"\0",
            r"\01",
            "(?<ab>a)(?<ac>b)",
            "(?=(?=a))",
            "[a--]",
            "(?=a){2}",
            "((?=a)*)",
        ] {
            assert!(!dfa.accepts(no.as_bytes()), "{no}");
        }
    }
}
