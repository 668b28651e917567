//! [`Configuration`]: where an output may stand in a grammar, with the calls that are open there.
//!
//! Open calls form a graph-structured stack (Tomita 1985): calls of one rule from several places at one point of the output share a frame,
//! which leads back to all of them. So an ambiguous grammar costs no more than an Earley parser (Earley 1970), of which a frame is the
//! origin of a set of items. Frames are immutable, and an output shares them with its clones.
//!
//! ```text
//!  expr ::= term ("+" term)*      after  (1+      item  [term, frame a]
//!  term ::= "(" expr ")" | [0-9]                  frame a ──▶ behind term in expr, frame b
//!                                                 frame b ──▶ before ")" in term, frame c ──▶ ...
//! ```

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::collections::fingerprint::Fingerprint;
use crate::grammar::network::{ENDED, FirstPlace, Network};
use crate::json::machine::state::JsonState;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An open call, or several of one rule: where its callers go on, and their own frames. The root leads nowhere: it is the whole output, or
/// the rule from which a walk begins.
#[derive(Debug)]
pub(crate) struct CallFrame {
    pub(super) returns: Vec<(u32, Arc<CallFrame>)>,
    /// The least bytes from the end of the call to the end of the output.
    pub(super) cost: Cost,
    /// Stands for the frame and all to which it leads.
    pub(super) print: u128,
}

/// A place that the output may have come to, with the call in which it is.
#[derive(Debug, Clone)]
pub(crate) struct ParseItem {
    pub(super) at: ItemPlace,
    pub(super) frame: Arc<CallFrame>,
}

/// A place in a rule, or in a JSON value that a rule calls for.
#[derive(Debug, Clone)]
pub(crate) enum ItemPlace {
    State(u32),
    /// The index of the value in the network, and where in it.
    Value(u32, Arc<JsonState>),
}

/// What tells the items of a configuration apart for as long as a token: of a JSON value its key and its cost.
type ItemPrint = (u32, u128, u128);

/// All items of an output: places where a byte may follow, and the end of the root. Each state with its frame is there once.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(super) items: Arc<[ParseItem]>,
    /// The least bytes to the end of the output.
    pub(super) cost: Cost,
    /// Stands for the items. Equal configurations go on equally for as long as a token.
    pub(super) print: u128,
}

impl PartialEq for Configuration {
    fn eq(&self, other: &Configuration) -> bool {
        self.print == other.print
    }
}

impl CallFrame {
    /// The frame of the whole.
    pub(super) fn root() -> Arc<CallFrame> {
        Arc::new(CallFrame { returns: Vec::new(), cost: Cost::ZERO, print: 0 })
    }

    pub(super) fn is_root(&self) -> bool {
        self.returns.is_empty()
    }

    fn new(network: &Network, mut returns: Vec<(u32, Arc<CallFrame>)>) -> Arc<CallFrame> {
        returns.sort_unstable_by_key(|(state, frame)| (*state, frame.print));
        returns.dedup_by_key(|(state, frame)| (*state, frame.print));
        let mut print = Fingerprint::new();
        returns.iter().for_each(|(state, frame)| print.add((*state, frame.print)));
        let cost = Cost::least(returns.iter().map(|(state, frame)| network.cost(*state) + frame.cost));
        Arc::new(CallFrame { returns, cost, print: print.value() })
    }
}

impl Drop for CallFrame {
    /// Frames are dropped one after the other: a chain of them is as long as the output is nested, and recursion would exhaust the stack.
    fn drop(&mut self) {
        let mut open = std::mem::take(&mut self.returns);
        while let Some((_, frame)) = open.pop() {
            if let Some(mut frame) = Arc::into_inner(frame) {
                open.append(&mut frame.returns);
            }
        }
    }
}

impl ParseItem {
    pub(super) fn cost(&self, network: &Network) -> Cost {
        let within = match &self.at {
            ItemPlace::State(state) => network.cost(*state),
            ItemPlace::Value(value, state) => network.value(*value).cost(state),
        };
        within + self.frame.cost
    }

    fn bytes(&self, network: &Network) -> ByteSet {
        match &self.at {
            ItemPlace::State(state) => network.bytes(*state),
            ItemPlace::Value(value, state) => network.value(*value).next_bytes(state),
        }
    }

    fn print(&self, network: &Network) -> ItemPrint {
        match &self.at {
            ItemPlace::State(state) => (*state, 0, self.frame.print),
            ItemPlace::Value(value, state) => {
                let machine = network.value(*value);
                let mut print = Fingerprint::new();
                print.add((machine.key(state), machine.cost(state)));
                (u32::MAX - *value, print.value(), self.frame.print)
            }
        }
    }
}

impl Configuration {
    /// Before the first byte of an output.
    pub(super) fn start(network: &Network) -> Configuration {
        let root = CallFrame::root();
        let mut reached = ReachedItems::new(network);
        if network.nullable {
            reached.come(ENDED, &root);
        }
        reached.call(network.start, ENDED, &root);
        reached.configuration()
    }

    /// At a state of a rule that ends the whole, with the calls that the state makes and its end.
    pub(super) fn at(network: &Network, state: u32) -> Configuration {
        let mut reached = ReachedItems::new(network);
        reached.come(state, &CallFrame::root());
        reached.configuration()
    }

    /// At a state of a rule that ends the whole, where it reads a byte itself.
    pub(super) fn reading(network: &Network, state: u32) -> Configuration {
        Configuration::of(network, ParseItem { at: ItemPlace::State(state), frame: CallFrame::root() })
    }

