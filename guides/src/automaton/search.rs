//! Texts up to the first occurrence of one of some words (Aho, Corasick 1975), and texts with an end that occurs nowhere else.
//!
//! A state is the state of the text and the longest suffix of what was read that begins a word. For example, with the word `<tool>` it is
//! `<to` after `a<t<to`. A word that is excluded leads to the dead state, one that ends the text to a final state.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::automaton::marks::is_mark;
use foldhash::{HashMap, HashMapExt};

/// What may occur in a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    /// The text ends with the first of these, each at least one byte.
    pub(crate) ends: &'a [Vec<u8>],
    /// None of these occurs, unless a text ends sooner.
    pub(crate) excluded: &'a [Vec<u8>],
    /// Whether a text may also end without one of `ends`.
    pub(crate) open: bool,
}

/// The texts up to a word.
#[derive(Debug)]
pub(crate) struct TextsUpTo {
    pub(crate) dfa: Dfa,
    /// By final state the words that were found, as indices into [`Words::ends`].
    pub(crate) found: HashMap<u32, Vec<u32>>,
}

/// The words as a trie with the suffix links of Aho and Corasick, as a complete table.
struct Matcher {
    /// By node and byte the next node.
    next: Vec<[u32; 256]>,
    /// By node the words that end there.
    ends: Vec<Vec<u32>>,
    excluded: Vec<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Searching {
    /// The state of the text, and the node of the matcher.
    Within(u32, u32),
    Found(Vec<u32>),
}

impl Matcher {
    fn new(words: &Words<'_>, limit: usize) -> Result<Matcher, TooManyStates> {
        let mut matcher = Matcher { next: vec![[0; 256]], ends: vec![Vec::new()], excluded: vec![false] };
        for (index, word) in (0..).zip(words.ends) {
            let node = matcher.insert(word, limit)?;
            matcher.ends[node].push(index);
        }
        for word in words.excluded {
            let node = matcher.insert(word, limit)?;
            matcher.excluded[node] = true;
        }
        matcher.link();
        Ok(matcher)
    }

    fn insert(&mut self, word: &[u8], limit: usize) -> Result<usize, TooManyStates> {
        let mut node = 0;
        for &byte in word {
            if self.next[node][usize::from(byte)] == 0 {
                if self.next.len() >= limit {
                    return Err(TooManyStates);
                }
                self.next[node][usize::from(byte)] = self.next.len() as u32;
                self.next.push([0; 256]);
                self.ends.push(Vec::new());
                self.excluded.push(false);
            }
            node = self.next[node][usize::from(byte)] as usize;
        }
        Ok(node)
    }

