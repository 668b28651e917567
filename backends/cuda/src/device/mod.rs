//! [`CudaDevice`]: the decoder's operations as launches of kernels.
//!
//! | module | what it holds |
//! |---|---|
//! | this one | the [`Device`]: checks the shapes of each operation, and launches the small ones |
//! | `linear` | products with weights |
//! | `attention` | attention over the KV cache |
//! | `state` | what a device keeps from call to call, and its launches |
//! | `scratch` | memory between the kernels of one operation |

mod attention;
mod linear;
mod scratch;
mod state;

use jig_plugin_api::{Error, Result, SampleRow, Sampled, sampler};
use jig_transformer::device::{AttentionShape, Epilogue, HeadNorms, KvShape, MatrixSource, Norm, NormKind};
use jig_transformer::{Batch, Device, StepShape};

pub use self::state::{CudaDevice, Settings};

use self::attention::{Attention, tile_rows};
use self::state::{address, fits};
use crate::arguments::{CopyPage, Embed, Gather, HeadNorm, NormRows, StoreKv, kind_code};
use crate::drawing::Drawing;
use crate::kernels;
use crate::memory::{ALIGNMENT, Buffer, KvCache, Matrix, PAGE, Vector, bytes_of, bytes_of_mut};
use crate::recordings::Action;
use crate::runtime::DeviceMemory;

/// The longest head; that of `prefill.cu`.
const MOST_HEAD_DIM: usize = 256;

impl CudaDevice {
    /// `x[r] += delta[r]; out[r] = norm(x[r])`, with either half optional.
    fn norm_rows(
        &self,
        rows: usize,
        x: &Buffer,
        delta: Option<&Buffer>,
        norm: Option<(&Norm<Vector>, &Buffer)>,
    ) -> Result<()> {
        let fit = |other: &Buffer| other.width == x.width && rows <= other.rows && !std::ptr::eq(other, x);
        fits(rows <= x.rows && delta.is_none_or(fit) && norm.is_none_or(|(_, out)| fit(out)), "norm")?;
        let arguments = NormRows {
            x: x.address(),
            delta: delta.map_or(0, Buffer::address),
            weight: norm.map_or(0, |(norm, _)| address(norm.weight.as_ref())),
            bias: norm.map_or(0, |(norm, _)| address(norm.bias.as_ref())),
            out: norm.map_or(0, |(_, out)| out.address()),
            width: x.width as u32,
            x_stride: x.stride as u32,
            delta_stride: delta.map_or(0, |delta| delta.stride as u32),
            out_stride: norm.map_or(0, |(_, out)| out.stride as u32),
            epsilon: norm.map_or(0.0, |(norm, _)| norm.epsilon),
            centred: u32::from(norm.is_some_and(|(norm, _)| norm.kind == NormKind::Layer)),
            out_kind: norm.map_or(0, |(_, out)| kind_code(out.kept(rows))),
        };
        let size = kernels::NORM_WIDTHS.iter().position(|most| x.width <= *most);
        let size = size.ok_or_else(|| {
            let most = kernels::NORM_WIDTHS[kernels::NORM_WIDTHS.len() - 1];
            Error::unsupported(format!("a row of {} elements; the kernels for norms take up to {most}", x.width))
        })?;
        self.launch(kernels::NORM_ROWS[size], [rows, 1, 1], 0, &arguments)
    }

    /// Samples the rows of one launch; `None` for a row that the reference sampler has to draw.
    fn draw(&self, logits: &Buffer, rows: &[SampleRow<'_>]) -> Result<Vec<Option<Sampled>>> {
        let drawing = &mut self.state().drawing;
        let launch = drawing.ask(&self.runtime, logits.address(), logits.stride, logits.width, rows)?;
        self.launch(kernels::DRAW[0], [launch.rows, 1, 1], 0, &launch.arguments)?;
        if launch.logprobs {
            self.launch(kernels::LOGPROBS[0], [launch.rows, 1, 1], 0, &launch.arguments)?;
        }
        drawing.answers(&launch, rows)
    }
}

fn head_norm(norm: Option<&Norm<Vector>>) -> HeadNorm {
    let kind = norm.map_or(0, |norm| if norm.kind == NormKind::Rms { 1 } else { 2 });
    HeadNorm {
        weight: address(norm.and_then(|norm| norm.weight.as_ref())),
        bias: address(norm.and_then(|norm| norm.bias.as_ref())),
        epsilon: norm.map_or(0.0, |norm| norm.epsilon),
        kind,
    }
}

impl Device for CudaDevice {
    type Matrix = Matrix;
    type Vector = Vector;
    type Buffer = Buffer;
    type KvCache = KvCache;

