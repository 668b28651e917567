//! How long an output may think.
//!
//! While it thinks, its guide is asked for an end as if so many tokens were left as the thoughts may still have, and those beside that the
//! shortest answer takes: so the guide itself has the thoughts end in time, in whatever tokens their end is written.

use jig_guides::GuideState;

use crate::request::ThoughtLimit;

/// Where an output is with its thoughts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// It has said nothing yet but this.
    Before(Vec<u8>),
    /// It thinks.
    Inside {
        /// The tokens of its thoughts, and of what of their end is there.
        drawn: u32,
        /// The fewest tokens with which the output could have ended when the thoughts began.
        least: u32,
        /// The last bytes, fewer than the end has.
        tail: Vec<u8>,
    },
    /// It does not think any more.
    After,
}

impl Thoughts {
    /// Those of an output that begins.
    pub(super) fn new(limit: Option<&ThoughtLimit>, guide: Option<&GuideState>) -> Self {
        match (limit, guide) {
            (Some(limit), Some(guide)) if limit.is_begun => Self::begun(guide),
            (Some(_), Some(_)) => Self::Before(Vec::new()),
            _ => Self::After,
        }
    }

    fn begun(guide: &GuideState) -> Self {
        Self::Inside { drawn: 0, least: guide.min_tokens_left(), tail: Vec::new() }
    }

    /// In how many tokens the guide is to be able to end; `None` where nothing is said of it.
    pub(super) fn tokens_left(&self, limit: Option<&ThoughtLimit>) -> Option<u32> {
        match self {
            Self::Inside { drawn, least, .. } => Some(limit?.most.saturating_add(*least).saturating_sub(*drawn)),
            _ => None,
        }
    }

    /// Takes the bytes of a further token, after which the guide is in this state.
    pub(super) fn push(&mut self, bytes: &[u8], limit: &ThoughtLimit, guide: &GuideState) {
        match self {
            Self::Before(said) => {
                said.extend_from_slice(bytes);
                let said = said.trim_ascii_start();
                let begin = limit.begin.as_bytes();
                if said.starts_with(begin) {
                    *self = Self::begun(guide);
                } else if !begin.starts_with(said) {
                    *self = Self::After;
                }
            }
            Self::Inside { drawn, tail, .. } => {
                *drawn += 1;
                tail.extend_from_slice(bytes);
                let end = limit.end.as_bytes();
                if tail.windows(end.len()).any(|window| window == end) {
                    *self = Self::After;
                } else {
                    tail.drain(..tail.len().saturating_sub(end.len().saturating_sub(1)));
                }
            }
            Self::After => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jig_guides::{Compiler, Guide, Limits, Marker, Options, Part, Source, Vocabulary};

    use super::*;

    /// Thoughts up to `</t>`, then this part; all bytes are tokens.
    fn guide(begin: &str, answer: Part) -> Guide {
        let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain([None]).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(tokens, vec![256]).unwrap()), Limits::default());
        let thoughts = Part::Until { ends: vec![Marker::text("</t>")], excludes: Vec::new() };
        let mut parts = vec![thoughts, answer];
        if !begin.is_empty() {
            parts.insert(0, Part::text(begin));
        }
        compiler.compile(&Source::Tags(Part::Sequence(parts)), &Options::default()).unwrap()
    }

    fn limit(most: u32, is_begun: bool) -> ThoughtLimit {
        ThoughtLimit { begin: "<t>".into(), end: "</t>".into(), most, is_begun }
    }

    /// What an output is that draws `x` wherever it may, with so many tokens at most.
    fn written(guide: &Guide, limit: &ThoughtLimit, most: u32) -> String {
        let mut state = guide.start();
        let mut thoughts = Thoughts::new(Some(limit), Some(&state));
        let mut text = String::new();
        for left in (1..=most).rev() {
            let left = thoughts.tokens_left(Some(limit)).map_or(left, |own| own.min(left));
            let allowed = state.mask(Some(left)).tokens(257);
            let token = if allowed.contains(&u32::from(b'x')) { u32::from(b'x') } else { allowed[0] };
            if token == 256 {
                break;
            }
            state.advance(token).unwrap();
            thoughts.push(&[token as u8], limit, &state);
            text.push(char::from(token as u8));
        }
        assert!(state.may_end());
        text
    }

    #[test]
    fn thoughts_end_within_their_limit_and_the_answer_has_the_rest() {
        let answer = || Part::Regex("[a-z]{3,}".to_owned());
        for most in 0..12 {
            let text = written(&guide("", answer()), &limit(most, true), 40);
            let (thoughts, rest) = text.split_once("</t>").unwrap();
            assert_eq!((thoughts.len(), rest.len()), (most as usize, 36 - most as usize), "{text}");
        }
        let text = written(&guide("<t>", answer()), &limit(2, false), 30);
        assert!(text.starts_with("<t>xx</t>x") && text.len() == 30, "{text}");
        // The limit of the whole output wins where it is the narrower one.
        assert_eq!(written(&guide("", answer()), &limit(100, true), 10), "xxx</t>xxx");
    }

    #[test]
    fn an_output_that_does_not_think_has_no_limit_on_its_thoughts() {
        let guide = guide("", Part::free());
        let state = guide.start();
        let limit = limit(3, false);
        let mut thoughts = Thoughts::new(Some(&limit), Some(&state));
        for (bytes, expected) in [("\n<", false), ("x", true)] {
            thoughts.push(bytes.as_bytes(), &limit, &state);
            assert_eq!((thoughts == Thoughts::After, thoughts.tokens_left(Some(&limit))), (expected, None));
        }
        assert_eq!(Thoughts::new(None, Some(&state)), Thoughts::After);
    }
}
