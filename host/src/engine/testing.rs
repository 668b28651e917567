//! A small model that is all in memory: what it says next is a function of every token before, so that a token that is
//! lost, doubled or computed at the wrong place changes what follows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jig_plugin_api::sampler::{self, Scratch};
use jig_plugin_api::{Chunk, Error, LogitsWanted, MemoryUse, Model, ModelInfo, Result, SampleRow, Sampled, SequenceId};

use crate::tokenizer::testing;

/// A prompt with this token makes the backend panic when it computes it. It is never drawn.
pub(crate) const POISON: u32 = 250;

/// Tokens in a block of its cache.
pub(crate) const BLOCK: usize = 4;

pub(crate) struct SmallModel {
    sequences: BTreeMap<u64, Held>,
    opened: u64,
    total_blocks: usize,
    rows: Vec<Vec<f32>>,
    /// Set, it makes `memory` panic: a fault in the engine's own thread.
    pub(crate) broken: Arc<std::sync::atomic::AtomicBool>,
}

/// A sequence: its tokens, and the blocks that hold them, shared with forks.
#[derive(Clone, Default)]
struct Held {
    tokens: Vec<u32>,
    blocks: Vec<Arc<()>>,
}

impl SmallModel {
    pub(crate) fn new(total_blocks: usize) -> Self {
        let (sequences, rows) = (BTreeMap::new(), Vec::new());
        Self { sequences, opened: 0, total_blocks, rows, broken: Arc::default() }
    }

    fn used(&self) -> usize {
        let blocks = self.sequences.values().flat_map(|held| &held.blocks);
        blocks.map(Arc::as_ptr).collect::<HashSet<_>>().len()
    }

    fn held(&self, sequence: SequenceId) -> Result<&Held> {
        self.sequences.get(&sequence.0).ok_or_else(|| Error::invalid_argument("the sequence is not open"))
    }

    /// The blocks that appending so many tokens takes.
    fn needed(held: &Held, tokens: usize) -> usize {
        let copied = !held.tokens.len().is_multiple_of(BLOCK)
            && held.blocks.last().is_some_and(|block| Arc::strong_count(block) > 1);
        (held.tokens.len() + tokens).div_ceil(BLOCK) - held.blocks.len() + usize::from(copied)
    }

    fn add(&mut self, held: Held) -> SequenceId {
        self.opened += 1;
        self.sequences.insert(self.opened, held);
        SequenceId(self.opened)
    }
}

/// Logits after some tokens: the last one's habits, and a little of all that was before.
fn logits(tokens: &[u32]) -> Vec<f32> {
    let mix = |state: u64, token: u32| {
        let state = (state ^ u64::from(token)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state ^ (state >> 29)
    };
    let history = tokens.iter().fold(1, |state, &token| mix(state, token));
    let habits = mix(2, tokens.last().copied().unwrap_or(0));
    let level = |state: u64, token: u32| (mix(state, token) >> 40) as f32 / (1 << 24) as f32;
    let likes = |token| 6.0 * level(habits, token) + 3.0 * level(history, token);
    (0..testing::TOKENS as u32).map(|token| if token == POISON { -1000.0 } else { likes(token) }).collect()
}

impl Model for SmallModel {
    fn info(&self) -> ModelInfo {
        ModelInfo { vocab_size: testing::TOKENS as u32, max_model_len: 96, ..ModelInfo::default() }
    }

    fn open(&mut self) -> Result<SequenceId> {
        Ok(self.add(Held::default()))
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        let mut held = self.held(parent)?.clone();
        let length = length as usize;
        if length > held.tokens.len() {
            return Err(Error::invalid_argument("the parent is shorter"));
        }
        held.tokens.truncate(length);
        held.blocks.truncate(length.div_ceil(BLOCK));
        Ok(self.add(held))
    }

    fn truncate(&mut self, _: SequenceId, _: u32) -> Result<()> {
        Err(Error::unsupported("the engine never truncates"))
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        self.held(sequence)?;
        self.sequences.remove(&sequence.0);
        Ok(())
    }

    fn memory(&self) -> MemoryUse {
        assert!(!self.broken.load(std::sync::atomic::Ordering::Relaxed), "broken on purpose");
        MemoryUse {
            block_tokens: BLOCK as u32,
            used_blocks: self.used() as u32,
            total_blocks: self.total_blocks as u32,
            open_sequences: self.sequences.len() as u32,
            ..MemoryUse::default()
        }
    }

    fn forward(&mut self, batch: &[Chunk<'_>]) -> Result<()> {
        let mut needed = 0;
        let mut seen = HashSet::new();
        for chunk in batch {
            let held = self.held(chunk.sequence)?;
            if chunk.tokens.is_empty() || !seen.insert(chunk.sequence) {
                return Err(Error::invalid_argument("an empty chunk, or a sequence twice"));
            }
            assert!(!chunk.tokens.contains(&POISON), "poisoned");
            needed += Self::needed(held, chunk.tokens.len());
        }
        if self.used() + needed > self.total_blocks {
            return Err(Error::out_of_memory("no block is left"));
        }
        self.rows.clear();
        for chunk in batch {
            let Some(held) = self.sequences.get_mut(&chunk.sequence.0) else { continue };
            if !held.tokens.len().is_multiple_of(BLOCK) {
                held.blocks.pop();
                held.blocks.push(Arc::new(()));
            }
            held.tokens.extend_from_slice(chunk.tokens);
            held.blocks.resize_with(held.tokens.len().div_ceil(BLOCK), Arc::default);
            let before = held.tokens.len() - chunk.tokens.len();
            match chunk.logits {
                LogitsWanted::None => {}
                LogitsWanted::Last => self.rows.push(logits(&held.tokens)),
                LogitsWanted::All => {
                    self.rows.extend((before..held.tokens.len()).map(|last| logits(&held.tokens[..=last])));
                }
            }
        }
        Ok(())
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        rows.iter().map(|row| sampler::sample(&self.logits(row.row)?, row, &mut Scratch::default())).collect()
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        self.rows.get(row as usize).cloned().ok_or_else(|| Error::invalid_argument("there is no such row"))
    }
}
