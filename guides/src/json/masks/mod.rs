//! The mask of a state: the tokens along whose bytes the output can go on.
//!
//! A trie walk that steps the machine at each byte is always right, and fast where few bytes can follow. Inside strings, keys and numbers
//! many can, so these places have searches of their own. Without a budget, each of them finds exactly the tokens of the walk.
//!
//! | place in the text | file | how the tokens are found | what it costs |
//! |---|---|---|---|
//! | a literal of an `enum` | `literals`, `texts` | along the sorted literals, side by side with the trie | their common nodes |
//! | a named key | `named_keys`, `texts` | along the sorted names, in the same way | their common nodes |
//! | any other key | `keys`, `quotes` | token classes; less the tokens of `used_keys` | as a string, and the nodes along used keys |
//! | a string | `strings`, `quotes` | token classes of the state; the suffixes behind the quote once for all | a union of bitsets; the tokens that close the string |
//! | a number, and the start of a value | `numbers` | token classes of the state | a union of bitsets; a walk behind each end of the number |
//! | an entry that must differ (`uniqueItems`) | `repeating` | the mask as if it need not, less the tokens that repeat an entry | that mask, and the nodes along the entries |
//! | brackets, commas, colons, white space, the inside of an escape | here | a walk of the trie, byte by byte | a step of the machine at each node that it reaches |
//!
//! Near the end of a budget the tokens inside keys and strings with patterns are taken by the
//! [state of the automaton after each](crate::json::tokens::by_state): a union of bitsets too.
//!
//! `automaton` makes the machine an [`Automaton`]. A search that ends inside a token calls [`JsonMachine::add_allowed`] for the nodes below,
//! so a token such as `"}, {"` passes through several of these files.

mod automaton;
mod keys;
mod literals;
mod named_keys;
mod numbers;
mod quotes;
mod repeating;
mod strings;
mod texts;
mod used_keys;

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, JsonState, Key, KeyReader, Reader, Scalar};
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;

/// Subtrees with no more nodes are always walked: to look up token classes takes longer.
const SMALL: u32 = 24;

/// The root of a trie.
const ROOT: u32 = 0;

/// The tokens that a mask asks for: those below a trie node after which the output can be completed in `bytes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Below<'a> {
    vocabulary: &'a Vocabulary,
    /// The tokens that JSON is written with.
    trie: &'a Trie,
    node: u32,
    /// The number of bytes from the root to the node.
    depth: usize,
    bytes: u32,
}

impl<'a> Below<'a> {
    /// All tokens of a vocabulary.
    pub(crate) fn root(trie: &'a Trie, vocabulary: &'a Vocabulary, bytes: u32) -> Below<'a> {
        Below { vocabulary, trie, node: ROOT, depth: 0, bytes }
    }

    /// The tokens below a node that is `further` bytes deeper.
    fn at(self, node: u32, further: usize) -> Below<'a> {
        Below { node, depth: self.depth + further, ..self }
    }

    fn trie(self) -> &'a Trie {
        self.trie
    }
}

impl JsonMachine {
    /// Adds the tokens along whose bytes below the node the output can go on from `state`. Returns a bound of the cost after any of them.
    ///
    /// The order of the cases matters:
    ///
    /// 1. A small subtree is walked: each of the other cases has a set-up that would cost more.
    /// 2. Literals come before `uniqueItems`, as they handle it themselves: they leave out the used literals, which is cheaper than to
    ///    remove tokens afterwards.
    /// 3. An entry that may still repeat another one comes before all that is left, since the other cases know nothing of entries. It calls
    ///    this function again with a state that is clear.
    /// 4. Values and numbers come without `uniqueItems` only: a walk has to record the text of the entry byte by byte.
    /// 5. A scalar of several alternatives is searched for each string among them, and for each of the others. The mask is the union.
    /// 6. Keys have alternatives of different kinds, which `add_in_keys` tells apart.
    /// 7. In all other places few bytes can follow, so they are walked.
    pub(crate) fn add_allowed(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let trie = below.trie();
        if trie.end(below.node) - below.node > SMALL {
            if let Some(reach) = self.add_literals(state, below, set) {
                return reach;
            }
            if !state.is_clear() {
                return self.add_apart(state, below, set);
            }
            match &state.at {
                At::Value { pending, .. } if state.level.distinct.is_none() => {
                    return self.add_values(state, pending, below, set);
                }
                At::Scalar { pending, machines }
                    if state.level.distinct.is_none() && machines.iter().all(is_number) =>
                {
                    return self.add_in_numbers(state, pending, machines, below, set);
                }
                At::Scalar { pending, machines } if machines.iter().any(is_in_string) => {
                    let each = self.same_strings(machines).into_iter().map(|machines| {
                        let at = At::Scalar { pending: pending.clone(), machines };
                        let state = JsonState { level: state.level.clone(), at };
                        let reach = self.add_in_string(&state, below, set);
                        reach.unwrap_or_else(|| self.add_each(&state, below, set))
                    });
                    return Cost::greatest(each);
                }
                At::Key { keys, text } => return self.add_in_keys(state, keys, text, below, set),
                _ => {}
            }
        }
        self.add_each(state, below, set)
    }

