//! The format `regex`: a regular subset of the regular expressions of ECMA-262 (section 22.2.1, with the flag `u`).
//!
//! Some of its rules are not regular. The subset obeys them by construction:
//!
//! | rule | in the subset |
//! |---|---|
//! | parentheses match | groups are nested at most three deep |
//! | names of groups are unique | at most one group has a name |
//! | `{m,n}` is in order | `n` has more digits than `m`, or `m` is 0 or 1 |
//! | `[a-b]` is in order | a range begins with the first letter or digit, or ends with the last |
//! | `\k<name>` refers to a group | the name has one letter, and the rest of the expression has no groups |

use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};

/// The deepest nesting of groups.
const NESTING: usize = 3;

/// The state of a regular expression that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cursor {
    depth: usize,
    /// The depths of open look-aheads and look-behinds, as bits: a quantifier must not follow them.
    looks: u8,
    /// Whether a group has a name.
    named: bool,
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
    let groups = whole(r"\((\?(:|<?[=!]|<[A-Za-z_$][0-9A-Za-z_$]*>))?|\)|\|")?;
    let automata = [&pieces.atom, &pieces.assertion, &pieces.quantifier, &groups];
    let (class_of, bytes) = Dfa::common_classes(&automata, |_| false);
    let start = Cursor { depth: 0, looks: 0, named: false, place: Within::Between(false) };
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
                let depth = self.depth - 1;
                let bit = 1 << depth;
                Some(Cursor { depth, looks: self.looks & !bit, place: Within::Between(self.looks & bit == 0), ..self })
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
            (Within::Kind | Within::Angle, b'=' | b'!') => Some(self.open(true)),
            (Within::Kind, b'<') => to(Within::Angle),
            (Within::Angle, b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$') if !self.named => to(Within::Name),
            (Within::Name, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$') => to(Within::Name),
            (Within::Name, b'>') => Some(Cursor { named: true, ..self }.open(false)),
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
        let looks = self.looks | u8::from(looks) << self.depth;
        Cursor { depth: self.depth + 1, looks, place: Within::Between(false), ..self }
    }
}

fn quantifier() -> String {
    let count = r"\{([0-9]{1,3},?|0,[0-9]{1,3}|1,[1-9][0-9]{0,2}|[2-9],[1-9][0-9]{1,2}|[1-9][0-9],[1-9][0-9]{2})\}";
    format!("([*+?]|{count})\\??")
}

fn atom() -> String {
    let hex = "[0-9A-Fa-f]";
    let escape = format!(
        r"\\([fnrtv]|0|c[A-Za-z]|x{hex}{{2}}|u(D[0-7]{hex}{{2}}|[0-9A-CEFa-cef]{hex}{{3}})|u\{{0{{0,4}}{hex}{{1,4}}\}}|[dDsSwW^$\\.*+?()\[\]{{}}|/]|[pP]\{{(L|Lu|Ll|Lt|Lm|Lo|M|N|Nd|P|S|Z|Zs|C|Letter|ASCII|Alphabetic)\}})"
    );
    // Any two ends would take a state for each first character, and a class several times as many states.
    let ranges = "[0-9]-9|0-[0-9]|[A-Z]-Z|A-[A-Z]|[a-z]-z|a-[a-z]";
    // A hyphen is a member of a class at its end only: after a character it would begin a range.
    let member = format!(r"([^\\\]\-\[\x00-\x1f]|{escape}|{ranges})");
    let class = format!(r"\[\^?({member}*|{member}+-)\]");
    let character = r"[^\\^$.*+?()\[\]{}|/\x00-\x1f]";
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
            "(((())))",
        ] {
            assert!(!dfa.accepts(no.as_bytes()), "{no}");
        }
    }
}
