//! The tokens of a vocabulary as a trie, laid out in preorder: a walk is a scan that can skip subtrees, and the tokens of a subtree are a
//! slice.
//!
//! ```text
//!  tokens a, ab, b      node   0 root   1 a   2 ab   3 b
//!                       end       4      3      3     4
//! ```

use crate::collections::byte_set::ByteSet;
use std::ops::Range;

/// A trie. Node 0 is the root, the empty string. The children of node `n` begin at `n + 1`, and each is followed by its own subtree.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Vec<TrieNode>,
    /// Token ids in trie order: the tokens of a subtree are contiguous.
    tokens: Vec<u32>,
    depth: u32,
    /// For each node the offset of its children in the two lists that follow. Siblings are neighbours there. In `nodes` whole subtrees lie
    /// between them, and a step from sibling to sibling misses the cache.
    first_child: Vec<u32>,
    child_bytes: Vec<u8>,
    child_nodes: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct TrieNode {
    /// One past the last node of the subtree.
    end: u32,
    /// The offset in `tokens` of the node's own tokens, which the tokens of its subtree follow.
    first_token: u32,
    /// Number of tokens that end at this node.
    own: u32,
    byte: u8,
}

impl Trie {
    pub(crate) fn new(tokens: &[Option<Vec<u8>>]) -> Trie {
        let mut sorted: Vec<(&[u8], u32)> =
            (0u32..).zip(tokens).filter_map(|(id, bytes)| Some((bytes.as_deref()?, id))).collect();
        sorted.sort_unstable();
        let root = TrieNode { end: 0, first_token: 0, own: 0, byte: 0 };
        let depth = sorted.iter().map(|(bytes, _)| bytes.len() as u32).max().unwrap_or(0);
        let mut trie = Trie {
            nodes: vec![root],
            tokens: Vec::with_capacity(sorted.len()),
            depth,
            first_child: Vec::new(),
            child_bytes: Vec::new(),
            child_nodes: Vec::new(),
        };
        // The path to the previous token: the nodes whose subtrees are still open. Sorted tokens make this the only open path.
        let mut path: Vec<usize> = vec![0];
        let mut previous: &[u8] = &[];
        for (bytes, id) in sorted {
            let common = bytes.iter().zip(previous).take_while(|(a, b)| a == b).count();
            for node in path.drain(common + 1..) {
                trie.nodes[node].end = trie.nodes.len() as u32;
            }
            for &byte in &bytes[common..] {
                path.push(trie.nodes.len());
                trie.nodes.push(TrieNode { end: 0, first_token: trie.tokens.len() as u32, own: 0, byte });
            }
            let node = *path.last().unwrap_or(&0);
            trie.nodes[node].own += 1;
            trie.tokens.push(id);
            previous = bytes;
        }
        for node in path {
            trie.nodes[node].end = trie.nodes.len() as u32;
        }
        trie.list_children();
        trie
    }

    fn list_children(&mut self) {
        let len = self.nodes.len();
        self.first_child.reserve_exact(len + 1);
        self.child_bytes.reserve_exact(len - 1);
        self.child_nodes.reserve_exact(len - 1);
        for node in 0..len {
            self.first_child.push(self.child_nodes.len() as u32);
            let mut child = node + 1;
            while child < self.nodes[node].end as usize {
                self.child_bytes.push(self.nodes[child].byte);
                self.child_nodes.push(child as u32);
                child = self.nodes[child].end as usize;
            }
        }
        self.first_child.push(self.child_nodes.len() as u32);
    }

    /// Number of nodes, the root included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn byte(&self, node: u32) -> u8 {
        self.nodes[node as usize].byte
    }

    /// One past the last node of the subtree at `node`.
    pub(crate) fn end(&self, node: u32) -> u32 {
        self.nodes[node as usize].end
    }

    /// The tokens that end at `node`.
    pub(crate) fn own(&self, node: u32) -> &[u32] {
        let node = self.nodes[node as usize];
        &self.tokens[node.first_token as usize..(node.first_token + node.own) as usize]
    }

    /// The tokens that end at `node` or below it.
    pub(crate) fn below(&self, node: u32) -> &[u32] {
        &self.tokens[self.range_below(node)]
    }

    /// The places of the tokens that end at `node` or below it, in the order of the trie.
    pub(crate) fn range_below(&self, node: u32) -> Range<usize> {
        let end = self.nodes.get(self.end(node) as usize).map_or(self.tokens.len(), |next| next.first_token as usize);
        self.nodes[node as usize].first_token as usize..end
    }

    /// Bytes of the longest token.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// The range of the children of `node` in the lists of children.
    fn child_range(&self, node: u32) -> Range<usize> {
        self.first_child[node as usize] as usize..self.first_child[node as usize + 1] as usize
    }

    /// The children of `node`, in order of their bytes.
    pub(crate) fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        self.child_nodes[self.child_range(node)].iter().copied()
    }

    /// The children of `node` along the bytes of a set, in order of their bytes.
    pub(crate) fn children_along(&self, node: u32, wanted: ByteSet) -> impl Iterator<Item = u32> {
        let range = self.child_range(node);
        let children = self.child_bytes[range.clone()].iter().zip(&self.child_nodes[range]);
        children.filter(move |(byte, _)| wanted.contains(**byte)).map(|(_, &child)| child)
    }

    /// The child of `node` along `byte`.
    pub(crate) fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let range = self.child_range(node);
        let place = self.child_bytes[range.clone()].binary_search(&byte).ok()?;
        Some(self.child_nodes[range.start + place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(words: &[&str]) -> Trie {
        Trie::new(&words.iter().map(|w| Some(w.as_bytes().to_vec())).collect::<Vec<_>>())
    }

    #[test]
    fn every_token_is_found_along_its_bytes() {
        let words = ["a", "abc", "abd", "b", "a", "bcd", "ab"];
        let trie = trie(&words);
        for (id, word) in words.iter().enumerate() {
            let node = word.bytes().try_fold(0, |node, byte| trie.child(node, byte)).expect("a path");
            assert!(trie.own(node).contains(&(id as u32)), "{word}");
        }
    }
}
