//! [`StepData`]: the batch of a step as the kernels read it, in one allocation and uploaded by one copy.
//!
//! Rows that are alone in the batch with their sequence (decode) and longer runs of rows (prefill) have different
//! kernels: the former are listed row by row, the latter cut into tiles.
//!
//! The offset of a list depends only on the shape of the step. So a recording is valid for all later steps of its
//! shape, until the allocation grows.

use std::sync::Arc;

use jig_plugin_api::Result;
use jig_transformer::{Batch, StepShape};

use crate::memory::bytes_of;
use crate::runtime::{Allocation, Runtime};

/// Absent; the kernels' `NONE`.
pub(crate) const NONE: u32 = u32::MAX;

/// Words of a tile: first row, rows, position of the first row, first page.
const TILE_WORDS: usize = 4;

/// The addresses and lengths of a step's lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) rows: usize,
    pub(crate) tokens: u64,
    pub(crate) positions: u64,
    pub(crate) slots: u64,
    /// Rows that decode, with padding.
    pub(crate) decode_rows: usize,
    pub(crate) decode: u64,
    /// The index of the first page of each of these; [`NONE`] for padding.
    pub(crate) first_pages: u64,
    pub(crate) tiles: usize,
    pub(crate) tile_list: u64,
    pub(crate) tile_rows: u32,
    pub(crate) logit_rows: usize,
    pub(crate) logits: u64,
    pub(crate) pages: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct StepData {
    memory: Allocation,
    words: Vec<u32>,
    pub(crate) lists: Lists,
}

impl StepData {
    pub(crate) fn new(runtime: &Arc<dyn Runtime>) -> Result<Self> {
        Ok(Self { memory: Allocation::new(runtime, 1 << 16)?, words: Vec::new(), lists: Lists::default() })
    }

    /// Uploads a batch, with tiles of at most `tile_rows` rows. Returns whether the allocation has moved.
    pub(crate) fn set(&mut self, runtime: &Arc<dyn Runtime>, batch: &Batch, tile_rows: u32) -> Result<bool> {
        let StepShape { decode, .. } = batch.shape();
        let words = &mut self.words;
        words.clear();
        let mut starts = [0; 8];
        for (start, list) in starts.iter_mut().zip([&batch.tokens, &batch.positions, &batch.slots]) {
            *start = words.len();
            words.extend_from_slice(list);
        }
        starts[3] = words.len();
        words.extend(batch.spans.iter().filter(|span| span.rows == 1).map(|span| span.first_row));
        // Padding keeps the number of rows a function of the shape.
        let single = words.len() - starts[3];
        let decode_rows = if decode { batch.rows() } else { single };
        words.resize(starts[3] + decode_rows, 0);
        starts[4] = words.len();
        words.extend(batch.spans.iter().filter(|span| span.rows == 1).map(|span| span.first_page));
        words.resize(starts[4] + decode_rows, NONE);
        // The kernel loads a tile with one 16-byte load.
        words.resize(words.len().next_multiple_of(TILE_WORDS), 0);
        starts[5] = words.len();
        for span in batch.spans.iter().filter(|span| span.rows > 1) {
            for first in (0..span.rows).step_by(tile_rows as usize) {
                let rows = tile_rows.min(span.rows - first);
                words.extend([span.first_row + first, rows, span.first_position + first, span.first_page]);
            }
        }
        let tiles = (words.len() - starts[5]) / TILE_WORDS;
        starts[6] = words.len();
        words.extend_from_slice(&batch.logit_rows);
        starts[7] = words.len();
        words.extend_from_slice(&batch.pages);

        let bytes = words.len() * size_of::<u32>();
        let moved = bytes > self.memory.bytes();
        if moved {
            self.memory = Allocation::new(runtime, bytes.next_power_of_two())?;
        }
        let address = self.memory.address();
        let [tokens, positions, slots, decode, first_pages, tile_list, logits, pages] =
            starts.map(|start| address + (start * size_of::<u32>()) as u64);
        self.lists = Lists {
            rows: batch.rows(),
            tokens,
            positions,
            slots,
            decode_rows,
            decode,
            first_pages,
            tiles,
            tile_list,
            tile_rows,
            logit_rows: batch.logit_rows.len(),
            logits,
            pages,
        };
        self.memory.write(0, bytes_of(words))?;
        Ok(moved)
    }
}
