//! Products with matrices of weights: which kernel is for how many rows.
//!
//! | rows | weights of f32 | of 16 bits | of 8 bits | of 4 bits |
//! |---|---|---|---|---|
//! | to 2 | `linear.cu` | `linear.cu` | `linear.cu` | `linear_mma.cu` |
//! | to 4 | `linear.cu` | `linear.cu` | `linear_mma.cu` | `linear_mma.cu` |
//! | to 16 | `linear.cu` | `linear_mma.cu` | `linear_mma.cu` | `linear_mma.cu` |
//! | to 64 | cuBLASLt | cuBLASLt | `linear_mma.cu` | `linear_mma.cu` |
//! | more | cuBLASLt | cuBLASLt | widened, then cuBLASLt | widened, then cuBLASLt |
//!
//! `linear_mma.cu` needs a multiple of 64 inputs, which all real models have, and at least 64 inputs that share a
//! scale. Other matrices go the way of f32.

use jig_plugin_api::{Error, Result};
use jig_transformer::DType;
use jig_transformer::device::Epilogue;

use super::scratch::Scratch;
use super::state::{CudaDevice, fits};
use crate::arguments::{Finish, Linear, Narrow, Widen, WidenGroups, function_code, kind_code};
use crate::kernels::{self, Kernel};
use crate::memory::{ALIGNMENT, Buffer, MOST_ROWS_OF_KERNELS, Matrix};
use crate::runtime::Product;

/// The most rows of the kernels for few rows; more are the runtime's product.
const FEW_ROWS: usize = 16;
const _: () = assert!(FEW_ROWS <= MOST_ROWS_OF_KERNELS);
/// Results of a thread of the kernel that finishes products.
const FINISHED_AT_ONCE: usize = 4;
/// Rows of a large product at a time, which bounds the scratch memory; more rows are not faster.
const PRODUCT_ROWS: usize = 2048;
/// Quantized weights are widened in panels for a product of many rows: a multiple of `WIDE_OUTPUTS` outputs, of at most
/// `WIDE_BYTES` bytes.
const WIDE_OUTPUTS: usize = 64;
const WIDE_BYTES: usize = 64 << 20;
/// The fewest rows for tensor cores, by the type of the weights. With fewer rows, plain kernels keep up with the
/// memory, and activations stay in `f32`. The fewer bits the weights have, the larger the share of time for widening
/// them, which tensor cores need less of.
const fn least_mma_rows(kept: DType) -> usize {
    match kept {
        DType::F32 | DType::F16 | DType::BF16 => 5,
        DType::F8 => 3,
        DType::I4 => 1,
    }
}

/// `linear_mma.cu` needs a multiple of this many inputs, and at least this many that share a scale.
const MMA_INPUTS: usize = 64;
/// The number of blocks up to which a product's inputs are split: three for each multiprocessor of an H100 or H200.
const BLOCKS: usize = 396;
/// The fewest tiles of inputs of a split.
const LEAST_TILES: usize = 2;
/// The most tiles of outputs and rows that may be split; each has a counter.
const MOST_COUNTERS: usize = 4096;

/// How a product on tensor cores is divided among blocks (split-K).
struct Split {
    /// Blocks along the outputs.
    tiles: usize,
    /// Blocks along the inputs, whose partial sums are added.
    splits: usize,
    /// Outputs of a block.
    outputs: usize,
}

impl Split {
    /// For the kernel at `size` in [`kernels::LINEAR_MMA_ROWS`] and a matrix. It does not depend on the number of rows,
    /// so that a row has the same bits in every batch of the kernel.
    fn new(size: usize, weight: &Matrix) -> Self {
        let in_4_bits = weight.kept == DType::I4;
        let outputs = if in_4_bits { kernels::LINEAR_MMA_I4_OUTPUTS[size] } else { kernels::LINEAR_MMA_OUTPUTS };
        let tiles = weight.outputs().div_ceil(outputs);
        let along = weight.stride.div_ceil(kernels::LINEAR_MMA_TILE);
        let wanted = (BLOCKS / tiles.max(1)).clamp(1, (along / LEAST_TILES).max(1));
        // No split may be without inputs.
        let splits = along.div_ceil(along.div_ceil(wanted).max(1)).max(1);
        Self { tiles, splits, outputs }
    }

    /// Bytes of the partial sums of all blocks, each with room for a full tile.
    fn bytes(&self, row_tiles: usize, rows_of_block: usize) -> usize {
        4 * self.tiles * self.splits * self.outputs * row_tiles * rows_of_block
    }
}

