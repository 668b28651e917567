//! Walks of the vocabulary from a state of a rule, which know nothing of the calls around it.
//!
//! Most tokens end within the rule in which they begin, so they are the same whatever calls are open: a walk finds them once for each
//! state. A token at which the rule ends goes on behind the call. There is one more walk for each state behind it, from the places in the
//! trie where the first one ended; and so on for the calls around:
//!
//! ```text
//!  state in a string, in an array            walk [string]             hello, 12, hello"
//!                                            walk [string, behind it]  hello",  ",  "]
//!                                            walk [string, behind it, behind the array]  "],
//! ```
//!
//! The frames of a stack are found again and again in few orders, so few walks are made.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::automaton::marks;
use crate::collections::cache::Cache;
use crate::collections::fingerprint::Fingerprint;
use crate::grammar::network::Network;
use crate::grammar::stack::Configuration;
use crate::grammar::subtrees::{SubtreeBytes, Subtrees};
use crate::vocabulary::mask::Tokens;
use crate::vocabulary::trie::Trie;
use foldhash::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Memory for walks.
const WALK_BYTES: usize = 32 << 20;

/// The most configurations that walks share. Beyond it they are forgotten.
const MOST_CONFIGURATIONS: usize = 20_000;

/// What a walk depends on: a state, and the places in the trie from which tokens go on there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WalkKey(u128);

impl WalkKey {
    /// Within the rule of a state.
    pub(super) fn within(state: u32) -> WalkKey {
        WalkKey(u128::from(state))
    }

    /// In the state behind a call that ends at the ends of `before`.
    pub(super) fn behind(before: &WalkedTokens, state: u32) -> WalkKey {
        let mut print = Fingerprint::new();
        print.add((before.print, state));
        WalkKey(print.value())
    }
}

/// The tokens along a way.
#[derive(Debug)]
pub(super) struct WalkedTokens {
    /// The tokens that end within the last rule of the way, by the least bytes from there to the end of that rule, in rising order.
    pub(super) tokens: Box<[(Cost, Tokens)]>,
    /// The nodes of the trie at which the last rule may end, if tokens go on below them.
    pub(super) ends: Box<[u32]>,
    /// Stands for `ends`.
    print: u128,
    /// The children of the ends by their bytes, once they are asked for.
    exits: OnceLock<ExitNodes>,
}

/// Nodes by byte, in one list: those of byte `b` begin at `first[b]`.
#[derive(Debug)]
struct ExitNodes {
    first: Box<[u32; 257]>,
    nodes: Box<[u32]>,
}

impl ExitNodes {
    fn new(trie: &Trie, ends: &[u32]) -> ExitNodes {
        let children = || ends.iter().flat_map(|&end| trie.children(end));
        let mut first = Box::new([0u32; 257]);
        children().for_each(|child| first[usize::from(trie.byte(child)) + 1] += 1);
        (0..256).for_each(|byte| first[byte + 1] += first[byte]);
        let (mut next, mut nodes) = (first.clone(), vec![0; first[256] as usize]);
        for child in children() {
            let place = &mut next[usize::from(trie.byte(child))];
            nodes[*place as usize] = child;
            *place += 1;
        }
        ExitNodes { first, nodes: nodes.into() }
    }

    fn along(&self, byte: u8) -> &[u32] {
        let byte = usize::from(byte);
        &self.nodes[self.first[byte] as usize..self.first[byte + 1] as usize]
    }
}

/// The walks that were made.
#[derive(Debug)]
pub(super) struct Walks {
    walked: Cache<WalkKey, Arc<WalkedTokens>>,
    local: Mutex<LocalAutomaton>,
    /// Of the vocabulary, shared by all guides.
    subtrees: Arc<Subtrees>,
}

/// The configurations of walks as a deterministic automaton that is made where walks come: each step is made once.
#[derive(Debug, Default)]
struct LocalAutomaton {
    configurations: Vec<LocalState>,
    by_print: HashMap<u128, u32>,
    /// By configuration and class of bytes the next one plus two; [`UNKNOWN`], or [`DEAD`].
    next: Vec<u32>,
}

#[derive(Debug)]
struct LocalState {
    configuration: Configuration,
    ends: bool,
    /// The bytes that lead back to it, once they are asked for.
    loops: Option<SubtreeBytes>,
}

