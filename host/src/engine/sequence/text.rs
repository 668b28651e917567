//! The text of one output, as far as it is certain: detokenized, searched for stop strings, held back where a stop
//! string may have begun.

use super::stop::{Place, StopStrings};
use crate::tokenizer::Detokenizer;

/// Turns the tokens of an output into text that can be sent.
///
/// A stop string ends the text where it is first complete; among those complete at one place the longest counts. That
/// depends on the text alone, not on how it was cut into tokens: a guided text may end inside a token, too.
pub(super) struct TextStream {
    detokenizer: Detokenizer,
    /// Text that may turn out to be part of a stop string.
    held: String,
    /// The place in the text where `held` begins, in bytes.
    held_at: usize,
    /// The bytes that the tokens of a guided text spell. They are the bytes of its text, since what a guide allows is UTF-8.
    spelled: usize,
    /// Where a guided text may end, in bytes and rising, from `held_at` on; kept for stop strings only.
    whole_at: Vec<usize>,
    /// Where the text is in the automaton of the stop strings.
    place: Place,
}

/// Text that can be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// The stop string that ended the text, by its index.
    pub(super) stopped_by: Option<usize>,
}

/// What a guide says of the text by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wholeness {
    /// There is no guide: the text may end anywhere.
    Free,
    /// The guide allows the text to end after so many bytes of the token, which spells `bytes`.
    Guided { bytes: usize, ends: Vec<usize> },
}

impl TextStream {
    /// A text that has not begun. `may_be_empty` says whether a guide lets it end at once.
    pub(super) fn new(detokenizer: Detokenizer, may_be_empty: bool, stop: &StopStrings) -> Self {
        let whole_at = if may_be_empty { vec![0] } else { Vec::new() };
        Self { detokenizer, held: String::new(), held_at: 0, spelled: 0, whole_at, place: stop.start() }
    }