    fn id(&self) -> String {
        self.runtime.id()
    }

    fn page_tokens(&self) -> usize {
        PAGE
    }

    fn page_bytes(&self, shape: &KvShape) -> u64 {
        KvCache::page_bytes(shape, self.kv_type(&self.state()))
    }

    /// The configured share of the device's memory, less all memory in use by this process or others.
    fn memory_for_cache(&self) -> Result<u64> {
        self.reserve()?;
        let DeviceMemory { free, total } = self.runtime.memory()?;
        let (share, used) = ((total as f64 * self.settings.memory_share) as u64, total.saturating_sub(free));
        if used >= share {
            let problem = format!(
                "gpu-memory-utilization {} allows {share} of {total} bytes, and this program and others use {used}",
                self.settings.memory_share
            );
            return Err(Error::out_of_memory(problem));
        }
        Ok(share - used)
    }

    fn weight_bytes(&self) -> u64 {
        self.state().weight_bytes
    }

    fn matrix(&self, source: &MatrixSource<'_>) -> Result<Self::Matrix> {
        let matrix = Matrix::new(&self.runtime, source)?;
        let state = &mut *self.state();
        state.weight_bytes += matrix.bytes() as u64;
        state.weight_type.get_or_insert(matrix.dtype);
        state.scratch.note(&matrix);
        Ok(matrix)
    }

    fn vector(&self, values: &[f32]) -> Result<Self::Vector> {
        Vector::new(&self.runtime, values)
    }

    fn buffer(&self, rows: usize, width: usize) -> Result<Self::Buffer> {
        let buffer = Buffer::new(&self.runtime, rows, width)?;
        let scratch = &mut self.state().scratch;
        scratch.rows = scratch.rows.max(rows);
        Ok(buffer)
    }

    fn operand(&self, rows: usize, width: usize, matrices: &[&Self::Matrix]) -> Result<Self::Buffer> {
        let buffer = Buffer::operand(&self.runtime, rows, width, matrices)?;
        let scratch = &mut self.state().scratch;
        scratch.rows = scratch.rows.max(rows);
        // Products that end in an operand are computed in scratch memory and then finished into it.
        scratch.gates = scratch.gates.max(width.next_multiple_of(ALIGNMENT));
        Ok(buffer)
    }

    fn kv_cache(&self, shape: &KvShape, pages: usize) -> Result<Self::KvCache> {
        if shape.head_dim > MOST_HEAD_DIM {
            let problem =
                format!("heads of {} elements; the CUDA backend computes at most {MOST_HEAD_DIM}", shape.head_dim);
            return Err(Error::unsupported(problem));
        }
        self.reserve()?;
        let state = &mut *self.state();
        let dtype = self.kv_type(state);
        state.tile_rows = tile_rows(dtype, shape.head_dim);
        KvCache::new(&self.runtime, *shape, pages, dtype)
    }

    /// Powers of two up to 16, the sizes of the kernels for few rows, then steps of about a tenth. Fewer sizes are
    /// fewer recordings.
    fn padded_rows(&self, shape: StepShape) -> usize {
        match shape.rows {
            _ if !self.settings.record => shape.rows,
            rows @ ..=16 => rows.next_power_of_two(),
            rows @ ..=64 => rows.next_multiple_of(8),
            rows @ ..=256 => rows.next_multiple_of(16),
            rows => rows.next_multiple_of(32),
        }
    }

    fn begin(&self, batch: &Batch) -> Result<()> {
        let state = &mut *self.state();
        if state.step.set(&self.runtime, batch, state.tile_rows)? {
            state.recordings.forget(&*self.runtime);
        }
        Ok(())
    }

