//! The tokens that stay inside a string, by the state of the string's automaton after each.
//!
//! The rest of an output costs the same after all tokens that lead to one state. So near the end of a budget a mask takes whole groups:
//!
//! | token, in `^a+b$` before the first character | state after it | least bytes of the rest |
//! |---|---|---|
//! | `a`, `aa`, `aaa` | after `a` | `b"` |
//! | `ab` | after `b` | `"` |
//! | `\`, `\u00` | within an escape: in no group, as it depends on the digits too | |
//!
//! Far from the end no token has to be told from another, so the groups are made when a budget first asks for them.

use crate::automaton::marks::GREATEST_OF_TEXT;
use crate::json::language::strings::{Decoder, StringState, Strings};
use crate::json::tokens::alphabet_search::{Followed, StatesAfter};
use crate::json::tokens::classes::{ROOM_FOR_ANY, Subtree};
use crate::json::tokens::frame::Frame;
use crate::vocabulary::mask::Tokens;
use crate::vocabulary::trie::Trie;

/// The tokens below a trie node that stay inside a string in one state.
#[derive(Debug)]
pub(crate) struct InsideByState {
    /// By state, those that end outside of escapes. A state may have several groups.
    groups: Vec<(u32, Tokens)>,
    /// Those that end within an escape.
    within_escapes: Vec<u32>,
}

impl InsideByState {
    /// The groups for strings in `state` with room for so many characters; [`u32::MAX`] for no bound.
    pub(super) fn new(strings: &Strings, state: u32, room: u32, frame: &Frame, tokens: Subtree<'_>) -> InsideByState {
        let Subtree { trie, node, words, .. } = tokens;
        // Characters are counted from here.
        let strings = Strings { min: 0, max: room, ..strings.clone() };
        let mut found = match room {
            ROOM_FOR_ANY.. => frame.by_state(&strings, state),
            _ => None,
        };
        let after = found.get_or_insert_with(|| {
            let mut walk = GroupWalk { strings: &strings, trie, found: StatesAfter::default() };
            if room >= ROOM_FOR_ANY {
                walk.add_unbounded(node, state);
            } else {
                walk.add_below(node, &StringState { state, count: 0, decoder: Decoder::Body });
            }
            walk.found
        });
        let mut groups: Vec<(u32, Tokens)> =
            after.sets.iter().map(|(state, set)| (*state, Tokens::of_set(set))).collect();
        let (mut between, within): (Vec<Followed>, Vec<Followed>) =
            after.others.iter().copied().partition(|(state, _)| state.decoder == Decoder::Body);
        // Stable, and so linear where most lead to one state.
        between.sort_by_key(|(state, _)| state.state);
        groups.extend(between.chunk_by(|one, other| one.0.state == other.0.state).map(|same| {
            let tokens = same.iter().map(|&(_, token)| token).collect();
            (same[0].0.state, Tokens::new(tokens, words))
        }));
        InsideByState { groups, within_escapes: within.into_iter().map(|(_, token)| token).collect() }
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        let groups: usize = self.groups.iter().map(|(_, tokens)| tokens.size() + 40).sum();
        groups + self.within_escapes.len() * 4 + 100
    }

    /// The groups: the state of the automaton, and the tokens after which it is in that state.
    pub(crate) fn groups(&self) -> &[(u32, Tokens)] {
        &self.groups
    }

    /// The tokens that end within an escape.
    pub(crate) fn within_escapes(&self) -> &[u32] {
        &self.within_escapes
    }
}

/// A trie walk with the state of the string alone.
struct GroupWalk<'a> {
    strings: &'a Strings,
    trie: &'a Trie,
    found: StatesAfter,
}