    /// Takes the next token. `may_stop` says whether a stop string that is complete now ends the text; a guided text
    /// it ends only where the guide lets what remains stand.
    pub(super) fn push(&mut self, token: u32, stop: &StopStrings, wholeness: &Wholeness, may_stop: bool) -> Piece {
        let text = self.detokenizer.push(token);
        if stop.is_empty() {
            return Piece { text, stopped_by: None };
        }
        let known = self.held.len();
        self.held.push_str(&text);
        if let Wholeness::Guided { bytes, ends } = wholeness {
            if *bytes == 0 {
                // What a special token adds to the text, if it is shown at all, is no matter of the guide.
                self.spelled = self.held_at + self.held.len();
            }
            self.whole_at.extend(ends.iter().map(|end| self.spelled + end));
            self.spelled += bytes;
        }
        for at in known..self.held.len() {
            self.place = stop.next(self.place, self.held.as_bytes()[at]);
            if may_stop && let Some((string, length)) = self.complete(at + 1, stop, wholeness) {
                self.held.truncate(if stop.include { at + 1 } else { at + 1 - length });
                return Piece { text: std::mem::take(&mut self.held), stopped_by: Some(string) };
            }
        }
        let sure = self.held.len().saturating_sub(stop.held(self.place));
        let rest = self.held.split_off(sure);
        self.held_at += sure;
        let passed = self.whole_at.partition_point(|&at| at < self.held_at);
        self.whole_at.drain(..passed);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped_by: None }
    }

    /// All that is left, when the text has ended for another reason: by a stop token, `last`, that stays in the text, or
    /// without one.
    pub(super) fn finish(mut self, last: Option<u32>) -> String {
        if let Some(token) = last {
            self.held.push_str(&self.detokenizer.push(token));
        }
        self.held + &self.detokenizer.finish()
    }

    /// The longest stop string that is complete before `end` of `held` and may end the text, with its length.
    fn complete(&self, end: usize, stop: &StopStrings, wholeness: &Wholeness) -> Option<(usize, usize)> {
        let stands = |length: usize| {
            let cut = self.held_at + if stop.include { end } else { end - length };
            *wholeness == Wholeness::Free || self.may_end_at(cut)
        };
        let complete = stop.complete(self.place).filter(|&(_, length)| stands(length));
        complete.max_by_key(|&(string, length)| (length, std::cmp::Reverse(string)))
    }

    fn may_end_at(&self, at: usize) -> bool {
        self.whole_at.binary_search(&at).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::testing;
    use proptest::prelude::*;

    fn stop(strings: &[&str], include: bool) -> StopStrings {
        let strings: Vec<String> = strings.iter().map(ToString::to_string).collect();
        StopStrings::new(&strings, include).unwrap()
    }

    fn stream(stop: &StopStrings) -> TextStream {
        TextStream::new(testing::byte_level().detokenizer(true), false, stop)
    }

    /// The pieces of a text whose tokens are its bytes, and whether it was stopped.
    fn run(text: &str, strings: &[&str], include: bool) -> (Vec<String>, bool) {
        let stop = stop(strings, include);
        let mut stream = stream(&stop);
        let mut pieces = Vec::new();
        for byte in text.bytes() {
            let piece = stream.push(byte.into(), &stop, &Wholeness::Free, true);
            pieces.push(piece.text);
            if piece.stopped_by.is_some() {
                return (pieces, true);
            }
        }
        pieces.push(stream.finish(None));
        (pieces, false)
    }

    #[test]
    fn what_may_be_part_of_a_stop_string_is_held_back() {
        let (pieces, stopped) = run("a\n\nb\n\nUser", &["\n\nUser"], false);
        assert_eq!(pieces, ["a", "", "", "\n\nb", "", "", "", "", "", ""]);
        assert!(stopped);
        assert_eq!(run("a\n", &["\n\n"], false), (vec!["a".into(), String::new(), "\n".into()], false));
    }

    #[test]
    fn the_stop_string_stays_where_asked() {
        assert_eq!(run("ab.c", &["."], true).0.concat(), "ab.");
        assert_eq!(run("ab.c", &["."], false).0.concat(), "ab");
    }

    #[test]
    fn of_two_stop_strings_the_one_complete_first_counts() {
        assert_eq!(run("xabcd", &["abcd", "bc"], false).0.concat(), "xa");
        assert_eq!(run("xabcd", &["c", "abc"], false).0.concat(), "x");
    }

    #[test]
    fn a_guided_text_stops_only_where_what_remains_is_whole() {
        let run = |include| {
            let stop = stop(&[","], include);
            let mut stream = stream(&stop);
            let mut text = String::new();
            for (byte, whole) in [(b'a', false), (b',', false), (b'b', true), (b',', false), (b'c', true)] {
                let wholeness = Wholeness::Guided { bytes: 1, ends: if whole { vec![1] } else { Vec::new() } };
                let piece = stream.push(byte.into(), &stop, &wholeness, true);
                text.push_str(&piece.text);
                if piece.stopped_by.is_some() {
                    return (text, true);
                }
            }
            (text + &stream.finish(None), false)
        };
        assert_eq!(run(false), ("a,b".to_owned(), true));
        assert_eq!(run(true), ("a,b,c".to_owned(), false));
    }

    #[test]
    fn a_guided_text_stops_inside_a_token_where_what_remains_is_whole() {
        // Token 257 is " Pa".
        let cut = |include, ends: &[usize]| {
            let stop = stop(&["P"], include);
            let mut stream = stream(&stop);
            let first = stream.push(b'x'.into(), &stop, &Wholeness::Guided { bytes: 1, ends: vec![1] }, true);
            let piece = stream.push(257, &stop, &Wholeness::Guided { bytes: 3, ends: ends.to_vec() }, true);
            (first.text + &piece.text, piece.stopped_by)
        };
        assert_eq!(cut(false, &[1, 2, 3]), ("x ".to_owned(), Some(0)));
        assert_eq!(cut(true, &[1, 2, 3]), ("x P".to_owned(), Some(0)));
        assert_eq!(cut(false, &[2, 3]), ("x Pa".to_owned(), None));
        assert_eq!(cut(true, &[1, 3]), ("x Pa".to_owned(), None));
    }

    #[test]
    fn a_thousand_long_strings_take_a_step_for_each_byte() {
        let strings: Vec<String> = (0..1000).map(|n| format!("{}{n}", "ab".repeat(25))).collect();
        let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
        let text = "ab".repeat(30) + "999";
        assert_eq!(run(&text, &strings, false).0.concat(), "ab".repeat(5));
    }

    proptest! {
        #[test]
        fn the_text_ends_before_the_first_stop_string_however_it_comes(
            text in "[abé]{0,24}",
            strings in prop::collection::vec("[abé]{1,4}", 0..4),
            include in any::<bool>(),
        ) {
            let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
            let matches = strings.iter().flat_map(|s| text.match_indices(s).map(|(at, s)| (at + s.len(), at)));
            // Overlapping matches of one string do not matter: the first one ends first.
            let first = matches.min();
            // The longest end that may be a beginning is what is held back, and nothing more.
            let held = |text: &str| {
                let beginning = |&at: &usize| strings.iter().any(|s| s.len() > text.len() - at && s.starts_with(&text[at..]));
                (0..text.len()).filter(|&at| text.is_char_boundary(at)).find(beginning).map_or(0, |at| text.len() - at)
            };
            let expected = first.map_or(&*text, |(end, begin)| if include { &text[..end] } else { &text[..begin] });
            let (pieces, stopped) = run(&text, &strings, include);
            if first.is_none() && !text.is_empty() {
                prop_assert_eq!(pieces.last().map(String::len), Some(held(&text)), "{:?}", pieces);
            }
            prop_assert_eq!(pieces.concat(), expected);
            prop_assert_eq!(stopped, first.is_some());
        }
    }
}
