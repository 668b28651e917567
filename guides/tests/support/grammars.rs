//! The example grammars in `grammars/`, a vocabulary of their words, and random walks.

use jig_guides::{CompileError, Compiler, Guide, GuideState, Limits, Options, Source, Vocabulary};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::Random;

/// An example grammar.
pub struct Example {
    pub file: &'static str,
    /// What random texts are made of.
    pub pieces: &'static [&'static str],
    /// Of the texts that are compared with `lark`: those that Jig made, damaged ones, and random ones, that are in the language.
    pub in_language: [usize; 3],
}

pub const EXAMPLES: [Example; 5] = [
    Example {
        file: "arithmetic.gbnf",
        pieces: &["1", "23", ".", "(", ")", "+", "-", "*", "/", " ", "\n"],
        in_language: [200, 137, 33],
    },
    Example {
        file: "json.gbnf",
        pieces: &["{", "}", "[", "]", ",", ":", "\"a\"", "\"", "1", "0", "-", "e2", ".5", " ", "\n", "true", "\\u00e9"],
        in_language: [200, 129, 32],
    },
    Example {
        file: "list.lark",
        pieces: &["[", "[", "]", "]", ",", "a", "1", "-", "e2", ".5", " ", "\n", "\"x\"", "\"", "\\", "#", "# x\n"],
        in_language: [200, 184, 5],
    },
    Example {
        file: "nested_comments.lark",
        pieces: &["x", "=", "1", ";", "{", "}", "begin", "end", " ", "(", ")", "+", "\n", "x=1;", "{}"],
        in_language: [200, 151, 30],
    },
    Example {
        file: "sql.lark",
        pieces: &[
            "select ", "Select", "*", " from ", "from", "a", "b", " where ", "=", "1", "'s'", "(", ")", ",", " ",
            "--c\n", ";", " or ",
        ],
        in_language: [200, 120, 1],
    },
];

impl Example {
    pub fn grammar(&self) -> String {
        read(self.file)
    }

    pub fn stem(&self) -> &'static str {
        self.file.split('.').next().expect("a name")
    }

    /// The same language in plain Lark.
    pub fn plain(&self) -> String {
        read(&format!("plain/{}.lark", self.stem()))
    }

    pub fn document(&self) -> String {
        read(&format!("documents/{}.txt", self.stem()))
    }

    pub fn guide(&self) -> Guide {
        guide(&Source::Grammar(self.grammar()))
    }
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/grammars")
}

pub fn read(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All bytes, the words of the documents with what is before and behind them, a special token and the end token.
pub fn vocabulary() -> Arc<Vocabulary> {
    static VOCABULARY: OnceLock<Arc<Vocabulary>> = OnceLock::new();
    let made = || {
        let mut words = BTreeSet::new();
        for example in &EXAMPLES {
            let document = example.document();
            let starts: Vec<usize> = document.char_indices().map(|(at, _)| at).chain([document.len()]).collect();
            let ends = |kind: fn(&char) -> bool, at: usize| {
                document[at..].chars().take_while(kind).map(char::len_utf8).sum::<usize>() + at
            };
            for pair in starts.windows(2) {
                let (at, next) = (pair[0], pair[1]);
                let word = ends(|c| c.is_alphanumeric(), next);
                words.insert(document.as_bytes()[at..word].to_vec());
                words.insert(document.as_bytes()[at..ends(|c| !c.is_alphanumeric(), next)].to_vec());
            }
        }
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let words = words.into_iter().filter(|word| word.len() > 1);
        let tokens: Vec<Option<Vec<u8>>> = bytes.chain(words).map(Some).chain([None, None]).collect();
        let end = tokens.len() as u32 - 1;
        Arc::new(Vocabulary::new(tokens, vec![end]).expect("a vocabulary"))
    };
    VOCABULARY.get_or_init(made).clone()
}

pub fn special() -> u32 {
    vocabulary().len() as u32 - 2
}

pub fn compiler() -> &'static Compiler {
    static COMPILER: OnceLock<Compiler> = OnceLock::new();
    COMPILER.get_or_init(|| Compiler::new(vocabulary(), Limits::default()))
}

pub fn compile(source: &Source) -> Result<Guide, CompileError> {
    compiler().compile(source, &Options::default())
}

pub fn guide(source: &Source) -> Guide {
    compile(source).unwrap_or_else(|error| panic!("{source:?}: {error}"))
}

/// The states before each token of a text and behind the last, with the longest token at each place; up to the first that is refused.
pub fn states(guide: &Guide, text: &[u8]) -> Vec<GuideState> {
    let vocabulary = vocabulary();
    let mut states = vec![guide.start()];
    let mut rest = text;
    while !rest.is_empty() {
        let tokens = (0..vocabulary.len() as u32).filter_map(|id| Some((vocabulary.bytes(id)?.len(), id)));
        let tokens = tokens.filter(|&(_, id)| rest.starts_with(vocabulary.bytes(id).unwrap_or_default()));
        let (length, token) = tokens.max().expect("each byte is a token");
        let mut next = states[states.len() - 1].clone();
        if next.advance(token).is_err() {
            break;
        }
        states.push(next);
        rest = &rest[length..];
    }
    states
}

/// A token of the mask: even over the mask, or a short one that is ASCII if there is one among four.
pub fn draw(state: &GuideState, left: u32, short: bool, random: &mut Random) -> Option<u32> {
    let vocabulary = vocabulary();
    let allowed = state.mask(Some(left)).tokens(vocabulary.len());
    let bytes = |token: u32| vocabulary.bytes(token).unwrap_or_default();
    let drawn = (0..if short { 4 } else { 1 }).map(|_| allowed.get(random.below(allowed.len())).copied());
    drawn.min_by_key(|token| token.map(|token| (!bytes(token).is_ascii(), bytes(token).len())))?
}

/// Samples within a budget; the states, and the bytes of the output.
///
/// # Errors
/// Why the walk has a dead end.
pub fn walk(guide: &Guide, budget: u32, random: &mut Random) -> Result<(Vec<GuideState>, Vec<u8>), String> {
    let vocabulary = vocabulary();
    let (mut states, mut output) = (vec![guide.start()], Vec::new());
    let short = random.below(3) > 0;
    for left in (0..=budget).rev() {
        let mut state = states[states.len() - 1].clone();
        if state.must_end() {
            return Ok((states, output));
        }
        let shown = String::from_utf8_lossy(&output);
        let token = draw(&state, left, short, random).ok_or_else(|| format!("{left} of {budget} left: {shown}"))?;
        state.advance(token).map_err(|refused| format!("{refused}: {shown}"))?;
        if vocabulary.end_tokens().contains(&token) {
            return if state.may_end() { Ok((states, output)) } else { Err(format!("ends too early: {shown}")) };
        }
        output.extend_from_slice(vocabulary.bytes(token).unwrap_or_default());
        states.push(state);
    }
    Err(format!("more than the budget of {budget}: {}", String::from_utf8_lossy(&output)))
}

pub fn budget(guide: &Guide, random: &mut Random) -> u32 {
    let slack = [0, random.below(4), random.below(12), random.below(40), random.below(200)];
    guide.min_tokens() + slack[random.below(slack.len())] as u32
}
