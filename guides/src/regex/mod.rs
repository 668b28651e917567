//! Regular expressions to automata.

mod looks;
pub(crate) mod syntax;

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use regex_syntax::hir::{Class, Dot, Hir, HirKind, Repetition};
pub(crate) use syntax::Dialect;
use syntax::Translated;

/// Why a regex was not compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RegexError {
    /// It is no regex: position in characters, reason.
    Syntax(usize, String),
    /// It asks for something that is not regular or not built: position in characters, construct, reason.
    Unsupported(usize, &'static str, String),
    /// The automaton would be too big.
    TooBig,
}

impl From<TooManyStates> for RegexError {
    fn from(_: TooManyStates) -> RegexError {
        RegexError::TooBig
    }
}

/// The automaton of the texts that the regex matches from first to last character.
pub(crate) fn whole(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    compiled(regex, dialect, false, limits)
}

/// The automaton of the texts in which the regex matches somewhere.
pub(crate) fn anywhere(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    compiled(regex, dialect, true, limits)
}

fn compiled(regex: &str, dialect: Dialect, around: bool, limits: DfaLimits) -> Result<Dfa, RegexError> {
    match syntax::translate(regex, dialect)? {
        Translated::Plain(regex) => {
            let parts = [around.then(any), Some(parsed(&regex)?), around.then(any)];
            Ok(Dfa::from_hir(&Hir::concat(parts.into_iter().flatten().collect()), limits)?)
        }
        Translated::Marked(regex) => looks::compile(&regex, around, limits),
    }
}

/// Any text.
fn any() -> Hir {
    let sub = Box::new(Hir::dot(Dot::AnyChar));
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub })
}

/// Reads what [`syntax`] wrote.
fn parsed(translated: &str) -> Result<Hir, RegexError> {
    regex_syntax::ParserBuilder::new()
        .nest_limit(200)
        // Marks are no UTF-8.
        .utf8(false)
        .build()
        .parse(translated)
        .map_err(|error| RegexError::Syntax(0, describe(&error)))
}

/// The reason without the picture of the translated regex, which the author of the regex never saw.
fn describe(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "not understood".to_owned(),
    }
}

/// The characters beyond ASCII that a regex speaks of, assertions aside, in ranges of which it does not tell the characters apart.
pub(crate) fn ranges_beyond_ascii(regex: &str, dialect: Dialect) -> Result<Vec<(u32, u32)>, RegexError> {
    let (Translated::Plain(regex) | Translated::Marked(syntax::Marked { regex, .. })) =
        syntax::translate(regex, dialect)?;
    let (mut open, mut ranges) = (vec![parsed(&regex)?], Vec::new());
    while let Some(hir) = open.pop() {
        match hir.into_kind() {
            HirKind::Literal(literal) => {
                let text = String::from_utf8_lossy(&literal.0);
                ranges.extend(text.chars().map(|character| (u32::from(character), u32::from(character))));
            }
            HirKind::Class(Class::Unicode(class)) => {
                ranges.extend(class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))));
            }
            HirKind::Repetition(repetition) => open.push(*repetition.sub),
            HirKind::Capture(capture) => open.push(*capture.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => open.extend(parts),
            HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => {}
        }
    }
    let mut cuts: Vec<u32> = ranges.iter().flat_map(|&(low, high)| [low, high + 1]).chain([0x80]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let pieces = cuts.windows(2).map(|pair| (pair[0], pair[1] - 1)).filter(|&(low, _)| low >= 0x80);
    Ok(pieces.filter(|piece| ranges.iter().any(|(low, high)| (low..=high).contains(&&piece.0))).collect())
}
