//! Stop strings: one automaton for all of a request's, whatever their number and length.
//!
//! It reads each byte of a text once (Aho, Corasick 1975). Its state says which stop strings end here, and how much of the text may be the
//! beginning of one.

use std::collections::HashMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

/// The strings that end the texts of a request.
#[derive(Debug)]
pub(in crate::engine) struct StopStrings {
    /// `None` where there are none.
    automaton: Option<(NFA, StateID)>,
    /// How many bytes before a state's place may be the beginning of a string that is not complete there. 0 where none is named.
    held: HashMap<StateID, usize>,
    /// Whether the string stays in the text.
    pub(in crate::engine) include: bool,
}

/// Where a text is in the automaton.
pub(super) type Place = StateID;

impl StopStrings {
    /// # Errors
    /// More of them than an automaton can hold, which takes gigabytes.
    pub(in crate::engine) fn new(strings: &[String], include: bool) -> Result<Self, String> {
        if strings.is_empty() {
            return Ok(Self { automaton: None, held: HashMap::new(), include });
        }
        let nfa = NFA::builder().match_kind(MatchKind::Standard).build(strings).map_err(|error| error.to_string())?;
        let start = nfa.start_state(Anchored::No).map_err(|error| error.to_string())?;
        let walk = |bytes: &[u8]| bytes.iter().fold(start, |place, &byte| nfa.next_state(Anchored::No, place, byte));
        let mut held = HashMap::new();
        for string in strings {
            let mut place = start;
            for (length, &byte) in string.as_bytes().iter().enumerate() {
                if length > 0 {
                    held.insert(place, length);
                }
                place = nfa.next_state(Anchored::No, place, byte);
            }
        }
        // Where a string is complete and no longer one goes on, its longest end that begins another one may. Shorter ones come first: such an
        // end may be a whole string, too.
        let mut by_length: Vec<&String> = strings.iter().collect();
        by_length.sort_by_key(|string| string.len());
        for string in by_length {
            let place = walk(string.as_bytes());
            if !held.contains_key(&place) {
                let end = held.get(&walk(&string.as_bytes()[1..])).copied().unwrap_or(0);
                held.insert(place, end);
            }
        }
        Ok(Self { automaton: Some((nfa, start)), held, include })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// Before a text.
    pub(super) fn start(&self) -> Place {
        self.automaton.as_ref().map_or_else(Place::default, |(_, start)| *start)
    }

    /// After one more byte.
    pub(super) fn next(&self, place: Place, byte: u8) -> Place {
        self.automaton.as_ref().map_or(place, |(nfa, _)| nfa.next_state(Anchored::No, place, byte))
    }

    /// The strings that are complete at a place, with their lengths in bytes.
    pub(super) fn complete(&self, place: Place) -> impl Iterator<Item = (usize, usize)> {
        let matches = self.automaton.as_ref().filter(|(nfa, _)| nfa.is_match(place));
        matches.into_iter().flat_map(move |(nfa, _)| {
            (0..nfa.match_len(place)).map(move |index| {
                let string = nfa.match_pattern(place, index);
                (string.as_usize(), nfa.pattern_len(string))
            })
        })
    }

    /// How many bytes before a place may be the beginning of a string that is not complete yet.
    pub(super) fn held(&self, place: Place) -> usize {
        self.held.get(&place).copied().unwrap_or(0)
    }
}