    /// As [`Self::add_allowed`], by a walk. After each byte the cheaper searches get their chance again.
    fn add_each(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Cost {
        self.add_along(state, self.next_bytes(state), below, set)
    }

    /// As [`Self::add_each`], along these bytes alone.
    fn add_along(&self, state: &JsonState, possible: ByteSet, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let trie = below.trie();
        let mut reach = Cost::ZERO;
        for node in trie.children_along(below.node, possible) {
            let Some(next) = self.step(state, trie.byte(node)) else { continue };
            reach = reach.max(self.add_node(&next, below.at(node, 1), set));
        }
        reach
    }

    /// As [`Self::add_allowed`], with the tokens that end at the node itself.
    fn add_node(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let trie = below.trie();
        let (own, mut reach) = (trie.own(below.node), Cost::ZERO);
        if !own.is_empty() {
            let cost = self.cost(state);
            if cost <= below.bytes && !cost.is_never() {
                set.insert_all(own);
                reach = cost;
            }
        }
        if trie.end(below.node) > below.node + 1 {
            reach = reach.max(self.add_allowed(state, below, set));
        }
        reach
    }

    /// Adds those of `tokens` along which the output can go on. It steps through each of them, where no search decides for many at once.
    fn add_tokens(&self, state: &JsonState, tokens: &[u32], below: Below<'_>, set: &mut TokenSet) -> Cost {
        let rest = |&token: &u32| Some((below.vocabulary.bytes(token)?.get(below.depth..)?, token));
        let mut tokens: Vec<(&[u8], u32)> = tokens.iter().filter_map(rest).collect();
        tokens.sort_unstable();
        let (mut reach, mut before) = (Cost::ZERO, &[][..]);
        // The states after each byte of the previous token. Sorted tokens share prefixes, whose steps are not repeated.
        let mut states = vec![Some(state.clone())];
        for (bytes, token) in tokens {
            let shared = bytes.iter().zip(before).take_while(|(one, other)| one == other).count();
            states.truncate(shared + 1);
            for &byte in &bytes[shared..] {
                let next = states.last().and_then(Option::as_ref).and_then(|state| self.step(state, byte));
                states.push(next);
            }
            before = bytes;
            let end = states.last().and_then(Option::as_ref);
            if let Some(cost) = end.map(|end| self.cost(end)).filter(|&cost| cost <= below.bytes && !cost.is_never()) {
                set.insert(token);
                reach = reach.max(cost);
            }
        }
        reach
    }
}

/// Whether an entry begins that must differ from the others. Behind a quote the text of the last one is not known.
fn begins_entry(state: &JsonState) -> bool {
    matches!(state.at, At::Value { .. }) && state.level.own_distinct().is_some()
}

fn is_number(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::Number { .. })
}

fn is_in_string(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::String { state: StringState { decoder: Decoder::Body, .. }, .. })
}

fn is_named(key: &Key) -> bool {
    matches!(key.reader, KeyReader::Named { .. })
}

fn is_in_key(key: &Key) -> bool {
    matches!(key.reader, KeyReader::Additional(StringState { decoder: Decoder::Body, .. }))
}
