//! How many characters the tokens below each trie node have, where they are text and nothing else.
//!
//! From a state of a string's automaton any few characters can be completed: from `^` of the strings that do not contain `maker`, four of
//! them. A subtree of the trie whose tokens have no more characters is then allowed as a whole, and a walk passes over it:
//!
//! | node | below it | height |
//! |---|---|---|
//! | `mak` | `make`, `maker`, `makers` | 3 |
//! | `ma` | the same, and `ma"` | mixed: a quote closes the string |
//! | the first byte of `é` | `é` | mixed: the node lies inside a character |

use crate::automaton::dfa::Dfa;
use crate::vocabulary::trie::Trie;

/// The greatest number of characters below each node of a trie.
#[derive(Debug, Default)]
pub(crate) struct TextHeights(Box<[u8]>);

/// Below the node are quotes, escapes, bytes that are no text, or more characters than a byte counts; or it lies inside a character.
const MIXED: u8 = u8::MAX;

impl TextHeights {
    /// The heights of a trie of tokens; `any` is the automaton of all texts.
    pub(super) fn new(trie: &Trie, any: &Dfa) -> TextHeights {
        let mut heights = vec![MIXED; trie.len()];
        fill(trie, any, 0, any.start(), &mut heights);
        TextHeights(heights.into())
    }

    /// The number of characters below a node that lies between characters; `None` if there is anything but text.
    pub(super) fn of(&self, node: u32) -> Option<u32> {
        self.0.get(node as usize).filter(|&&height| height != MIXED).map(|&height| u32::from(height))
    }
}

/// Fills in the heights from a node on, at which a text is in `state`. Returns the number of characters that begin below it.
fn fill(trie: &Trie, any: &Dfa, node: u32, state: u32, heights: &mut [u8]) -> u8 {
    let mut height = 0;
    for child in trie.children(node) {
        let byte = trie.byte(child);
        let next = any.next(state, byte);
        let below = fill(trie, any, child, next, heights);
        let is_text = next != 0 && byte >= 0x20 && !matches!(byte, b'"' | b'\\');
        let begins = u8::from(byte & 0xC0 != 0x80);
        // It saturates at `MIXED`.
        height = height.max(if is_text { below.saturating_add(begins) } else { MIXED });
    }
    heights[node as usize] = if any.accepts_at(state) { height } else { MIXED };
    height
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::language::strings::Characters;

    #[test]
    fn only_nodes_above_nothing_but_text_have_a_height() {
        let longest = "x".repeat(300);
        let texts = ["make", "makers", "ma\"", "é", "中文", "a\\n", "b", "\"ab", &longest];
        let mut tokens: Vec<Option<Vec<u8>>> = texts.iter().map(|text| Some(text.as_bytes().to_vec())).collect();
        tokens.push(Some(vec![0x80, b'a']));
        let trie = Trie::new(&tokens);
        let heights = TextHeights::new(&trie, &Characters::any().expect("small").dfa);
        let of =
            |prefix: &[u8]| heights.of(prefix.iter().fold(0, |node, &byte| trie.child(node, byte).expect("a node")));
        assert_eq!(
            [of(b""), of(b"ma"), of(b"mak"), of(b"make"), of(b"makers")],
            [None, None, Some(3), Some(2), Some(0)]
        );
        assert_eq!([of(b"b"), of(b"a"), of(b"\""), of(b"\"a"), of(&[0x80])], [Some(0), None, Some(2), Some(1), None]);
        let (lead, whole) = (&"中".as_bytes()[..1], "中".as_bytes());
        assert_eq!([of(lead), of(whole), of("é".as_bytes())], [None, Some(1), Some(0)]);
        assert_eq!([of(b"x"), of(&[b'x'; 46]), of(&[b'x'; 45])], [None, Some(254), None]);
    }
}