const UNKNOWN: u32 = 0;
const DEAD: u32 = 1;

impl Walks {
    pub(super) fn new(subtrees: Arc<Subtrees>) -> Walks {
        Walks { walked: Cache::new(WALK_BYTES), local: Mutex::default(), subtrees }
    }

    /// Memory in bytes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        self.walked.bytes() + local.next.len() * 4 + local.configurations.len() * 128
    }

    /// The tokens that end within the rule of a state, and those at which it ends. The calls that the state makes are other states of the
    /// output, and not included.
    pub(super) fn within(&self, network: &Network, trie: &Trie, words: usize, state: u32) -> Arc<WalkedTokens> {
        let make = || self.walk(network, trie, words, None, || Configuration::reading(network, state));
        self.walked.get_or_make(WalkKey::within(state), |_, walked| walked.size(), make)
    }

    /// The tokens that end behind a call, in the state `state` or later in its rule; the call ends at the ends of `before`.
    pub(super) fn behind(
        &self,
        network: &Network,
        trie: &Trie,
        words: usize,
        before: &WalkedTokens,
        state: u32,
    ) -> Arc<WalkedTokens> {
        let make = || self.walk(network, trie, words, Some(before), || Configuration::at(network, state));
        self.walked.get_or_make(WalkKey::behind(before, state), |_, walked| walked.size(), make)
    }

    /// Walks from the root of the trie, or from the ends of another walk.
    fn walk(
        &self,
        network: &Network,
        trie: &Trie,
        words: usize,
        before: Option<&WalkedTokens>,
        start: impl FnOnce() -> Configuration,
    ) -> Arc<WalkedTokens> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.configurations.len() > MOST_CONFIGURATIONS {
            *local = LocalAutomaton::default();
        }
        let start = local.number(network, start());
        let (subtrees, tokens, ends) = (&*self.subtrees, ByCost::default(), Vec::new());
        let mut walk = LocalWalk { network, trie, subtrees, local: &mut local, tokens, ends };
        match before {
            None => walk.below(0, start),
            Some(before) => {
                let bytes = walk.local.configurations[start as usize].configuration.bytes(network);
                let exits = before.exits.get_or_init(|| ExitNodes::new(trie, &before.ends));
                for byte in bytes.iter() {
                    exits.along(byte).iter().for_each(|&child| walk.visit(child, start));
                }
                // The rule behind the call may end where the call does.
                if walk.local.configurations[start as usize].ends {
                    walk.ends.extend(&before.ends);
                }
            }
        }
        let LocalWalk { tokens, mut ends, .. } = walk;
        ends.sort_unstable();
        ends.dedup();
        let tokens = tokens.into_sorted().map(|(cost, tokens)| (cost, Tokens::new(tokens, words)));
        let mut print = Fingerprint::new();
        print.add(&ends);
        Arc::new(WalkedTokens {
            tokens: tokens.collect(),
            ends: ends.into(),
            print: print.value(),
            exits: OnceLock::new(),
        })
    }
}

impl WalkedTokens {
    fn size(&self) -> usize {
        // The ends, and their children, of which there are about as many.
        128 + self.ends.len() * 8 + self.tokens.iter().map(|(_, tokens)| tokens.size() + 32).sum::<usize>()
    }
}

impl LocalAutomaton {
    fn number(&mut self, network: &Network, configuration: Configuration) -> u32 {
        let next = self.configurations.len() as u32;
        let number = *self.by_print.entry(configuration.print).or_insert(next);
        if number == next {
            let ends = configuration.ends(network);
            self.configurations.push(LocalState { configuration, ends, loops: None });
            self.next.resize(self.configurations.len() * network.width(), UNKNOWN);
        }
        number
    }

    /// The bytes that lead from a configuration back to it.
    fn find_loops(&mut self, network: &Network, subtrees: &Subtrees, at: u32) -> SubtreeBytes {
        let mut loops = SubtreeBytes::NONE;
        (0..0x7F).filter(|&byte| self.step(network, at, byte) == Some(at)).for_each(|byte| loops.add(byte));
        if self.returns(network, subtrees.any(), at) {
            loops.add_others();
        }
        self.configurations[at as usize].loops = Some(loops);
        loops
    }

