//! [`KvCache`]: keys and values in pages.
//!
//! A layer's keys are `[page][kv head][token][head_dim]` in `f32`, and so are its values, separately. `f32` adds no
//! rounding.

use jig_plugin_api::{Error, Result};
use jig_transformer::device::{AttentionShape, KvShape};

use crate::attention::Heads;
use crate::memory::Memory;

/// Tokens in a page.
pub(crate) const PAGE: usize = 16;

/// Keys and values of all layers. Only operations on the device's thread touch them.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) shape: KvShape,
    pub(crate) pages: usize,
    /// Keys and values of each layer.
    layers: Vec<(Memory, Memory)>,
}

/// The layer's layout, for the attention kernel.
pub(crate) fn heads(shape: &AttentionShape) -> Heads {
    let AttentionShape { heads, kv_heads, head_dim, scale } = *shape;
    Heads { heads, kv_heads, head_dim, scale, page_tokens: PAGE }
}

impl KvCache {
    pub(crate) fn new(shape: KvShape, pages: usize) -> Result<Self> {
        let floats =
            page_floats(&shape).checked_mul(pages).ok_or_else(|| Error::out_of_memory("the KV cache is too large"))?;
        let layer = |_| Ok((Memory::floats(floats)?, Memory::floats(floats)?));
        Ok(Self { shape, pages, layers: (0..shape.layers).map(layer).collect::<Result<_>>()? })
    }

    /// Bytes of a page, over all layers.
    pub(crate) fn page_bytes(shape: &KvShape) -> u64 {
        (2 * shape.layers * page_floats(shape) * size_of::<f32>()) as u64
    }

    /// The keys and the values of a layer.
    ///
    /// # Safety
    /// Nobody writes to them meanwhile.
    pub(crate) unsafe fn layer(&self, layer: usize) -> (&[f32], &[f32]) {
        let (keys, values) = &self.layers[layer];
        // SAFETY: the contract.
        unsafe { (keys.as_floats(), values.as_floats()) }
    }

    /// Copies a page, in all layers.
    ///
    /// # Safety
    /// Nobody else uses the cache meanwhile.
    pub(crate) unsafe fn copy_page(&self, from: usize, to: usize) {
        let size = page_floats(&self.shape);
        for (keys, values) in &self.layers {
            for memory in [keys, values] {
                // SAFETY: the contract.
                unsafe { memory.as_floats_mut() }.copy_within(from * size..(from + 1) * size, to * size);
            }
        }
    }

    /// Writes a token's keys and values, head by head, to a slot.
    ///
    /// # Safety
    /// Nobody else uses the slot meanwhile.
    pub(crate) unsafe fn write(&self, layer: usize, slot: usize, keys: &[f32], values: &[f32]) {
        let KvShape { kv_heads, head_dim, .. } = self.shape;
        let (page, token) = (slot / PAGE, slot % PAGE);
        assert!(page < self.pages, "slot {slot} of {} pages", self.pages);
        let (all_keys, all_values) = &self.layers[layer];
        for (memory, row) in [(all_keys, keys), (all_values, values)] {
            for (head, vector) in row.chunks_exact(head_dim).enumerate() {
                let at = ((page * kv_heads + head) * PAGE + token) * head_dim;
                // SAFETY: the place lies inside of the page, in the slot that is the caller's.
                unsafe { memory.floats_at(at, head_dim) }.copy_from_slice(vector);
            }
        }
    }
}

/// Keys (or values) of a page of one layer.
fn page_floats(shape: &KvShape) -> usize {
    shape.kv_heads * PAGE * shape.head_dim
}