impl GroupWalk<'_> {
    fn add(&mut self, node: u32, state: &StringState) {
        self.found.others.extend(self.trie.own(node).iter().map(|&token| (*state, token)));
    }

    fn add_below(&mut self, node: u32, state: &StringState) {
        let trie = self.trie;
        for child in trie.children(node) {
            let byte = trie.byte(child);
            if state.decoder == Decoder::Body && byte == b'"' {
                continue;
            }
            let Some(next) = self.strings.step(state, byte) else { continue };
            self.add(child, &next);
            if trie.end(child) > child + 1 {
                self.add_below(child, &next);
            }
        }
    }

    /// As [`Self::add_below`] where the number of characters is not bounded: a character that stands for itself is then a step of the
    /// automaton and nothing more, so that one pass over the nodes in memory order does.
    fn add_unbounded(&mut self, node: u32, start: u32) {
        let trie = self.trie;
        let dfa = &self.strings.characters.dfa;
        // The open nodes above the current one: the state after each, and the end of its subtree.
        let mut above: Vec<(u32, u32)> = vec![(start, trie.end(node))];
        let mut next = node + 1;
        while let Some(&(state, end)) = above.last() {
            if next >= end {
                above.pop();
                continue;
            }
            let (child, byte, child_end) = (next, trie.byte(next), trie.end(next));
            next = child_end;
            let at = StringState { state, count: 0, decoder: Decoder::Body };
            match byte {
                b'"' => {}
                b'\\' => {
                    let Some(escape) = self.strings.step(&at, byte) else { continue };
                    self.add(child, &escape);
                    self.add_below(child, &escape);
                }
                0x20..=GREATEST_OF_TEXT => {
                    let after = dfa.next(state, byte);
                    if after == 0 {
                        continue;
                    }
                    self.add(child, &StringState { state: after, ..at });
                    if child_end > child + 1 {
                        above.push((after, child_end));
                        next = child + 1;
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::json::language::strings::{Characters, Escapes};
    use crate::json::tokens::text_heights::TextHeights;
    use crate::regex::{self, Dialect};
    use crate::vocabulary::mask::TokenSet;
    use std::sync::Arc;

    const PIECES: [&str; 14] =
        ["a", "aa", "ab", "b", "bb", "\\", "\\n", "\\u00", "\\u000a", "a\\", "é", "a\"", "\"", "x"];

    /// The groups of a pattern's strings at their start, as texts, and the tokens within escapes.
    fn groups(pattern: &str, room: u32) -> Vec<Vec<&'static str>> {
        let mut sorted = PIECES.to_vec();
        sorted.sort_unstable();
        let pieces: Vec<Option<Vec<u8>>> = sorted.iter().map(|piece| Some(piece.as_bytes().to_vec())).collect();
        let trie = Trie::new(&pieces);
        let limits = DfaLimits { states: 1000, bytes: 1 << 20 };
        let dfa = regex::whole(pattern, Dialect::Python, limits).expect("a pattern");
        let any = Characters::any().expect("small");
        let characters = Arc::new(Characters::new(dfa, &any.dfa));
        let strings = Strings { characters, min: 0, max: u32::MAX, escapes: Escapes::Usual };
        let frame = Frame::new(any, Escapes::Usual, 0, &trie, 1);
        let heights = TextHeights::default();
        let tokens = Subtree { trie: &trie, node: 0, words: 1, heights: &heights };
        let made = InsideByState::new(&strings, strings.start().state, room, &frame, tokens);
        let texts = |tokens: &Tokens| {
            let mut set = TokenSet::new(1);
            tokens.add_to(&mut set);
            (0..sorted.len() as u32).filter(|&token| set.contains(token)).map(|token| sorted[token as usize]).collect()
        };
        let mut found: Vec<Vec<&str>> = made.groups().iter().map(|(_, tokens)| texts(tokens)).collect();
        found.sort();
        found.push(made.within_escapes().iter().map(|&token| sorted[token as usize]).collect());
        found
    }

    #[test]
    fn tokens_that_lead_to_one_state_are_one_group() {
        let found = groups("[a\n]+b", u32::MAX);
        assert_eq!(found, [vec!["\\n", "\\u000a", "a", "aa"], vec!["ab"], vec!["\\", "\\u00", "a\\"]]);
    }

    #[test]
    fn tokens_with_more_characters_than_there_is_room_for_are_in_no_group() {
        assert_eq!(groups("[ab\n]*", 1), [vec!["\\n", "\\u000a", "a", "b"], vec!["\\", "\\u00"]]);
    }
}