    /// Whether DEL and each character that is not ASCII lead from a configuration back to it. `any` accepts all texts.
    fn returns(&mut self, network: &Network, any: &Dfa, at: u32) -> bool {
        let (mut open, mut seen) = (vec![(any.start(), at)], HashSet::default());
        while let Some((text, from)) = open.pop() {
            for byte in 0x7F..=0xFF {
                let text = any.next(text, byte);
                if text == 0 {
                    continue;
                }
                let next = self.step(network, from, byte);
                match next {
                    Some(next) if !any.accepts_at(text) => {
                        if seen.insert((text, next)) {
                            open.push((text, next));
                        }
                    }
                    _ if next == Some(at) => {}
                    _ => return false,
                }
            }
        }
        true
    }

    fn step(&mut self, network: &Network, from: u32, byte: u8) -> Option<u32> {
        let place = from as usize * network.width() + network.class(byte);
        if self.next[place] == UNKNOWN {
            let after = self.configurations[from as usize].configuration.after(network, byte);
            self.next[place] = after.map_or(DEAD, |after| self.number(network, after) + 2);
        }
        self.next[place].checked_sub(2)
    }
}

struct LocalWalk<'a> {
    network: &'a Network,
    trie: &'a Trie,
    subtrees: &'a Subtrees,
    local: &'a mut LocalAutomaton,
    tokens: ByCost,
    ends: Vec<u32>,
}

/// A subtree of fewer nodes is walked node by node.
const FEW_NODES: u32 = 4;

/// Tokens by the cost after them.
#[derive(Default)]
struct ByCost {
    /// By cost, for small ones: a walk adds a token every few nanoseconds.
    small: Vec<Vec<u32>>,
    others: BTreeMap<Cost, Vec<u32>>,
}

/// Costs that have a place in a list of their own.
const SMALL_COSTS: u32 = 256;

impl ByCost {
    fn of(&mut self, cost: Cost) -> &mut Vec<u32> {
        if cost >= SMALL_COSTS {
            return self.others.entry(cost).or_default();
        }
        let place = cost.get() as usize;
        if self.small.len() <= place {
            self.small.resize(place + 1, Vec::new());
        }
        &mut self.small[place]
    }

    /// The lists that are not empty, in rising order.
    fn into_sorted(self) -> impl Iterator<Item = (Cost, Vec<u32>)> {
        let small = (0..).map(Cost::bytes).zip(self.small).filter(|(_, tokens)| !tokens.is_empty());
        small.chain(self.others)
    }
}

impl LocalWalk<'_> {
    /// The tokens below a node.
    fn below(&mut self, node: u32, at: u32) {
        let trie = self.trie;
        trie.children(node).for_each(|child| self.visit(child, at));
    }

    /// The tokens at a node and below it, of which the byte is read from a configuration.
    fn visit(&mut self, node: u32, at: u32) {
        let trie = self.trie;
        let byte = trie.byte(node);
        if marks::is_mark(byte) {
            return;
        }
        let Some(next) = self.local.step(self.network, at, byte) else { return };
        if next == at && trie.end(node) >= node + FEW_NODES && self.all_below(node, at) {
            return;
        }
        let state = &self.local.configurations[next as usize];
        let own = trie.own(node);
        if !own.is_empty() {
            self.tokens.of(state.configuration.cost).extend(own);
        }
        if trie.end(node) > node + 1 {
            if state.ends {
                self.ends.push(node);
            }
            self.below(node, next);
        }
    }

    /// Adds all tokens at a node and below it, if their bytes lead from a configuration back to it. Whether they do.
    fn all_below(&mut self, node: u32, at: u32) -> bool {
        let state = &self.local.configurations[at as usize];
        // Where the rule may end, each node is an end.
        if state.ends {
            return false;
        }
        let cost = state.configuration.cost;
        let loops = match state.loops {
            Some(loops) => loops,
            None => self.local.find_loops(self.network, self.subtrees, at),
        };
        if !self.subtrees.has_only(node, loops) {
            return false;
        }
        let tokens = self.trie.below(node);
        let lacking = self.subtrees.lacking(self.trie, node);
        if lacking.iter().all(|&lacking| lacking == 0) {
            self.tokens.of(cost).extend(tokens);
        } else {
            for (&token, &lacking) in tokens.iter().zip(lacking) {
                self.tokens.of(cost + u32::from(lacking)).push(token);
            }
        }
        true
    }
}
