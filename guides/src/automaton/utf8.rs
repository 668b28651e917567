//! Kinds of characters, and their spelling in UTF-8 (RFC 3629): from an automaton over characters to one over bytes.
//!
//! A state over characters becomes a state between characters. After the first byte of a longer character the automaton is in a state
//! within it: a node of the tree of UTF-8, and the state that each kind of character below that node leads to.
//!
//! ```text
//!  [é-ü]x          between --C3--> within (node C3; é..ü to state 2) --A9..BC--> state 2 --78--> accepted
//! ```
//!
//! Kinds below a node that lead to the same states give the same state within, whatever the node's bytes are, because equal nodes are one.
//! So `.` takes a state for each depth of UTF-8 and not for each first byte.

use crate::automaton::expression::{FIRST_MARK, Symbols};
use foldhash::{HashMap, HashMapExt};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The coarsest partition of the symbols that respects some sets: symbols of one kind are in the same sets.
#[derive(Debug)]
pub(crate) struct SymbolKinds {
    /// The first symbol of each stretch of symbols of one kind, and that kind; sorted.
    stretches: Vec<(u32, u32)>,
    count: usize,
    /// For each set its kinds, as bits.
    sets: Vec<Vec<u64>>,
}

impl SymbolKinds {
    pub(crate) fn new(sets: &[Arc<Symbols>]) -> SymbolKinds {
        let ends = sets.iter().flat_map(|set| set.iter()).flat_map(|&(low, high)| [low, high + 1]);
        let mut stretches: Vec<(u32, u32)> = [0, FIRST_MARK].into_iter().chain(ends).map(|first| (first, 0)).collect();
        stretches.sort_unstable();
        stretches.dedup();
        // Partition refinement: each set splits the kinds so far into a part inside and a part outside.
        let mut count = 1;
        for set in sets {
            let mut split: HashMap<u32, u32> = HashMap::new();
            for stretch in within(&mut stretches, set) {
                stretch.1 = *split.entry(stretch.1).or_insert_with(|| {
                    count += 1;
                    count - 1
                });
            }
        }
        // A kind that lies in a set as a whole has moved to a new number, so some numbers are unused.
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        for (_, kind) in &mut stretches {
            let next = numbers.len() as u32;
            *kind = *numbers.entry(*kind).or_insert(next);
        }
        let count = numbers.len();
        let sets = sets.iter().map(|set| {
            let mut kinds = vec![0u64; count.div_ceil(64)];
            for &mut (_, kind) in within(&mut stretches, set) {
                kinds[kind as usize / 64] |= 1 << (kind % 64);
            }
            kinds
        });
        let sets = sets.collect();
        SymbolKinds { stretches, count, sets }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether the symbols of a kind are in the set with this index.
    pub(super) fn has(&self, set: u32, kind: usize) -> bool {
        self.sets[set as usize][kind / 64] >> (kind % 64) & 1 == 1
    }

    /// The kind of a symbol, and the first symbol of the stretch after its own.
    pub(super) fn at(&self, symbol: u32) -> (u32, u32) {
        let next = self.stretches.partition_point(|&(first, _)| first <= symbol);
        (self.stretches[next - 1].1, self.stretches.get(next).map_or(u32::MAX, |&(first, _)| first))
    }
}

/// The stretches in a set. No stretch crosses the border of a set.
fn within<'a>(stretches: &'a mut [(u32, u32)], set: &'a Symbols) -> impl Iterator<Item = &'a mut (u32, u32)> {
    let mut ranges = set.iter().peekable();
    stretches.iter_mut().filter(move |(first, _)| {
        while ranges.next_if(|(_, high)| high < first).is_some() {}
        ranges.peek().is_some_and(|(low, _)| low <= first)
    })
}

/// A node of the tree of UTF-8: the bytes that continue a character.
#[derive(Debug)]
struct ByteNode {
    /// For each continuation byte, counted from 1: after the last byte the place of a kind among `kinds`, else a node; 0 if no character
    /// has that byte.
    next: [u32; 64],
    /// Whether the next byte is the last of its character.
    last: bool,
    /// How many bytes of the character are left.
    left: u32,
    /// The kinds of all characters below the node, sorted.
    kinds: Vec<u32>,
}

/// The bytes of the characters of each kind.
#[derive(Debug)]
pub(super) struct Utf8Tree {
    nodes: Vec<ByteNode>,
    /// For each byte that is a character by itself its kind, counted from 1.
    single: [u32; 256],
    /// For each byte that begins a longer character its node, counted from 1.
    lead: [u32; 256],
}

/// Where a byte of a character leads.
pub(super) enum AfterByte {
    /// The character is complete, and of this kind.
    Kind(u32),
    /// More bytes follow, as this node has them.
    Node(u32),
}

impl Utf8Tree {
    pub(super) fn new(kinds: &SymbolKinds) -> Utf8Tree {
        let mut nodes = ByteNodes { kinds, nodes: Vec::new(), known: HashMap::new(), uniform: HashMap::new() };
        let (mut single, mut lead) = ([0; 256], [0; 256]);
        for byte in 0..=255u8 {
            let (place, code) = (usize::from(byte), u32::from(byte));
            match byte {
                0..=0x7F => single[place] = kinds.at(code).0 + 1,
                0x80..=0xC1 | 0xF5.. => {}
                0xC2..=0xDF => lead[place] = nodes.block(1, (code & 0x1F) << 6, &(0x80..=0x7FF)),
                0xE0..=0xEF => lead[place] = nodes.block(2, (code & 0xF) << 12, &(0x800..=0xFFFF)),
                0xF0..=0xF4 => lead[place] = nodes.block(3, (code & 7) << 18, &(0x1_0000..=0x10_FFFF)),
            }
        }
        Utf8Tree { nodes: nodes.nodes, single, lead }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Where the first byte of a character leads.
    pub(super) fn begin(&self, byte: u8) -> Option<AfterByte> {
        let place = usize::from(byte);
        let node = || self.lead[place].checked_sub(1).map(AfterByte::Node);
        self.single[place].checked_sub(1).map(AfterByte::Kind).or_else(node)
    }

    /// Where another byte leads.
    pub(super) fn next(&self, node: u32, byte: u8) -> Option<AfterByte> {
        let node = &self.nodes[node as usize];
        let next = node.next[usize::from(byte) & 0x3F].checked_sub(1).filter(|_| byte & 0xC0 == 0x80)?;
        Some(if node.last { AfterByte::Kind(node.kinds[next as usize]) } else { AfterByte::Node(next) })
    }

    /// The kinds of the characters below a node, sorted, and how many bytes of them are left.
    pub(super) fn below(&self, node: u32) -> (&[u32], u32) {
        let node = &self.nodes[node as usize];
        (&node.kinds, node.left)
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        self.nodes.iter().map(|node| 300 + node.kinds.len() * 4).sum::<usize>() + 2048
    }
}

/// An automaton over kinds of symbols, as an automaton over bytes whose states are made when they are met.
pub(super) struct Spelling<'a> {
    tree: Utf8Tree,
    /// The class of each byte.
    pub(super) classes: [u8; 256],
    /// A byte of each class.
    bytes: Vec<u8>,
    /// The next state for each state and each kind.
    table: &'a [u32],
    kinds: usize,
    /// The states within characters: a node, and the state after each of its kinds.
    within: Vec<(u32, Box<[u32]>)>,
    known: HashMap<(u32, Box<[u32]>), u32>,
}

impl<'a> Spelling<'a> {
    /// The spelling of the automaton whose next states are `table[state * kinds + kind]`.
    pub(crate) fn new(kinds: &SymbolKinds, table: &'a [u32]) -> Spelling<'a> {
        let tree = Utf8Tree::new(kinds);
        let (mut classes, mut bytes) = ([0; 256], Vec::new());
        let mut seen: HashMap<(u32, u32, Vec<u32>), u8> = HashMap::new();
        for byte in 0..=255u8 {
            let continues = match byte {
                0x80..=0xBF => tree.nodes.iter().map(|node| node.next[usize::from(byte & 0x3F)]).collect(),
                _ => Vec::new(),
            };
            let place = usize::from(byte);
            classes[place] = *seen.entry((tree.single[place], tree.lead[place], continues)).or_insert_with(|| {
                bytes.push(byte);
                (bytes.len() - 1) as u8
            });
        }
        let (within, known) = (Vec::new(), HashMap::new());
        Spelling { tree, classes, bytes, table, kinds: kinds.len(), within, known }
    }

    /// How many classes of bytes there are.
    pub(super) fn width(&self) -> usize {
        self.bytes.len()
    }

    /// The state after a byte of this class, 0 for none. States within characters are numbered behind those of the table.
    pub(crate) fn next(&mut self, state: u32, class: usize) -> u32 {
        let (byte, states) = (usize::from(self.bytes[class]), self.table.len() / self.kinds);
        let row = state as usize * self.kinds;
        let Some(place) = (state as usize).checked_sub(states) else {
            let (row, single) = (&self.table[row..row + self.kinds], self.tree.single[byte]);
            if let Some(kind) = single.checked_sub(1) {
                return row[kind as usize];
            }
            let Some(node) = self.tree.lead[byte].checked_sub(1) else { return 0 };
            let after = self.tree.nodes[node as usize].kinds.iter().map(|&kind| row[kind as usize]).collect();
            return self.enter(node, after);
        };
        if !(0x80..=0xBF).contains(&byte) {
            return 0;
        }
        let (node, after) = &self.within[place];
        let node = &self.tree.nodes[*node as usize];
        let Some(next) = node.next[byte & 0x3F].checked_sub(1) else { return 0 };
        if node.last {
            return after[next as usize];
        }
        // The kinds below the inner node are a subset of those here, and both are sorted: one pass finds them.
        let mut here = node.kinds.iter().zip(after);
        let inner = self.tree.nodes[next as usize].kinds.iter();
        let after = inner.filter_map(|kind| here.find(|(other, _)| *other == kind).map(|(_, &after)| after)).collect();
        self.enter(next, after)
    }

    /// The number of the state within `node` that has these states after its kinds.
    fn enter(&mut self, node: u32, after: Box<[u32]>) -> u32 {
        if after.iter().all(|&state| state == 0) {
            return 0;
        }
        let (states, within) = (self.table.len() / self.kinds, &mut self.within);
        *self.known.entry((node, after)).or_insert_with_key(|key| {
            within.push(key.clone());
            (states + within.len() - 1) as u32
        })
    }
}

/// The tree of UTF-8 under construction. Equal nodes are shared, which makes it a small graph.
struct ByteNodes<'a> {
    kinds: &'a SymbolKinds,
    nodes: Vec<ByteNode>,
    known: HashMap<(u32, [u32; 64]), u32>,
    /// The nodes with characters of one kind only, by the bytes that follow and that kind. Without them a million characters would be
    /// visited for each regex.
    uniform: HashMap<(u32, u32), u32>,
}

impl ByteNodes<'_> {
    /// The characters from `base` on that differ in so many continuation bytes, of those among `spelled`: a node counted from 1, or the
    /// kind of a single one; 0 where there are none.
    fn block(&mut self, bytes: u32, base: u32, spelled: &RangeInclusive<u32>) -> u32 {
        let (low, high) = (*spelled.start(), *spelled.end());
        let last = base + (1 << (6 * bytes)) - 1;
        let is_surrogate = |first: u32, last: u32| first >= 0xD800 && last <= 0xDFFF;
        if last < low || base > high || is_surrogate(base, last) {
            return 0;
        }
        let (kind, end) = self.kinds.at(base);
        if bytes == 0 {
            return kind + 1;
        }
        let surrogates = base <= 0xDFFF && last >= 0xD800;
        let uniform = end > last && base >= low && last <= high && !surrogates;
        if let (true, Some(&node)) = (uniform, self.uniform.get(&(bytes, kind))) {
            return node;
        }
        let mut next = [0; 64];
        for (place, next) in (0..).zip(&mut next) {
            *next = self.block(bytes - 1, base + (place << (6 * (bytes - 1))), spelled);
        }
        let node = self.node(bytes, next);
        if uniform {
            self.uniform.insert((bytes, kind), node);
        }
        node
    }

    fn node(&mut self, bytes: u32, next: [u32; 64]) -> u32 {
        if let Some(&node) = self.known.get(&(bytes, next)) {
            return node;
        }
        let last = bytes == 1;
        let inner = next.iter().filter(|&&next| next != 0);
        let mut kinds: Vec<u32> = if last {
            inner.map(|kind| kind - 1).collect()
        } else {
            inner.flat_map(|&node| self.nodes[node as usize - 1].kinds.iter().copied()).collect()
        };
        kinds.sort_unstable();
        kinds.dedup();
        let place = |kind: u32| kinds.partition_point(|&other| other < kind) as u32 + 1;
        let places = if last { next.map(|kind| if kind == 0 { 0 } else { place(kind - 1) }) } else { next };
        self.nodes.push(ByteNode { next: places, last, left: bytes, kinds });
        let node = self.nodes.len() as u32;
        self.known.insert((bytes, next), node);
        node
    }
}