/// The size of the tensor-core kernel for `rows` rows, if there is one.
fn mma_size(rows: usize, weight: &Matrix) -> Option<usize> {
    let most = match weight.kept {
        DType::F32 => 0,
        DType::F16 | DType::BF16 => kernels::LINEAR_MMA_BF16.len(),
        DType::F8 | DType::I4 => kernels::LINEAR_MMA_ROWS.len(),
    };
    let shared = weight.groups.as_ref().is_none_or(|groups| 1 << groups.shift >= MMA_INPUTS);
    let fits = rows >= least_mma_rows(weight.kept) && weight.stride.is_multiple_of(MMA_INPUTS) && shared;
    let size = || kernels::LINEAR_MMA_ROWS[..most].iter().position(|(most, ..)| rows <= *most);
    if fits { size() } else { None }
}

impl Scratch {
    /// Notes the scratch memory that products with a matrix need.
    pub(super) fn note(&mut self, weight: &Matrix) {
        if weight.dtype != DType::F32 {
            self.inputs = self.inputs.max(weight.stride);
        }
        if weight.order().is_some() {
            self.ordered = self.ordered.max(weight.stride);
        }
        if weight.is_quantized() {
            self.wide = self.wide.max(2 * wide_outputs(weight) * weight.stride);
        }
        if let [a, b] = *weight.parts
            && a == b
        {
            self.gates = self.gates.max((a + b).next_multiple_of(ALIGNMENT));
        }
        for (size, (rows, of_block, _)) in kernels::LINEAR_MMA_ROWS.into_iter().enumerate() {
            let split = Split::new(size, weight);
            if split.splits > 1 && mma_size(rows, weight) == Some(size) {
                self.sums = self.sums.max(split.bytes(rows.div_ceil(of_block), of_block));
            }
        }
    }
}

impl CudaDevice {
    /// Allocates the scratch memory for all matrices and buffers so far.
    pub(super) fn reserve(&self) -> Result<()> {
        let Scratch { rows, inputs, gates, ordered, wide, sums, .. } = self.state().scratch;
        let rows = rows.min(PRODUCT_ROWS);
        let ordered_rows = rows.min(MOST_ROWS_OF_KERNELS);
        self.scratch(|scratch| &mut scratch.narrowed, (4 * ordered_rows * ordered).max(2 * rows * inputs))?;
        self.scratch(|scratch| &mut scratch.products, 4 * rows * gates)?;
        self.scratch(|scratch| &mut scratch.widened, wide)?;
        self.scratch(|scratch| &mut scratch.parts_of_sums, sums)?;
        self.scratch(|scratch| &mut scratch.counters, if sums > 0 { 4 * MOST_COUNTERS } else { 0 })?;
        Ok(())
    }

    /// A product with its epilogue. The caller has checked the shapes.
    pub(super) fn multiply(
        &self,
        rows: usize,
        x: &Buffer,
        weight: &Matrix,
        epilogue: Epilogue,
        out: &Buffer,
    ) -> Result<()> {
        match mma_size(rows, weight) {
            Some(size) => self.some_rows(size, rows, x, weight, epilogue, out),
            None if rows <= FEW_ROWS => self.few_rows(rows, x, weight, epilogue, out),
            None => self.many_rows(rows, x, weight, epilogue, out),
        }
    }

    /// A product of few rows, in one kernel.
    fn few_rows(&self, rows: usize, x: &Buffer, weight: &Matrix, epilogue: Epilogue, out: &Buffer) -> Result<()> {
        let size = kernels::LINEAR_ROWS.iter().position(|(most, _)| rows <= *most);
        let size = size.ok_or_else(|| Error::internal("too many rows for a kernel for few"))?;
        let arguments = self.arguments(rows, x, weight, epilogue, out)?;
        let (kernel, outputs_of_warp) = match (weight.kept, &weight.groups) {
            (DType::I4, _) => (kernels::LINEAR_I4[size], kernels::LINEAR_I4_OUTPUTS[size]),
            (DType::F8, Some(_)) => (kernels::LINEAR_F8_BLOCKS[size], kernels::LINEAR_ROWS[size].1),
            (DType::F8, None) => (kernels::LINEAR_F8[size], kernels::LINEAR_ROWS[size].1),
            (dtype, _) => (kernels::of(&kernels::LINEAR[size], dtype), kernels::LINEAR_ROWS[size].1),
        };
        let outputs_of_block = kernel.threads as usize / 32 * outputs_of_warp;
        self.launch(kernel, [weight.outputs().div_ceil(outputs_of_block), 1, 1], 0, &arguments)
    }