    fn record(&self, shape: StepShape, operations: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        if !(shape.decode && self.settings.record) {
            return operations();
        }
        let action = self.state().recordings.next(shape);
        let recording = match action {
            Action::Run => return operations(),
            Action::Replay(recording) => recording,
            Action::Record => {
                self.runtime.begin_recording()?;
                let enqueued = operations();
                let recording = self.runtime.end_recording();
                enqueued?;
                let recording = recording?;
                self.state().recordings.insert(shape, recording);
                recording
            }
        };
        // SAFETY: a recording is forgotten before the memory of the step or the scratch memory is freed; all other
        // memory belongs to the model and outlives its steps.
        unsafe { self.runtime.replay(recording) }
    }

    fn embed(&self, table: &Self::Matrix, out: &Self::Buffer) -> Result<()> {
        let lists = self.lists();
        fits(table.inputs == out.width && lists.rows <= out.rows, "embed")?;
        self.launch(
            kernels::of(&kernels::EMBED, table.dtype),
            [lists.rows, 1, 1],
            0,
            &embedding(table, lists.tokens, 0, out),
        )
    }

    fn add_positions(&self, table: &Self::Matrix, offset: u32, x: &Self::Buffer) -> Result<()> {
        let lists = self.lists();
        fits(table.inputs == x.width && lists.rows <= x.rows, "add_positions")?;
        let arguments = embedding(table, lists.positions, offset, x);
        self.launch(kernels::of(&kernels::ADD_EMBED, table.dtype), [lists.rows, 1, 1], 0, &arguments)
    }

    fn norm(&self, rows: usize, x: &Self::Buffer, norm: &Norm<Self::Vector>, out: &Self::Buffer) -> Result<()> {
        self.norm_rows(rows, x, None, Some((norm, out)))
    }

    fn add(&self, rows: usize, x: &Self::Buffer, delta: &Self::Buffer) -> Result<()> {
        self.norm_rows(rows, x, Some(delta), None)
    }

    fn add_norm(
        &self,
        rows: usize,
        x: &Self::Buffer,
        delta: &Self::Buffer,
        norm: &Norm<Self::Vector>,
        out: &Self::Buffer,
    ) -> Result<()> {
        self.norm_rows(rows, x, Some(delta), Some((norm, out)))
    }

    fn linear(
        &self,
        rows: usize,
        x: &Self::Buffer,
        weight: &Self::Matrix,
        epilogue: Epilogue,
        out: &Self::Buffer,
    ) -> Result<()> {
        let gated = matches!(epilogue, Epilogue::Gate(_));
        let outputs = if gated { weight.outputs() / 2 } else { weight.outputs() };
        let halves = || weight.parts.len() == 2 && weight.parts.iter().all(|part| *part == outputs);
        let widths = x.width == weight.inputs && out.width == outputs && (!gated || halves());
        fits(widths && rows <= x.rows.min(out.rows) && !std::ptr::eq(x, out), "linear")?;
        self.multiply(rows, x, weight, epilogue, out)
    }

    fn store_kv(
        &self,
        layer: usize,
        shape: &AttentionShape,
        qkv: &Self::Buffer,
        head_norms: Option<&HeadNorms<Self::Vector>>,
        rotation: Option<&Self::Vector>,
        cache: &Self::KvCache,
    ) -> Result<()> {
        let lists = self.lists();
        let fit = cache.shape.holds(layer, shape) && qkv.width == shape.qkv_width() && lists.rows <= qkv.rows;
        fits(fit, "store_kv")?;
        let (keys, values) = cache.layer(layer);
        let arguments = StoreKv {
            qkv: qkv.address(),
            positions: lists.positions,
            slots: lists.slots,
            rotation: address(rotation),
            keys,
            values,
            query_norm: head_norm(head_norms.map(|norms| &norms.query)),
            key_norm: head_norm(head_norms.map(|norms| &norms.key)),
            heads: shape.heads as u32,
            kv_heads: shape.kv_heads as u32,
            head_dim: shape.head_dim as u32,
            cache_dim: KvCache::head_stride(&cache.shape) as u32,
            stride: qkv.stride as u32,
            rotated: u32::from(rotation.is_some()),
        };
        let kernel = kernels::of(&kernels::STORE_KV, cache.dtype);
        let heads_of_block = kernel.threads as usize / 32;
        let heads = shape.heads + 2 * shape.kv_heads;
        self.launch(kernel, [lists.rows, heads.div_ceil(heads_of_block), 1], 0, &arguments)
    }

