//! [`GrammarMachine`]: the automaton of a grammar, and its masks.
//!
//! The mask of a configuration is the union, over its items, of the tokens within the item's rule and of those along each way out of it, see
//! [`walk`](crate::grammar::walk).

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::marks;
use crate::collections::byte_set::ByteSet;
use crate::grammar::network::Network;
use crate::grammar::stack::{CallFrame, Configuration, ItemPlace, ParseItem};
use crate::grammar::walk::{WalkKey, WalkedTokens, Walks};
use crate::json::tokens::cache::ClassesCache;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use foldhash::{HashMap, HashSet};
use std::sync::Arc;

/// The automaton of a grammar.
#[derive(Debug)]
pub(crate) struct GrammarMachine {
    network: Network,
    /// The tokens that texts are written with.
    tokens: Arc<ClassesCache>,
    walks: Walks,
}

/// The tokens along one way, with the least cost of the frames behind it.
struct WayTokens {
    walked: Arc<WalkedTokens>,
    behind: Cost,
}

impl GrammarMachine {
    pub(super) fn new(network: Network, tokens: Arc<ClassesCache>, walks: Walks) -> GrammarMachine {
        GrammarMachine { network, tokens, walks }
    }

    /// Whether the empty text is derived.
    pub(crate) fn is_nullable(&self) -> bool {
        self.network.nullable
    }

    /// Whether the grammar names tokens by their ids.
    pub(crate) fn has_special_tokens(&self) -> bool {
        !self.network.special.is_empty()
    }

    /// Whether the text may end here.
    pub(crate) fn is_whole(&self, state: &Configuration) -> bool {
        state.ends(&self.network)
    }

    /// The last bytes of the JSON values in which the output stands; `None` if it stands in none.
    pub(crate) fn last_bytes_of_values(&self, state: &Configuration) -> Option<ByteSet> {
        let lasts = state.items.iter().filter_map(|item| {
            let ItemPlace::Value(value, _) = item.at else { return None };
            let machine = self.network.value(value);
            Some(machine.schema(machine.root).last_bytes())
        });
        lasts.reduce(ByteSet::or)
    }

    /// The bytes that may follow the JSON values in which the output stands.
    pub(crate) fn bytes_behind_values(&self, state: &Configuration) -> ByteSet {
        let values = state.items.iter().filter(|item| matches!(item.at, ItemPlace::Value(..)));
        values.fold(ByteSet::default(), |bytes, item| bytes.or(self.bytes_behind(item)))
    }

    fn bytes_behind(&self, item: &ParseItem) -> ByteSet {
        Configuration::behind(&self.network, &item.frame).bytes(&self.network)
    }