    /// Completes the table, breadth first: the suffix of a node is shorter, so its row is complete already.
    fn link(&mut self) {
        let mut suffix = vec![0usize; self.next.len()];
        let mut level: Vec<usize> = self.next[0].iter().filter(|&&node| node != 0).map(|&node| node as usize).collect();
        while !level.is_empty() {
            let mut below = Vec::new();
            for node in level {
                let shorter = suffix[node];
                let more = self.ends[shorter].clone();
                self.ends[node].extend(more);
                self.excluded[node] |= self.excluded[shorter];
                for byte in 0..256 {
                    let (child, other) = (self.next[node][byte], self.next[shorter][byte]);
                    if child == 0 {
                        self.next[node][byte] = other;
                    } else {
                        suffix[child as usize] = other as usize;
                        below.push(child as usize);
                    }
                }
            }
            level = below;
        }
    }
}

/// The texts of `text` up to the first occurrence of a word. A mark is a word of its own, and may stand wherever a text may end.
pub(crate) fn up_to(text: &Dfa, words: Words<'_>, limit: usize) -> Result<TextsUpTo, TooManyStates> {
    let matcher = Matcher::new(&words, limit)?;
    let (class_of, bytes) = classes(text, words.ends.iter().chain(words.excluded).flatten());
    let step = |state: &Searching, byte: u8| {
        let Searching::Within(within, node) = *state else { return None };
        let within = match is_mark(byte) {
            true => Some(within).filter(|&within| text.accepts_at(within)),
            false => Some(text.next(within, byte)).filter(|&within| within != 0),
        }?;
        let next = matcher.next[node as usize][usize::from(byte)];
        // A mark that no word begins or goes on with is no text.
        if matcher.excluded[next as usize] || is_mark(byte) && next == 0 {
            return None;
        }
        match &matcher.ends[next as usize] {
            ends if ends.is_empty() => Some(Searching::Within(within, next)),
            ends => Some(Searching::Found(ends.clone())),
        }
    };
    let accepts = |state: &Searching| match state {
        Searching::Within(within, _) => words.open && text.accepts_at(*within),
        Searching::Found(_) => true,
    };
    let start = Searching::Within(text.start(), 0);
    let dfa = Dfa::build(
        |byte| class_of[usize::from(byte)],
        bytes.len(),
        start.clone(),
        limit,
        |state, class| step(state, bytes[class]),
        accepts,
    )?;
    // The construction numbers the states anew, so they are met once more along the finished table.
    let mut met: HashMap<u32, Searching> = HashMap::new();
    let mut open = vec![(dfa.start(), start)];
    while let Some((number, state)) = open.pop() {
        if number == 0 || met.contains_key(&number) {
            continue;
        }
        for &byte in &bytes {
            if let Some(next) = step(&state, byte) {
                open.push((dfa.next(number, byte), next));
            }
        }
        met.insert(number, state);
    }
    let found = met.into_iter().filter_map(|(number, state)| match state {
        Searching::Found(words) => Some((number, words)),
        Searching::Within(..) => None,
    });
    Ok(TextsUpTo { dfa, found: found.collect() })
}

/// The longest word that may end the texts of [`ended_by`], in bytes.
pub(crate) const LONGEST_END: usize = 127;

/// The texts of `text` with `end` behind them in which `end` occurs nowhere else. So whoever reads up to the first `end` gets the text back.
/// For example, with `</p>` the text `a<` is followed by `</p>`, and `a</p` by nothing.
pub(crate) fn ended_by(text: &Dfa, end: &[u8], limit: usize) -> Result<Dfa, TooManyStates> {
    let matcher = Matcher::new(&Words { ends: &[end.to_vec()], excluded: &[], open: false }, limit)?;
    let (class_of, bytes) = classes(text, end.iter());
    let last = end.len() as u32;
    // The state of the text, the longest beginning of the end that was read last, and a bit for each shorter beginning that was read last
    // with an accepted text before it.
    let step = |&(within, node, begun): &(u32, u32, u128), class: usize| {
        let byte = bytes[class];
        if node == last {
            return None;
        }
        let next = matcher.next[node as usize][usize::from(byte)];
        let begun = begun | u128::from(text.accepts_at(within));
        let fits = (0..).zip(end).filter(|(_, expected)| **expected == byte).fold(0, |fits, (at, _)| fits | 1 << at);
        let begun = (begun & fits) << 1;
        if next == last {
            return (begun >> last & 1 == 1).then_some((0, last, 0));
        }
        let within = text.next(within, byte);
        (within != 0 || begun != 0).then_some((within, next, begun))
    };
    let accepts = |&(_, node, _): &(u32, u32, u128)| node == last;
    Dfa::build(|byte| class_of[usize::from(byte)], bytes.len(), (text.start(), 0, 0), limit, step, accepts)
}

/// Classes of bytes that neither the text nor a word tells apart: the class of each byte, and a byte of each class.
fn classes<'a>(text: &Dfa, word: impl Iterator<Item = &'a u8>) -> ([u8; 256], Vec<u8>) {
    let mut occurs = [false; 256];
    word.for_each(|&byte| occurs[usize::from(byte)] = true);
    let (mut class_of, _) = text.classes_with(is_mark);
    let mut finer: HashMap<(u8, Option<u8>), u8> = HashMap::new();
    let mut bytes = Vec::new();
    for byte in 0..=255u8 {
        let key = (class_of[usize::from(byte)], occurs[usize::from(byte)].then_some(byte));
        class_of[usize::from(byte)] = *finer.entry(key).or_insert_with(|| {
            bytes.push(byte);
            (bytes.len() - 1) as u8
        });
    }
    (class_of, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex::{self, Dialect};

    fn texts(ends: &[&str], excluded: &[&str], open: bool) -> TextsUpTo {
        let any = regex::whole("(?s:.*)", Dialect::Python, DfaLimits { states: 99, bytes: 1 << 20 }).expect("small");
        let bytes = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let words = Words { ends: &bytes(ends), excluded: &bytes(excluded), open };
        up_to(&any, words, 999).expect("small")
    }

    #[test]
    fn a_text_ends_with_the_first_word_and_has_no_excluded_one() {
        let found = texts(&["abab", "<é>"], &["no"], false);
        for (text, ends) in [
            ("abab", Some(0)),
            ("aabab", Some(0)),
            ("ababab", None),
            ("aba<é<é>", Some(1)),
            ("n o<é>", Some(1)),
            ("no<é>", None),
            ("abac", None),
            ("", None),
        ] {
            let state = found.dfa.after(found.dfa.start(), text.as_bytes());
            assert_eq!(found.dfa.accepts(text.as_bytes()), ends.is_some(), "{text}");
            assert_eq!(found.found.get(&state).map(|words| words[0]), ends, "{text}");
        }
    }

    #[test]
    fn an_open_text_ends_between_characters_and_a_word_that_ends_another_is_found_with_it() {
        let found = texts(&["xab", "ab", "b"], &[], true);
        assert!(found.dfa.accepts(b"xa") && found.dfa.accepts("é".as_bytes()) && !found.dfa.accepts(b"\xc3"));
        for (text, words) in [("b", &[2][..]), ("ab", &[1, 2]), ("xab", &[0, 1, 2])] {
            let state = found.dfa.after(found.dfa.start(), text.as_bytes());
            assert_eq!(found.found.get(&state).map(Vec::as_slice), Some(words), "{text}");
        }
    }

    #[test]
    fn a_text_with_its_end_has_that_end_nowhere_else() {
        let text = |regex: &str| {
            regex::whole(regex, Dialect::Python, DfaLimits { states: 99, bytes: 1 << 20 }).expect("small")
        };
        for (regex, end, accepted, refused) in [
            ("(?s:.*)", "</p>", &["</p>", "a</p>", "a<</p>", "</</p>"][..], &["a</p></p>", "</p", "a"][..]),
            ("(?s:.*)", "abab", &["abab", "aabab", "babab"], &["ababab", "abababab"]),
            ("(?s:.*)", "\n</p>\n", &["\n\n</p>\n", "a\n\n</p>\n"], &["\n</p>\n</p>\n"]),
            ("a|a<|b*", "<x", &["a<x", "a<<x", "bb<x", "<x"], &["ab<x", "<<x"]),
        ] {
            let dfa = ended_by(&text(regex), end.as_bytes(), 999).expect("small");
            accepted.iter().for_each(|text| assert!(dfa.accepts(text.as_bytes()), "{regex} {end} {text}"));
            refused.iter().for_each(|text| assert!(!dfa.accepts(text.as_bytes()), "{regex} {end} {text}"));
        }
    }

    #[test]
    fn a_mark_is_found_between_characters_only() {
        let any = regex::whole("(?s:.*)", Dialect::Python, DfaLimits { states: 99, bytes: 1 << 20 }).expect("small");
        let found = up_to(&any, Words { ends: &[vec![0xFF]], excluded: &[vec![0xFE]], open: true }, 99).expect("small");
        assert!(found.dfa.accepts(b"a\xff") && found.dfa.accepts(b"\xff") && !found.dfa.accepts(b"\xc3\xff"));
        assert!(!found.dfa.accepts(b"a\xfe") && !found.dfa.accepts(b"a\xfd") && !found.dfa.accepts(b"a\xffa"));
    }
}
