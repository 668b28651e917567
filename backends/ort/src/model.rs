//! [`OrtModel`]: handles, limits and rows of logits in front of the thread that runs the graph.

use std::collections::{HashMap, HashSet};

use jig_plugin_api::sampler::{self, Scratch};
use jig_plugin_api::{
    Chunk, Error, LogitsWanted, MemoryUse, Model, ModelInfo, Result, SampleRow, Sampled, SequenceId, mask,
};
use rayon::prelude::*;

use crate::runner::Append;
use crate::worker::{Promise, Worker};

/// Tokens in a block of the KV cache, as the host counts. The cache has no blocks, so a small number keeps rounding
/// low.
pub(crate) const BLOCK_TOKENS: usize = 4;
/// The fewest rows for sampling on several threads. With fewer rows, waiting for a core on which ONNX Runtime's threads
/// still spin takes longer than sampling (at 8 rows on 2 cores, 4 % of a step).
const PARALLEL_ROWS: usize = 16;

/// A decoder in ONNX Runtime.
pub(crate) struct OrtModel {
    pub(crate) worker: Worker,
    pub(crate) info: ModelInfo,
    pub(crate) weight_bytes: u64,
    pub(crate) max_batch_tokens: usize,
    /// Bytes of a block, and how many blocks there are.
    pub(crate) block_bytes: u64,
    pub(crate) total_blocks: usize,
    /// Tokens of each sequence, including those of enqueued runs.
    pub(crate) sequences: HashMap<SequenceId, usize>,
    pub(crate) next_sequence: u64,
    pub(crate) rows: Rows,
}

/// The rows of logits of the last `forward`.
#[derive(Default)]
pub(crate) struct Rows {
    count: usize,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Pending(Promise<Vec<f32>>),
    Done(Result<Vec<f32>>),
}

impl Rows {
    /// Waits for all rows, and returns them one after the other.
    fn get(&mut self) -> Result<&[f32]> {
        if let State::Pending(_) = &self.state
            && let State::Pending(promise) = std::mem::take(&mut self.state)
        {
            self.state = State::Done(promise.wait());
        }
        match &self.state {
            State::Done(Ok(rows)) => Ok(rows),
            State::Done(Err(error)) => Err(error.clone()),
            _ => Ok(&[]),
        }
    }
}

impl Rows {
    fn into_memory(self) -> Vec<f32> {
        match self.state {
            State::Done(Ok(rows)) => rows,
            _ => Vec::new(),
        }
    }
}

impl OrtModel {
    fn length(&self, sequence: SequenceId) -> Result<usize> {
        let SequenceId(id) = sequence;
        let length = self.sequences.get(&sequence).copied();
        length.ok_or_else(|| Error::invalid_argument(format!("sequence {id} is not open")))
    }

    fn used_blocks(&self) -> usize {
        self.sequences.values().map(|length| length.div_ceil(BLOCK_TOKENS)).sum()
    }

    fn check_room(&self, blocks: usize) -> Result<()> {
        let (free, total) = (self.total_blocks.saturating_sub(self.used_blocks()), self.total_blocks);
        if blocks > free {
            let problem = format!("the KV cache has {free} of {total} blocks free, and {blocks} are needed");
            return Err(Error::out_of_memory(problem));
        }
        Ok(())
    }

    /// Checks a batch. Changes nothing.
    fn check(&self, chunks: &[Chunk<'_>]) -> Result<()> {
        let invalid = |problem: String| Err(Error::invalid_argument(problem));
        let mut seen = HashSet::with_capacity(chunks.len());
        let (mut tokens, mut blocks) = (0, 0);
        for chunk in chunks {
            let SequenceId(id) = chunk.sequence;
            let before = self.length(chunk.sequence)?;
            if !seen.insert(id) {
                return invalid(format!("sequence {id} appears twice in the batch"));
            }
            if chunk.tokens.is_empty() {
                return invalid(format!("the chunk of sequence {id} is empty"));
            }
            if let Some(token) = chunk.tokens.iter().find(|token| **token >= self.info.vocab_size) {
                return invalid(format!("token {token} is out of range; the vocabulary has {}", self.info.vocab_size));
            }
            let length = before.saturating_add(chunk.tokens.len());
            if length > self.info.max_model_len as usize {
                let most = self.info.max_model_len;
                return invalid(format!("sequence {id} would have {length} tokens; the model takes at most {most}"));
            }
            tokens += chunk.tokens.len();
            blocks += length.div_ceil(BLOCK_TOKENS) - before.div_ceil(BLOCK_TOKENS);
        }
        if tokens > self.max_batch_tokens {
            return invalid(format!("the batch has {tokens} tokens; at most {} were announced", self.max_batch_tokens));
        }
        self.check_room(blocks)
    }

    fn check_row(&self, row: u32) -> Result<usize> {
        let count = self.rows.count;
        let known = Some(row as usize).filter(|row| *row < count);
        known.ok_or_else(|| Error::invalid_argument(format!("row {row} of {count} rows of logits was asked for")))
    }
}

/// The values of a row.
fn row_of(rows: &[f32], row: usize, width: usize) -> Result<&[f32]> {
    let values = rows.get(row * width..).and_then(|rest| rest.get(..width));
    values.ok_or_else(|| Error::internal(format!("row {row} of the logits is missing")))
}

impl Model for OrtModel {
    fn info(&self) -> ModelInfo {
        self.info.clone()
    }