    /// The nodes of the trie at which the text may end, if tokens go on below them; not those where a JSON value ends it.
    pub(crate) fn ends(&self, vocabulary: &Vocabulary, state: &Configuration) -> Vec<u32> {
        let mut ends = Vec::new();
        self.each_way(vocabulary, state, |_, walked, frame| {
            if frame.is_root() {
                ends.extend(&walked.ends);
            }
        });
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// Calls `found` with each way from a configuration, its tokens and the frame in which they end.
    fn each_way<'a>(
        &self,
        vocabulary: &Vocabulary,
        state: &'a Configuration,
        mut found: impl FnMut(WalkKey, &Arc<WalkedTokens>, &'a CallFrame),
    ) {
        let (trie, words) = (self.tokens.trie(vocabulary), vocabulary.mask_words());
        let mut open: Vec<(Arc<WalkedTokens>, &CallFrame)> = Vec::new();
        for item in &*state.items {
            let ItemPlace::State(at) = item.at else { continue };
            if self.network.reads(at) {
                let walked = self.walks.within(&self.network, trie, words, at);
                found(WalkKey::within(at), &walked, &item.frame);
                open.push((walked, &item.frame));
            }
        }
        let mut seen: HashSet<(WalkKey, u128)> = HashSet::default();
        while let Some((walked, frame)) = open.pop() {
            if walked.ends.is_empty() {
                continue;
            }
            for (next, outer) in &frame.returns {
                let way = WalkKey::behind(&walked, *next);
                if seen.insert((way, outer.print)) {
                    let behind = self.walks.behind(&self.network, trie, words, &walked, *next);
                    found(way, &behind, outer);
                    open.push((behind, outer));
                }
            }
        }
    }

    /// The tokens along all ways from a configuration.
    fn ways(&self, vocabulary: &Vocabulary, state: &Configuration) -> HashMap<WalkKey, WayTokens> {
        let mut ways: HashMap<WalkKey, WayTokens> = HashMap::default();
        self.each_way(vocabulary, state, |way, walked, frame| {
            let known = ways.entry(way).or_insert_with(|| WayTokens { walked: walked.clone(), behind: frame.cost });
            known.behind = known.behind.min(frame.cost);
        });
        ways
    }

    /// Adds the special tokens that follow within a cost. Returns the greatest cost after any of them.
    fn add_special(&self, state: &Configuration, most: u32, set: &mut TokenSet) -> Cost {
        let mut reach = Cost::ZERO;
        for (token, mark) in self.network.special.iter() {
            if let Some(next) = state.after(&self.network, mark).filter(|next| next.cost <= most) {
                set.insert(token);
                reach = reach.max(next.cost);
            }
        }
        reach
    }

    /// Adds the tokens that go on within a JSON value, or behind it.
    fn add_in_value(&self, vocabulary: &Vocabulary, item: &ParseItem, most: u32, set: &mut TokenSet) -> Cost {
        let ItemPlace::Value(value, state) = &item.at else { return Cost::ZERO };
        let (machine, mut reach) = (self.network.value(*value), Cost::ZERO);
        if most == u32::MAX {
            reach = machine.allowed(vocabulary, state, set) + item.frame.cost;
        } else if let Some(left) = most.checked_sub(item.frame.cost.get()) {
            machine.allowed_within(vocabulary, state, left, set);
        }
        let behind = self.bytes_behind(item);
        let lasts = machine.schema(machine.root).last_bytes();
        let crossing = self.tokens.crossing(vocabulary, lasts, behind);
        // The last byte of the value and at least one more.
        if machine.cost(state) < crossing.depth() {
            let alone = Configuration::of(&self.network, item.clone());
            reach = reach.max(self.add_along(&alone, &crossing, 0, most, set));
        }
        reach
    }

    /// Adds the tokens below a node of any trie, step by step.
    fn add_along(&self, state: &Configuration, trie: &Trie, node: u32, most: u32, set: &mut TokenSet) -> Cost {
        let mut reach = Cost::ZERO;
        for child in trie.children_along(node, state.bytes(&self.network)) {
            let byte = trie.byte(child);
            let Some(next) = state.after(&self.network, byte).filter(|_| !marks::is_mark(byte)) else { continue };
            if !trie.own(child).is_empty() && next.cost <= most && !next.cost.is_never() {
                set.insert_all(trie.own(child));
                reach = reach.max(next.cost);
            }
            if trie.end(child) > child + 1 {
                reach = reach.max(self.add_along(&next, trie, child, most, set));
            }
        }
        reach
    }

    fn add_allowed(&self, vocabulary: &Vocabulary, state: &Configuration, most: u32, set: &mut TokenSet) -> Cost {
        let mut reach = self.add_special(state, most, set);
        for item in &*state.items {
            reach = reach.max(self.add_in_value(vocabulary, item, most, set));
        }
        for WayTokens { walked, behind } in self.ways(vocabulary, state).values() {
            for (cost, tokens) in &walked.tokens {
                let cost = *cost + *behind;
                if cost > most || cost.is_never() {
                    break;
                }
                tokens.add_to(set);
                reach = reach.max(cost);
            }
        }
        reach
    }
}

impl Automaton for GrammarMachine {
    type State = Configuration;

    fn start(&self) -> Configuration {
        Configuration::start(&self.network)
    }

    fn step(&self, state: &Configuration, byte: u8) -> Option<Configuration> {
        state.after(&self.network, byte)
    }

    fn cost(&self, state: &Configuration) -> Cost {
        state.cost
    }

    fn size(&self) -> usize {
        self.network.size() + self.walks.bytes()
    }

    fn reads(&self, token: &[u8]) -> bool {
        !token.iter().any(|&byte| marks::is_mark(byte)) && self.tokens.has(token)
    }

    fn special_token(&self, mark: u8) -> Option<u32> {
        self.network.special.token(mark)
    }

    fn mark_of(&self, token: u32) -> Option<u8> {
        self.network.special.mark_of(token)
    }

    fn may_stop(&self, state: &Configuration) -> bool {
        !state.cost.is_never()
    }

    fn next_bytes(&self, state: &Configuration) -> ByteSet {
        state.bytes(&self.network)
    }

    fn is_final(&self, state: &Configuration) -> bool {
        state.bytes(&self.network) == ByteSet::default()
    }

    fn key(&self, state: &Configuration) -> u128 {
        state.print
    }

    fn allowed(&self, vocabulary: &Vocabulary, state: &Configuration, set: &mut TokenSet) -> Cost {
        self.add_allowed(vocabulary, state, u32::MAX, set)
    }

    fn allowed_within(&self, vocabulary: &Vocabulary, state: &Configuration, left: u32, set: &mut TokenSet) {
        self.add_allowed(vocabulary, state, left, set);
    }
}
