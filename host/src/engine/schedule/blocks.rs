//! The arithmetic of KV cache blocks: who would need how many.
//!
//! It is a forecast by which the scheduler avoids running out of memory. Where it is wrong the model says
//! `OutOfMemory`, and the scheduler makes room then.

use jig_plugin_api::MemoryUse;

use crate::engine::sequence::Sequence;

/// The blocks of a model at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    /// Tokens in a block.
    size: usize,
    used: usize,
    /// `None` where the model does not count in blocks.
    total: Option<usize>,
}

impl Blocks {
    pub(super) fn of(memory: &MemoryUse) -> Self {
        Self {
            size: memory.block_tokens.max(1) as usize,
            used: memory.used_blocks as usize,
            total: (memory.total_blocks > 0).then_some(memory.total_blocks as usize),
        }
    }

    pub(super) fn free(&self) -> usize {
        self.total.map_or(usize::MAX, |total| total.saturating_sub(self.used))
    }

    /// Whether a sequence of so many tokens fits into an empty cache.
    pub(super) fn could_hold(&self, tokens: usize) -> bool {
        self.total.is_none_or(|total| tokens.div_ceil(self.size) <= total)
    }

    /// The blocks that a sequence takes if `tokens` are appended.
    pub(super) fn to_append(self, sequence: &Sequence, tokens: usize) -> usize {
        let copied = usize::from(sequence.shares_block && !sequence.computed.is_multiple_of(self.size));
        (sequence.computed + tokens).div_ceil(self.size) - sequence.computed.div_ceil(self.size) + copied
    }

    /// The blocks that a new sequence of `tokens` takes of which the first `shared` are another one's.
    pub(super) fn to_open(self, tokens: usize, shared: usize) -> usize {
        tokens.div_ceil(self.size) - shared / self.size
    }
}