    fn open(&mut self) -> Result<SequenceId> {
        let id = SequenceId(self.next_sequence);
        self.next_sequence += 1;
        self.sequences.insert(id, 0);
        Ok(id)
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        let (end, length) = (self.length(parent)?, length as usize);
        if length > end {
            return Err(past_end(length, end));
        }
        self.check_room(length.div_ceil(BLOCK_TOKENS))?;
        let child = self.open()?;
        self.sequences.insert(child, length);
        // If the copy fails, so does the child's first run, which says why it found no tokens.
        drop(self.worker.enqueue(move |runner| runner.cache().fork(parent, child, length)));
        Ok(child)
    }

    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()> {
        let (end, length) = (self.length(sequence)?, length as usize);
        if length > end {
            return Err(past_end(length, end));
        }
        self.sequences.insert(sequence, length);
        drop(self.worker.enqueue(move |runner| runner.cache().truncate(sequence, length)));
        Ok(())
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        self.length(sequence)?;
        self.sequences.remove(&sequence);
        drop(self.worker.enqueue(move |runner| runner.cache().close(sequence)));
        Ok(())
    }

    fn memory(&self) -> MemoryUse {
        let used = self.used_blocks();
        MemoryUse {
            weight_bytes: self.weight_bytes,
            kv_used_bytes: used as u64 * self.block_bytes,
            kv_capacity_bytes: self.total_blocks as u64 * self.block_bytes,
            block_tokens: BLOCK_TOKENS as u32,
            used_blocks: used as u32,
            total_blocks: self.total_blocks as u32,
            open_sequences: self.sequences.len() as u32,
        }
    }

    fn forward(&mut self, chunks: &[Chunk<'_>]) -> Result<()> {
        self.check(chunks)?;
        let mut appends = Vec::with_capacity(chunks.len());
        // Compare with the earlier lengths, to find a copy that failed.
        let mut lengths = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let append = Append { sequence: chunk.sequence, tokens: chunk.tokens.to_vec(), logits: chunk.logits };
            let length = self.sequences.entry(chunk.sequence).or_default();
            lengths.push(*length);
            *length += append.tokens.len();
            appends.push(append);
        }
        let count = chunks.iter().map(|chunk| match chunk.logits {
            LogitsWanted::None => 0,
            LogitsWanted::Last => 1,
            LogitsWanted::All => chunk.tokens.len(),
        });
        let count = count.sum();
        // Reuse the memory of the last rows.
        let memory = std::mem::take(&mut self.rows).into_memory();
        let promise = self.worker.enqueue(move |runner| {
            for (append, length) in appends.iter().zip(lengths) {
                if runner.cache().length(append.sequence) != length {
                    let SequenceId(id) = append.sequence;
                    return Err(Error::internal(format!("an earlier step of sequence {id} has failed: close it")));
                }
            }
            runner.step(&appends, memory)
        });
        self.rows = Rows { count, state: State::Pending(promise) };
        Ok(())
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        let width = self.info.vocab_size as usize;
        let words = mask::words(width);
        for row in rows {
            self.check_row(row.row)?;
            if !row.mask.is_empty() && row.mask.len() != words {
                let found = row.mask.len();
                return Err(Error::invalid_argument(format!("a mask has {found} words; the vocabulary needs {words}")));
            }
        }
        let logits = self.rows.get()?;
        let draw = |scratch: &mut Scratch, row: &SampleRow<'_>| {
            sampler::sample(row_of(logits, row.row as usize, width)?, row, scratch)
        };
        if rows.len() < PARALLEL_ROWS {
            let mut scratch = Scratch::default();
            return rows.iter().map(|row| draw(&mut scratch, row)).collect();
        }
        rows.par_iter().map_init(Scratch::default, draw).collect()
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        let (row, width) = (self.check_row(row)?, self.info.vocab_size as usize);
        Ok(row_of(self.rows.get()?, row, width)?.to_vec())
    }
}

fn past_end(length: usize, end: usize) -> Error {
    Error::invalid_argument(format!("length {length} is past the sequence's end at {end}"))
}