    /// A product of a medium number of rows on tensor cores, by the kernel at `size` in [`kernels::LINEAR_MMA_ROWS`].
    fn some_rows(
        &self,
        size: usize,
        rows: usize,
        x: &Buffer,
        weight: &Matrix,
        epilogue: Epilogue,
        out: &Buffer,
    ) -> Result<()> {
        let (_, rows_of_block, shared) = kernels::LINEAR_MMA_ROWS[size];
        let row_tiles = rows.div_ceil(rows_of_block);
        let split = Split::new(size, weight);
        let mut arguments = self.arguments(rows, x, weight, epilogue, out)?;
        if split.splits > 1 {
            arguments.splits = split.splits as u32;
            arguments.parts =
                self.scratch(|scratch| &mut scratch.parts_of_sums, split.bytes(row_tiles, rows_of_block))?;
            arguments.counters = self.scratch(|scratch| &mut scratch.counters, 4 * MOST_COUNTERS)?;
        }
        let kernel = match (weight.kept, &weight.groups) {
            (DType::I4, _) => kernels::LINEAR_MMA_I4[size],
            (DType::F8, Some(_)) => kernels::LINEAR_MMA_F8_BLOCKS[size],
            (DType::F8, None) => kernels::LINEAR_MMA_F8[size],
            (DType::F16, _) => kernels::LINEAR_MMA_F16[size],
            _ => kernels::LINEAR_MMA_BF16[size],
        };
        self.launch(kernel, [row_tiles * split.tiles, split.splits, 1], shared, &arguments)
    }

    /// The arguments of a product in one kernel. Puts x in the order of the weights' columns first.
    fn arguments(&self, rows: usize, x: &Buffer, weight: &Matrix, epilogue: Epilogue, out: &Buffer) -> Result<Linear> {
        let mut rows_of_x = x.address();
        if let Some(order) = weight.order() {
            let out = self.scratch(|scratch| &mut scratch.narrowed, 4 * rows * x.stride)?;
            let arguments = Narrow { x: rows_of_x, out, order, stride: x.stride as u32 };
            self.launch(kernels::of(&kernels::NARROW, DType::F32), [rows, 1, 1], 0, &arguments)?;
            rows_of_x = out;
        }
        let (function, gate) = function_code(epilogue);
        let groups = weight.groups.as_ref();
        Ok(Linear {
            x: rows_of_x,
            weight: weight.elements.address(),
            scale: weight.scale(),
            bias: weight.bias(),
            out: out.address(),
            groups: groups.map_or(0, |groups| groups.words.address()),
            outputs: weight.outputs() as u32,
            rows: rows as u32,
            stride: x.stride as u32,
            out_stride: out.stride as u32,
            function,
            gate,
            groups_stride: groups.map_or(0, |groups| groups.stride as u32),
            row_shift: groups.map_or(0, |groups| groups.row_shift),
            shift: groups.map_or(0, |groups| groups.shift),
            splits: 1,
            parts: 0,
            counters: 0,
        })
    }