    fn attend(
        &self,
        layer: usize,
        shape: &AttentionShape,
        window: Option<u32>,
        qkv: &Self::Buffer,
        cache: &Self::KvCache,
        out: &Self::Buffer,
    ) -> Result<()> {
        let rows = self.lists().rows;
        let widths = qkv.width == shape.qkv_width() && out.width == shape.heads * shape.head_dim;
        fits(cache.shape.holds(layer, shape) && widths && rows <= qkv.rows.min(out.rows), "attend")?;
        self.attend_rows(&Attention { layer, shape, window, qkv, cache, out })
    }

    fn gather(&self, x: &Self::Buffer, first: usize, count: usize, out: &Self::Buffer) -> Result<()> {
        let lists = self.lists();
        let inside = first.checked_add(count).is_some_and(|end| end <= lists.logit_rows);
        fits(inside && x.width == out.width && count <= out.rows && !std::ptr::eq(x, out), "gather")?;
        let arguments = Gather {
            x: x.address(),
            rows: lists.logits + 4 * first as u64,
            out: out.address(),
            width: x.width as u32,
            x_stride: x.stride as u32,
            out_stride: out.stride as u32,
        };
        self.launch(kernels::GATHER_ROWS[0], [count, 1, 1], 0, &arguments)
    }

    fn copy_page(&self, cache: &Self::KvCache, from: u32, to: u32) -> Result<()> {
        let inside = |page: u32| (page as usize) < cache.pages;
        fits(inside(from) && inside(to), "copy_page")?;
        let page = cache.part_bytes() / 16;
        let arguments = CopyPage {
            cache: cache.address(),
            layer_stride: (cache.pages * page) as u64,
            page_size: page as u64,
            from,
            to,
        };
        let kernel = kernels::COPY_PAGE[0];
        self.launch(kernel, [page.div_ceil(kernel.threads as usize), 2 * cache.shape.layers, 1], 0, &arguments)
    }

    fn sample(&self, logits: &Self::Buffer, vocab_size: usize, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        let words = jig_plugin_api::mask::words(vocab_size);
        let whole =
            |row: &SampleRow<'_>| (row.row as usize) < logits.rows && (row.mask.is_empty() || row.mask.len() == words);
        fits(logits.width == vocab_size && rows.iter().all(whole), "sample")?;
        for row in rows {
            sampler::validate(row.params)?;
            if !(0.0..1.0).contains(&row.uniform) {
                return Err(Error::invalid_argument(format!("uniform must be in [0, 1), and is {}", row.uniform)));
            }
        }
        let mut drawn = Vec::with_capacity(rows.len());
        let mut scratch = sampler::Scratch::default();
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(Drawing::fit(rest, vocab_size));
            rest = later;
            for (row, sampled) in now.iter().zip(self.draw(logits, now)?) {
                drawn.push(match sampled {
                    Some(sampled) => sampled,
                    None => sampler::sample(&self.read_row(logits, row.row as usize)?, row, &mut scratch)?,
                });
            }
        }
        Ok(drawn)
    }

    fn read_row(&self, buffer: &Self::Buffer, row: usize) -> Result<Vec<f32>> {
        fits(row < buffer.rows, "read_row")?;
        let mut values = vec![0.0f32; buffer.width];
        buffer.memory.read(buffer.offset(row), bytes_of_mut(&mut values))?;
        Ok(values)
    }

    fn write_rows(&self, buffer: &Self::Buffer, values: &[f32]) -> Result<()> {
        let fit = values.len().is_multiple_of(buffer.width.max(1)) && values.len() <= buffer.rows * buffer.width;
        fits(fit, "write_rows")?;
        for (row, values) in values.chunks_exact(buffer.width.max(1)).enumerate() {
            buffer.memory.write(buffer.offset(row), bytes_of(values))?;
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        self.runtime.synchronize()
    }
}

fn embedding(table: &Matrix, ids: u64, offset: u32, out: &Buffer) -> Embed {
    Embed {
        table: table.elements.address(),
        ids,
        out: out.address(),
        table_stride: table.stride as u32,
        width: table.inputs as u32,
        out_stride: out.stride as u32,
        offset,
    }
}