    /// Behind a call.
    pub(super) fn behind(network: &Network, frame: &CallFrame) -> Configuration {
        let mut reached = ReachedItems::new(network);
        frame.returns.iter().for_each(|(next, outer)| reached.come(*next, outer));
        reached.configuration()
    }

    /// At one item alone.
    pub(super) fn of(network: &Network, item: ParseItem) -> Configuration {
        let mut reached = ReachedItems::new(network);
        reached.items.push(item);
        reached.configuration()
    }

    /// After one more byte; `None` if it does not follow.
    pub(super) fn after(&self, network: &Network, byte: u8) -> Option<Configuration> {
        let mut reached = ReachedItems::new(network);
        for item in &*self.items {
            match &item.at {
                ItemPlace::State(state) => {
                    if let Some(next) = network.next(*state, byte) {
                        reached.come(next, &item.frame);
                    }
                }
                ItemPlace::Value(value, state) => {
                    if let Some(next) = network.value(*value).step(state, byte) {
                        reached.come_within(*value, next, &item.frame);
                    }
                }
            }
        }
        let configuration = reached.configuration();
        (!configuration.items.is_empty()).then_some(configuration)
    }

    /// The bytes that may follow.
    pub(super) fn bytes(&self, network: &Network) -> ByteSet {
        self.items.iter().fold(ByteSet::default(), |bytes, item| bytes.or(item.bytes(network)))
    }

    /// Whether the root may end here.
    pub(super) fn ends(&self, network: &Network) -> bool {
        let ends = |item: &ParseItem| matches!(item.at, ItemPlace::State(state) if network.accepts(state));
        self.items.iter().any(|item| item.frame.is_root() && ends(item))
    }
}

/// The items that are reached without reading.
struct ReachedItems<'a> {
    network: &'a Network,
    items: Vec<ParseItem>,
    /// States and frames that were come to, in order.
    known: Vec<(u32, u128)>,
    /// Calls of rules that are not entered yet, by rule: where their callers go on. A rule is entered once all of its callers are known,
    /// which they are in the order of the rules' numbers.
    calls: BTreeMap<u32, Vec<(u32, Arc<CallFrame>)>>,
}

/// With more states than this a search in a list takes longer than one in a tree.
const FEW_STATES: usize = 16;

impl<'a> ReachedItems<'a> {
    fn new(network: &'a Network) -> ReachedItems<'a> {
        ReachedItems { network, items: Vec::new(), known: Vec::new(), calls: BTreeMap::new() }
    }

    /// Notes a state and its frame. Whether it is new.
    fn is_new(&mut self, state: u32, frame: &CallFrame) -> bool {
        let key = (state, frame.print);
        if self.known.len() < FEW_STATES {
            let is_new = !self.known.contains(&key);
            if is_new {
                self.known.push(key);
                if self.known.len() == FEW_STATES {
                    self.known.sort_unstable();
                }
            }
            return is_new;
        }
        match self.known.binary_search(&key) {
            Ok(_) => false,
            Err(place) => {
                self.known.insert(place, key);
                true
            }
        }
    }

    /// Comes to a state, and to those behind the calls that end there.
    fn come(&mut self, state: u32, frame: &Arc<CallFrame>) {
        let network = self.network;
        let mut open = vec![(state, frame.clone())];
        while let Some((state, frame)) = open.pop() {
            if !self.is_new(state, &frame) {
                continue;
            }
            let accepts = network.accepts(state);
            if accepts {
                open.extend(frame.returns.iter().cloned());
            }
            for call in network.calls(state) {
                self.call(call.rule, call.next, &frame);
            }
            if network.reads(state) || (accepts && frame.is_root()) {
                self.items.push(ParseItem { at: ItemPlace::State(state), frame });
            }
        }
    }

    /// Comes to a place in a JSON value, and behind it if it may end there.
    fn come_within(&mut self, value: u32, state: JsonState, frame: &Arc<CallFrame>) {
        let machine = self.network.value(value);
        let is_whole = machine.is_whole(&state);
        if is_whole {
            frame.returns.iter().for_each(|(next, outer)| self.come(*next, outer));
        }
        if !is_whole || !machine.is_final(&state) {
            self.items.push(ParseItem { at: ItemPlace::Value(value, Arc::new(state)), frame: frame.clone() });
        }
    }

    /// Calls a rule. A caller that ends with the call is left out of the stack, so right recursion does not make it grow.
    fn call(&mut self, rule: u32, next: u32, frame: &Arc<CallFrame>) {
        let callers = self.calls.entry(rule).or_default();
        if next == ENDED && !frame.is_root() {
            callers.extend(frame.returns.iter().cloned());
        } else {
            callers.push((next, frame.clone()));
        }
    }

    fn configuration(mut self) -> Configuration {
        let network = self.network;
        while let Some((rule, returns)) = self.calls.pop_first() {
            let frame = CallFrame::new(network, returns);
            match network.first(rule) {
                FirstPlace::State(state) => self.come(state, &frame),
                FirstPlace::Value(value) => {
                    let at = ItemPlace::Value(value, Arc::new(network.value(value).start()));
                    self.items.push(ParseItem { at, frame });
                }
            }
        }
        let mut print = Fingerprint::new();
        match &self.items[..] {
            [item] => print.add(item.print(network)),
            _ => {
                self.items.sort_by_cached_key(|item| item.print(network));
                self.items.iter().for_each(|item| print.add(item.print(network)));
            }
        }
        let cost = Cost::least(self.items.iter().map(|item| item.cost(network)));
        Configuration { items: self.items.into(), cost, print: print.value() }
    }
}