    /// A product of many rows. [`PRODUCT_ROWS`] rows at a time are narrowed to the type of the weights, multiplied by
    /// the runtime, and finished.
    fn many_rows(&self, rows: usize, x: &Buffer, weight: &Matrix, epilogue: Epilogue, out: &Buffer) -> Result<()> {
        let outputs = weight.outputs();
        let (function, gate) = function_code(epilogue);
        let at_once = rows.min(PRODUCT_ROWS);
        let (kept, kept_out) = (x.kept(rows), out.kept(rows));
        let narrow = kept != weight.dtype;
        fits(!narrow || kept == DType::F32, "linear with an operand of other matrices")?;
        // If the result differs from the product in type or width, the product needs its own memory.
        let apart = gate != 0 || kept_out != DType::F32;
        let narrow_bytes = if narrow { 2 * at_once * x.stride } else { 0 };
        let apart_bytes = if apart { 4 * at_once * outputs.next_multiple_of(ALIGNMENT) } else { 0 };
        let narrowed = self.scratch(|scratch| &mut scratch.narrowed, narrow_bytes)?;
        let products = self.scratch(|scratch| &mut scratch.products, apart_bytes)?;
        for first in (0..rows).step_by(PRODUCT_ROWS) {
            let rows = (rows - first).min(PRODUCT_ROWS);
            let rows_of_x = x.address() + x.offset_of(first, kept) as u64;
            let rows_of_out = out.address() + out.offset_of(first, kept_out) as u64;
            if narrow {
                let order = weight.order().unwrap_or(0);
                let arguments = Narrow { x: rows_of_x, out: narrowed, order, stride: x.stride as u32 };
                self.launch(kernels::of(&kernels::NARROW, weight.dtype), [rows, 1, 1], 0, &arguments)?;
            }
            let (product, product_stride) =
                if apart { (products, outputs.next_multiple_of(ALIGNMENT)) } else { (rows_of_out, out.stride) };
            let arguments = Product {
                dtype: weight.dtype,
                rows,
                outputs,
                inputs: x.stride,
                out_stride: product_stride,
                x: if narrow { narrowed } else { rows_of_x },
                weight: weight.elements.address(),
                out: product,
            };
            self.product(&arguments, weight)?;
            if !apart && epilogue == Epilogue::None && weight.bias.is_none() && weight.scale.is_none() {
                continue;
            }
            let arguments = Finish {
                product,
                scale: weight.scale(),
                bias: weight.bias(),
                out: rows_of_out,
                outputs: outputs as u32,
                product_stride: product_stride as u32,
                out_stride: out.stride as u32,
                function,
                gate,
                out_kind: kind_code(kept_out),
            };
            let kernel = kernels::FINISH[0];
            let of_block = kernel.threads as usize * FINISHED_AT_ONCE;
            self.launch(kernel, [out.width.div_ceil(of_block), rows, 1], 0, &arguments)?;
        }
        Ok(())
    }

    /// A product with a whole matrix. Quantized weights are widened first, some outputs at a time.
    ///
    /// The caller has checked the shapes.
    fn product(&self, product: &Product, weight: &Matrix) -> Result<()> {
        if !weight.is_quantized() {
            // SAFETY: the caller has checked the shapes, and the scratch memory was made for them.
            return unsafe { self.runtime.product(product) };
        }
        let at_once = wide_outputs(weight);
        let widened = self.scratch(|scratch| &mut scratch.widened, 2 * at_once * weight.stride)?;
        for first in (0..product.outputs).step_by(at_once) {
            let outputs = at_once.min(product.outputs - first);
            self.widen(weight, first, outputs, widened)?;
            let out = product.out + (first * size_of::<f32>()) as u64;
            // SAFETY: as above; the outputs are some of those.
            unsafe { self.runtime.product(&Product { outputs, weight: widened, out, ..*product }) }?;
        }
        Ok(())
    }

    /// Widens the weights of some outputs to the type in which they are multiplied. `out` has room for them.
    fn widen(&self, weight: &Matrix, first: usize, outputs: usize, out: u64) -> Result<()> {
        let of_thread = |kernel: Kernel| ALIGNMENT * kernel.threads as usize;
        let Some(groups) = &weight.groups else {
            let (kernel, count) = (kernels::WIDEN[0], outputs * weight.stride);
            let from = weight.elements.address() + (first * weight.stride) as u64;
            let arguments = Widen { weight: from, out, count: count as u64 };
            return self.launch(kernel, [count.div_ceil(of_thread(kernel)), 1, 1], 0, &arguments);
        };
        let kernel = match weight.kept {
            DType::I4 => kernels::WIDEN_I4[usize::from(weight.dtype == DType::BF16)],
            _ => kernels::WIDEN_F8_BLOCKS[0],
        };
        let arguments = WidenGroups {
            weight: weight.elements.address(),
            groups: groups.words.address(),
            out,
            first: first as u32,
            stride: weight.stride as u32,
            groups_stride: groups.stride as u32,
            row_shift: groups.row_shift,
            shift: groups.shift,
        };
        self.launch(kernel, [outputs, weight.stride.div_ceil(of_thread(kernel)), 1], 0, &arguments)
    }
}

/// The outputs of a quantized matrix to widen at a time.
fn wide_outputs(weight: &Matrix) -> usize {
    let most = WIDE_BYTES / (2 * weight.stride).max(1);
    (most / WIDE_OUTPUTS * WIDE_OUTPUTS).clamp(WIDE_OUTPUTS, weight.outputs().next_multiple_of(WIDE_OUTPUTS))
}
