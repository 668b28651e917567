//! Attention over the KV cache: one kernel for decode rows, one for rows of prompts.

use jig_plugin_api::Result;
use jig_transformer::DType;
use jig_transformer::device::AttentionShape;

use super::state::{CudaDevice, PLAIN_TILE_ROWS, fits};
use crate::arguments::{Decode, Prefill, kind_code};
use crate::kernels;
use crate::memory::{Buffer, KvCache, PAGE};
use crate::step::Lists;

/// The most parts of a context in decode; `MOST_SPLITS` of `decode.cu`.
const SPLITS: u32 = 32;
/// The tokens of a tile of `decode.cu`.
const DECODE_TILE: usize = 64;
/// Blocks of one launch, unless rows have fewer parts: four times the number that an H100 or H200 runs at once.
const DECODE_BLOCKS: usize = 1056;
/// Decode rows of one launch, which bounds the scratch memory for their parts.
const DECODE_ROWS: usize = 64;
/// The rows of a tile of `prefill_mma.cu`.
const MMA_TILE_ROWS: u32 = 64;
/// The positions of a tile of `prefill_mma.cu`.
const MMA_TOKENS: usize = 64;

/// Attention of one layer, for the rows of the current batch. The caller has checked the shapes.
pub(super) struct Attention<'a> {
    pub(super) layer: usize,
    pub(super) shape: &'a AttentionShape,
    pub(super) window: Option<u32>,
    pub(super) qkv: &'a Buffer,
    pub(super) cache: &'a KvCache,
    pub(super) out: &'a Buffer,
}

impl Attention<'_> {
    fn decode(&self, lists: &Lists) -> Decode {
        let (keys, values) = self.cache.layer(self.layer);
        Decode {
            qkv: self.qkv.address(),
            keys,
            values,
            positions: lists.positions,
            // These are set for each launch.
            rows: 0,
            first_pages: 0,
            pages: lists.pages,
            parts: 0,
            counters: 0,
            out: self.out.address(),
            heads: self.shape.heads as u32,
            kv_heads: self.shape.kv_heads as u32,
            head_dim: self.shape.head_dim as u32,
            cache_dim: KvCache::head_stride(&self.cache.shape) as u32,
            qkv_stride: self.qkv.stride as u32,
            out_stride: self.out.stride as u32,
            window: self.window.unwrap_or(0),
            splits: SPLITS,
            blocks: 0,
            out_kind: kind_code(self.out.kept(lists.rows)),
            scale: self.shape.scale,
        }
    }

    fn prefill(&self, lists: &Lists) -> Prefill {
        let (keys, values) = self.cache.layer(self.layer);
        Prefill {
            qkv: self.qkv.address(),
            keys,
            values,
            tiles: lists.tile_list,
            pages: lists.pages,
            out: self.out.address(),
            heads: self.shape.heads as u32,
            kv_heads: self.shape.kv_heads as u32,
            head_dim: self.shape.head_dim as u32,
            cache_dim: KvCache::head_stride(&self.cache.shape) as u32,
            qkv_stride: self.qkv.stride as u32,
            out_stride: self.out.stride as u32,
            window: self.window.unwrap_or(0),
            out_kind: kind_code(self.out.kept(lists.rows)),
            scale: self.shape.scale,
        }
    }
}

impl CudaDevice {
    /// Attention of all rows: first the decode rows, then those of prompts.
    pub(super) fn attend_rows(&self, attention: &Attention<'_>) -> Result<()> {
        let lists = self.lists();
        let dtype = attention.cache.dtype;
        self.attend_single_rows(&lists, attention.decode(&lists), dtype)?;
        self.attend_tiles(&lists, &attention.prefill(&lists), dtype)
    }

    /// Attention of the rows of prompts, in tiles of consecutive rows of a sequence.
    fn attend_tiles(&self, lists: &Lists, arguments: &Prefill, dtype: DType) -> Result<()> {
        let (head_dim, cache_dim) = (arguments.head_dim as usize, arguments.cache_dim as usize);
        let fit = lists.tiles == 0 || lists.tile_rows == tile_rows(dtype, head_dim);
        fits(fit, "attend over a cache of another kind than the last one")?;
        let grid = [lists.tiles, arguments.heads as usize, 1];
        let Some(size) = mma_size(dtype, head_dim) else {
            let shared = 4 * PAGE * (2 * cache_dim + 1);
            return self.launch(kernels::of(&kernels::PREFILL, dtype), grid, shared, arguments);
        };
        let dim = kernels::PREFILL_MMA_DIMS[size];
        let kernel = kernels::PREFILL_MMA[size][usize::from(dtype == DType::BF16)];
        // Keys and values of 16 bits.
        let shared = 2 * 2 * MMA_TOKENS * (dim + 8);
        self.launch(kernel, grid, shared, arguments)
    }

    /// Attention of the decode rows. Several blocks share the context of a row, because one block for each row would
    /// leave most of the GPU idle.
    fn attend_single_rows(&self, lists: &Lists, mut arguments: Decode, dtype: DType) -> Result<()> {
        if lists.decode_rows == 0 {
            return Ok(());
        }
        let Decode { heads, kv_heads, head_dim, cache_dim, splits, .. } = arguments;
        let head_floats = splits as usize * (head_dim as usize + 2);
        let bytes = 4 * DECODE_ROWS * heads as usize * head_floats;
        arguments.parts = self.scratch(|scratch| &mut scratch.parts, bytes)?;
        let group = (heads / kv_heads) as usize;
        let size =
            kernels::DECODE_GROUPS.iter().position(|most| group <= *most).unwrap_or(kernels::DECODE_GROUPS.len() - 1);
        let together = kernels::DECODE_GROUPS[size];
        let shared = 4 * together * (2 * cache_dim as usize + DECODE_TILE);
        let groups = kv_heads as usize * group.div_ceil(together);
        arguments.counters = self.scratch(|scratch| &mut scratch.part_counters, 4 * DECODE_ROWS * groups)?;
        for first in (0..lists.decode_rows).step_by(DECODE_ROWS) {
            let rows = (lists.decode_rows - first).min(DECODE_ROWS);
            arguments.rows = lists.decode + 4 * first as u64;
            arguments.first_pages = lists.first_pages + 4 * first as u64;
            let kernel = kernels::of(&kernels::DECODE[size], dtype);
            let blocks = (DECODE_BLOCKS / (groups * rows)).clamp(1, splits as usize);
            arguments.blocks = blocks as u32;
            self.launch(kernel, [blocks, groups, rows], shared, &arguments)?;
        }
        Ok(())
    }
}

/// The size of the tensor-core kernel for a cache, if there is one.
fn mma_size(dtype: DType, head_dim: usize) -> Option<usize> {
    let size = || kernels::PREFILL_MMA_DIMS.iter().position(|dim| head_dim <= *dim);
    if dtype == DType::F32 { None } else { size() }
}

/// The rows of a tile of the prefill kernel for a cache.
pub(super) fn tile_rows(dtype: DType, head_dim: usize) -> u32 {
    if mma_size(dtype, head_dim).is_some() { MMA_TILE_ROWS } else { PLAIN_TILE_ROWS }
}
