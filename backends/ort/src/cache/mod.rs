//! The KV cache in the graph's layout: tensors of rows x heads x slots x width, two for each layer.
//!
//! A run of the graph takes some sequences as the rows of these tensors and appends the same number of slots to each.
//! There are two kinds of graphs, and a cache for each:
//!
//! * [`growing`]: present is a new tensor, longer than past. Sequences that decode together are the rows of one tensor;
//!   shorter ones have unused slots before them.
//! * [`shared`]: present and past are one buffer, in which the graph writes in place (GroupQueryAttention). All
//!   sequences are rows of it, with unused slots after them.

pub(crate) mod growing;
pub(crate) mod shared;
#[cfg(test)]
mod tests;

use std::ffi::c_void;
use std::ops::Range;

use jig_plugin_api::{Error, Result, SequenceId};

use crate::memory::{Memory, Place, Strip};

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Heads and width of each tensor.
    pub(crate) tensors: Vec<(usize, usize)>,
    /// Bytes of an element.
    pub(crate) element: usize,
}

impl Shape {
    /// Bytes of a slot in all tensors together.
    pub(crate) fn slot_bytes(&self) -> usize {
        self.tensors.iter().map(|(heads, width)| heads * width).sum::<usize>() * self.element
    }
}

/// How the tensors of a run are to be bound.
#[derive(Debug)]
pub(crate) struct Bound {
    /// For each row of the tensors, which of the sequences that were asked for it is.
    pub(crate) order: Vec<usize>,
    /// Tokens that each row's sequence has, in the order of the rows.
    pub(crate) lengths: Vec<usize>,
    /// For each row, the slots that are attended to, those of the new tokens included.
    pub(crate) seen: Vec<Range<usize>>,
    /// Slots of the past tensors.
    pub(crate) past_slots: usize,
    /// Slots of the present tensors.
    pub(crate) present_slots: usize,
    /// Slots that the attention mask covers.
    pub(crate) mask_slots: usize,
    /// Where the tensors begin.
    pub(crate) past: Vec<*mut c_void>,
    /// Where the tensors begin.
    pub(crate) present: Vec<*mut c_void>,
}

/// The keys and values of sequences. A sequence that was never prepared is empty.
pub(crate) trait Cache: Send {
    /// Tokens of a sequence.
    fn length(&self, sequence: SequenceId) -> usize;

    /// Makes the sequences the rows of tensors with room for `tokens` more in each. What it gives holds until the next call.
    fn prepare(&mut self, sequences: &[SequenceId], tokens: usize) -> Result<Bound>;

    /// The run that was prepared has been: its tokens are in.
    fn commit(&mut self);

    /// Makes `child` a copy of the first `length` tokens of `parent`.
    fn fork(&mut self, parent: SequenceId, child: SequenceId, length: usize) -> Result<()>;

    /// Forgets all tokens past the first `length`.
    fn truncate(&mut self, sequence: SequenceId, length: usize) -> Result<()>;

    /// Forgets a sequence.
    fn close(&mut self, sequence: SequenceId) -> Result<()>;
}

/// The tensors of some rows, one behind the other in one block of memory.
struct Tensors {
    memory: Memory,
    /// Rows that there is room for.
    rows: usize,
    /// Slots that there is room for in each row.
    slots: usize,
}

/// A row of tensors: where in [`Tensors`] a sequence is.
#[derive(Clone, Copy, Debug)]
struct Row {
    row: usize,
    /// From head to head, in slots.
    stride: usize,
    /// Its first slot.
    first: usize,
}

impl Tensors {
    fn new(place: &Place, shape: &Shape, rows: usize, slots: usize) -> Result<Self> {
        let bytes = shape.slot_bytes().checked_mul(rows).and_then(|bytes| bytes.checked_mul(slots));
        let bytes =
            bytes.ok_or_else(|| Error::out_of_memory(format!("{rows} x {slots} slots of KV cache are too many")))?;
        Ok(Self { memory: Memory::new(place, bytes)?, rows, slots })
    }

    /// Where each tensor begins, from row `first` on, with heads `stride` slots apart.
    fn pointers(&mut self, shape: &Shape, first: usize, stride: usize) -> Vec<*mut c_void> {
        let starts: Vec<_> = self.starts(shape).collect();
        let base = self.memory.pointer().cast::<u8>();
        let tensors = starts.into_iter().zip(&shape.tensors);
        tensors
            .map(|(start, (heads, width))| {
                let offset = start + first * heads * stride * width * shape.element;
                base.wrapping_add(offset).cast()
            })
            .collect()
    }

    /// The offset of each tensor.
    fn starts(&self, shape: &Shape) -> impl Iterator<Item = usize> {
        let slots = self.rows * self.slots * shape.element;
        shape.tensors.iter().scan(0, move |next, (heads, width)| {
            let start = *next;
            *next += heads * width * slots;
            Some(start)
        })
    }

    /// Copies the first `length` tokens of a row.
    fn copy(&mut self, shape: &Shape, to: Row, source: &Self, from: Row, length: usize) -> Result<()> {
        let starts = self.starts(shape).zip(source.starts(shape)).collect::<Vec<_>>();
        for ((target_start, source_start), (heads, width)) in starts.into_iter().zip(&shape.tensors) {
            let slot = width * shape.element;
            let (to, from) = (to.strip(target_start, *heads, slot), from.strip(source_start, *heads, slot));
            self.memory.copy_from(to, &source.memory, from, length * slot, *heads)?;
        }
        Ok(())
    }

    /// Copies the first `length` tokens of a row to another row.
    fn copy_within(&mut self, shape: &Shape, to: Row, from: Row, length: usize) -> Result<()> {
        for (start, (heads, width)) in self.starts(shape).collect::<Vec<_>>().into_iter().zip(&shape.tensors) {
            let slot = width * shape.element;
            let (to, from) = (to.strip(start, *heads, slot), from.strip(start, *heads, slot));
            self.memory.copy_within(to, from, length * slot, *heads)?;
        }
        Ok(())
    }
}

impl Row {
    /// The heads of this row in the tensor that begins at `start`; `slot` is the bytes of a slot in a head.
    fn strip(self, start: usize, heads: usize, slot: usize) -> Strip {
        Strip { offset: start + (self.row * heads * self.stride + self.first) * slot, pitch: self.stride * slot }
    }
}
