//! [`CpuDevice`]: the operations of a decoder on the processor's cores. Each checks its shapes at the call and is
//! enqueued as a closure.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use jig_plugin_api::{Error, Result, SampleRow, Sampled, sampler};
use jig_transformer::device::{Activation, AttentionShape, Epilogue, HeadNorms, KvShape, MatrixSource, Norm, NormKind};
use jig_transformer::{Batch, Device, NO_SLOT};

use crate::attention::{self, Seen};
use crate::buffer::Buffer;
use crate::elementwise::{self, Function};
use crate::kv::{self, KvCache, PAGE};
use crate::matmul::matmul;
use crate::matrix::Matrix;
use crate::queue::{Executor, Queue};
use crate::simd::Level;
use crate::threads::Threads;

thread_local! {
    static SCRATCH: RefCell<sampler::Scratch> = RefCell::default();
}

/// The processor as a [`Device`].
///
/// Operations run one after the other on the device's thread, which splits each of them over a pool of threads; calls
/// return at once. A row has the same bits in every batch, because each kernel computes it in the same order.
pub struct CpuDevice {
    queue: Queue,
    threads: Arc<Threads>,
    weight_bytes: AtomicU64,
}

impl CpuDevice {
    /// A device with `threads` threads, by default one for each core.
    ///
    /// # Errors
    /// `OutOfMemory` or `Internal` if the threads can't be started.
    pub fn new(threads: Option<usize>, level: Level) -> Result<Self> {
        let threads = Arc::new(Threads::new(threads)?);
        let (batch, gated, ordered) = (Batch::default(), Vec::new(), Vec::new());
        let executor = Executor { threads: Arc::clone(&threads), level, batch, gated, ordered };
        Ok(Self { queue: Queue::new(executor)?, threads, weight_bytes: AtomicU64::new(0) })
    }

    /// The threads that compute.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.count()
    }
}

fn fits(fit: bool, what: &str) -> Result<()> {
    if fit { Ok(()) } else { Err(Error::internal(format!("{what}: shapes do not fit"))) }
}

fn function(activation: Activation) -> Function {
    match activation {
        Activation::Relu => Function::Relu,
        Activation::Silu => Function::Silu,
        Activation::Gelu => Function::Gelu,
        Activation::GeluTanh => Function::GeluTanh,
    }
}

/// Normalises a row in place.
fn norm_row(norm: &Norm<Arc<[f32]>>, row: &mut [f32]) {
    let centred = norm.kind == NormKind::Layer;
    elementwise::norm_in_place(centred, norm.epsilon, norm.weight.as_deref(), norm.bias.as_deref(), row);
}

impl Device for CpuDevice {
    type Matrix = Arc<Matrix>;
    type Vector = Arc<[f32]>;
    type Buffer = Arc<Buffer>;
    type KvCache = Arc<KvCache>;

    fn id(&self) -> String {
        "cpu".to_owned()
    }

    fn page_tokens(&self) -> usize {
        PAGE
    }

    fn page_bytes(&self, shape: &KvShape) -> u64 {
        KvCache::page_bytes(shape)
    }

    /// Half of the available memory: the rest is for the page cache and other programs.
    fn memory_for_cache(&self) -> Result<u64> {
        Ok(jig_plugin_api::memory::available() / 2)
    }

    fn weight_bytes(&self) -> u64 {
        self.weight_bytes.load(Ordering::Relaxed)
    }

    fn matrix(&self, source: &MatrixSource<'_>) -> Result<Self::Matrix> {
        let matrix = Matrix::new(source, &self.threads)?;
        self.weight_bytes.fetch_add(matrix.bytes() as u64, Ordering::Relaxed);
        Ok(Arc::new(matrix))
    }

    fn vector(&self, values: &[f32]) -> Result<Self::Vector> {
        Ok(values.into())
    }

    fn buffer(&self, rows: usize, width: usize) -> Result<Self::Buffer> {
        Ok(Arc::new(Buffer::new(rows, width)?))
    }

    fn kv_cache(&self, shape: &KvShape, pages: usize) -> Result<Self::KvCache> {
        Ok(Arc::new(KvCache::new(*shape, pages)?))
    }

    fn begin(&self, batch: &Batch) -> Result<()> {
        let batch = batch.clone();
        self.queue.enqueue(move |executor| executor.batch = batch)
    }

    fn embed(&self, table: &Self::Matrix, out: &Self::Buffer) -> Result<()> {
        fits(table.inputs == out.width, "embed")?;
        let (table, out) = (Arc::clone(table), Arc::clone(out));
        self.queue.enqueue(move |executor| {
            for (row, token) in executor.batch.tokens.iter().enumerate() {
                // SAFETY: operations run one after the other; this one is alone with the buffer.
                table.read_row(*token as usize, unsafe { out.row(row) });
            }
        })
    }

    fn add_positions(&self, table: &Self::Matrix, offset: u32, x: &Self::Buffer) -> Result<()> {
        fits(table.inputs == x.width, "add_positions")?;
        let (table, x) = (Arc::clone(table), Arc::clone(x));
        self.queue.enqueue(move |executor| {
            let mut learned = vec![0.0; x.width];
            for (row, position) in executor.batch.positions.iter().enumerate() {
                table.read_row(*position as usize + offset as usize, &mut learned);
                // SAFETY: operations run one after the other; this one is alone with the buffer.
                elementwise::add(unsafe { x.row(row) }, &learned);
            }
        })
    }

    fn norm(&self, rows: usize, x: &Self::Buffer, norm: &Norm<Self::Vector>, out: &Self::Buffer) -> Result<()> {
        fits(x.width == out.width && rows <= x.rows.min(out.rows) && !Arc::ptr_eq(x, out), "norm")?;
        let (x, norm, out) = (Arc::clone(x), norm.clone(), Arc::clone(out));
        self.queue.enqueue(move |executor| {
            executor.threads.each(rows, rows * x.width, |row| {
                // SAFETY: operations run one after the other; each piece has its row of two different buffers.
                let (x, out) = unsafe { (x.row(row), out.row(row)) };
                out.copy_from_slice(x);
                norm_row(&norm, out);
            });
        })
    }

    fn add(&self, rows: usize, x: &Self::Buffer, delta: &Self::Buffer) -> Result<()> {
        fits(x.width == delta.width && rows <= x.rows.min(delta.rows) && !Arc::ptr_eq(x, delta), "add")?;
        let (x, delta) = (Arc::clone(x), Arc::clone(delta));
        self.queue.enqueue(move |executor| {
            executor.threads.each(rows, rows * x.width, |row| {
                // SAFETY: operations run one after the other; each piece has its row of two different buffers.
                unsafe { elementwise::add(x.row(row), delta.row(row)) };
            });
        })
    }

    fn add_norm(
        &self,
        rows: usize,
        x: &Self::Buffer,
        delta: &Self::Buffer,
        norm: &Norm<Self::Vector>,
        out: &Self::Buffer,
    ) -> Result<()> {
        self.add(rows, x, delta)?;
        self.norm(rows, x, norm, out)
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
        let halves = || weight.parts.len() == 2 && weight.parts.iter().all(|part| part.outputs == outputs);
        let widths = x.width == weight.inputs && out.width == outputs && (!gated || halves());
        fits(widths && rows <= x.rows.min(out.rows) && !Arc::ptr_eq(x, out), "linear")?;
        let (x, weight, out) = (Arc::clone(x), Arc::clone(weight), Arc::clone(out));
        self.queue.enqueue(move |executor| {
            // SAFETY: operations run one after the other; this one is alone with two different buffers.
            let (x, out) = unsafe { (x.all(), out.all_mut()) };
            linear(executor, rows, x, &weight, epilogue, out);
        })
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
        fits(cache.shape.holds(layer, shape) && qkv.width == shape.qkv_width(), "store_kv")?;
        let (norms, rotation, shape) = (head_norms.cloned(), rotation.cloned(), *shape);
        let (qkv, cache) = (Arc::clone(qkv), Arc::clone(cache));
        self.queue.enqueue(move |executor| {
            let Executor { batch, threads, .. } = executor;
            let AttentionShape { heads, kv_heads, head_dim, .. } = shape;
            threads.each(batch.rows(), batch.rows() * qkv.width, |row| {
                // SAFETY: operations run one after the other; each piece has its row.
                let (turned, values) = unsafe { qkv.row(row) }.split_at_mut((heads + kv_heads) * head_dim);
                let position = batch.positions[row] as usize;
                let angles =
                    rotation.as_ref().map(|table| table[position * head_dim..][..head_dim].split_at(head_dim / 2));
                for (head, vector) in turned.chunks_exact_mut(head_dim).enumerate() {
                    if let Some(norms) = &norms {
                        norm_row(if head < heads { &norms.query } else { &norms.key }, vector);
                    }
                    if let Some((cosines, sines)) = angles {
                        elementwise::rotate(vector, cosines, sines);
                    }
                }
                let slot = batch.slots[row];
                if slot != NO_SLOT {
                    // SAFETY: operations run one after the other; each row of a batch has a slot of its own.
                    unsafe { cache.write(layer, slot as usize, &turned[heads * head_dim..], values) };
                }
            });
        })
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
        let width = shape.heads * shape.head_dim;
        fits(cache.shape.holds(layer, shape) && qkv.width == shape.qkv_width() && out.width == width, "attend")?;
        let (shape, qkv, cache, out) = (*shape, Arc::clone(qkv), Arc::clone(cache), Arc::clone(out));
        self.queue.enqueue(move |executor| attend(executor, layer, &shape, window, &qkv, &cache, &out))
    }

    fn gather(&self, x: &Self::Buffer, first: usize, count: usize, out: &Self::Buffer) -> Result<()> {
        fits(x.width == out.width && count <= out.rows && !Arc::ptr_eq(x, out), "gather")?;
        let (x, out) = (Arc::clone(x), Arc::clone(out));
        self.queue.enqueue(move |executor| {
            for (to, from) in executor.batch.logit_rows[first..first + count].iter().enumerate() {
                // SAFETY: operations run one after the other; this one is alone with two different buffers.
                unsafe { out.row(to).copy_from_slice(x.row(*from as usize)) };
            }
        })
    }

    fn copy_page(&self, cache: &Self::KvCache, from: u32, to: u32) -> Result<()> {
        let inside = |page: u32| (page as usize) < cache.pages;
        fits(inside(from) && inside(to), "copy_page")?;
        let cache = Arc::clone(cache);
        // SAFETY: operations run one after the other; this one is alone with the cache.
        self.queue.enqueue(move |_| unsafe { cache.copy_page(from as usize, to as usize) })
    }

    fn sample(&self, logits: &Self::Buffer, vocab_size: usize, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        let (buffer, wanted) = (Arc::clone(logits), rows.iter().map(|row| row.row as usize).collect::<Vec<_>>());
        fits(logits.width == vocab_size && wanted.iter().all(|row| *row < logits.rows), "sample")?;
        // SAFETY: operations run one after the other; this one is alone with the buffer.
        let copy =
            move |_: &mut Executor| wanted.iter().map(|row| unsafe { buffer.row(*row) }.to_vec()).collect::<Vec<_>>();
        let values = self.queue.wait(copy)?;
        let drawn: Vec<_> = rows.iter().map(|_| OnceLock::new()).collect();
        self.threads.each(rows.len(), rows.len() * vocab_size * 4, |index| {
            let token = SCRATCH.with_borrow_mut(|scratch| sampler::sample(&values[index], &rows[index], scratch));
            // Each cell is filled once, by its own piece.
            let _ = drawn[index].set(token);
        });
        let missing = || Err(Error::internal("a row was not drawn"));
        drawn.into_iter().map(|cell| cell.into_inner().unwrap_or_else(missing)).collect()
    }

    fn read_row(&self, buffer: &Self::Buffer, row: usize) -> Result<Vec<f32>> {
        fits(row < buffer.rows, "read_row")?;
        let buffer = Arc::clone(buffer);
        // SAFETY: operations run one after the other; this one is alone with the buffer.
        self.queue.wait(move |_| unsafe { buffer.row(row) }.to_vec())
    }

    fn write_rows(&self, buffer: &Self::Buffer, values: &[f32]) -> Result<()> {
        let fit = values.len().is_multiple_of(buffer.width.max(1)) && values.len() <= buffer.rows * buffer.width;
        fits(fit, "write_rows")?;
        let (buffer, values) = (Arc::clone(buffer), values.to_vec());
        // SAFETY: operations run one after the other; this one is alone with the buffer.
        self.queue.enqueue(move |_| unsafe { buffer.all_mut() }[..values.len()].copy_from_slice(&values))
    }

    fn synchronize(&self) -> Result<()> {
        self.queue.wait(|_| ())
    }
}

/// `out[r] = epilogue(weight · x[r] + bias)`.
fn linear(executor: &mut Executor, rows: usize, x: &[f32], weight: &Matrix, epilogue: Epilogue, out: &mut [f32]) {
    let Executor { threads, level, gated, ordered, .. } = executor;
    let (level, width) = (*level, weight.outputs());
    let x = match weight.order() {
        None => x,
        Some(order) => {
            ordered.clear();
            let rows = x.chunks_exact(weight.inputs).take(rows);
            ordered.extend(rows.flat_map(|row| order.iter().map(|input| row[*input as usize])));
            ordered.as_slice()
        }
    };
    let matrices = weight.parts.iter().map(|part| weight.weights(part)).collect::<Vec<_>>();
    let product = |out: &mut [f32]| matmul(level, threads, x, rows, weight.inputs, &matrices, out, width);
    let each = |work: &(dyn Fn(usize) + Sync)| threads.each(rows, rows * width * 4, work);
    match epilogue {
        Epilogue::None => product(out),
        Epilogue::Activate(activation) => {
            product(out);
            let (out, function) = (crate::threads::Shared::new(out), function(activation));
            each(&|row| {
                // SAFETY: `out` has the rows, and each piece has its own.
                let row = unsafe { std::slice::from_raw_parts_mut(out.at(row * width), width) };
                elementwise::activate(level, function, row);
            });
        }
        Epilogue::Gate(activation) => {
            gated.resize(gated.len().max(rows * width), 0.0);
            product(gated);
            let (out, function, half) = (crate::threads::Shared::new(out), function(activation), width / 2);
            each(&|row| {
                let (gate, up) = gated[row * width..][..width].split_at(half);
                // SAFETY: `out` has the rows, and each piece has its own.
                let out = unsafe { std::slice::from_raw_parts_mut(out.at(row * half), half) };
                out.copy_from_slice(gate);
                elementwise::gate(level, function, out, up);
            });
        }
    }
}

/// Attention of all spans: a piece of work is a row and the query heads of one key head.
fn attend(
    executor: &Executor,
    layer: usize,
    shape: &AttentionShape,
    window: Option<u32>,
    qkv: &Buffer,
    cache: &KvCache,
    out: &Buffer,
) {
    let Executor { threads, level, batch, .. } = executor;
    let (heads, group) = (kv::heads(shape), shape.heads / shape.kv_heads);
    let rows: Vec<_> = batch
        .spans
        .iter()
        .flat_map(|span| {
            (0..span.rows).map(move |row| (span, (span.first_row + row) as usize, (span.first_position + row) as usize))
        })
        .collect();
    let seen_in_all: usize = rows.iter().map(|(.., position)| position + 1).sum();
    let cost = seen_in_all * shape.heads * shape.head_dim * 2;
    // SAFETY: operations run one after the other; this one only reads the cache.
    let (keys, values) = unsafe { cache.layer(layer) };
    threads.each(rows.len() * shape.kv_heads, cost, |piece| {
        let (span, row, position) = rows[piece / shape.kv_heads];
        let kv_head = piece % shape.kv_heads;
        let end = position + 1;
        let first = window.map_or(0, |window| end.saturating_sub(window as usize));
        let pages = &batch.pages[span.first_page as usize..][..span.pages as usize];
        let seen = Seen { pages: &pages[..end.div_ceil(PAGE)], first, end };
        let (at, count) = (kv_head * group * shape.head_dim, group * shape.head_dim);
        // SAFETY: operations run one after the other; each piece has its own heads of its own row of two buffers.
        let (query, out) = unsafe { (qkv.part(row, at, count), out.part(row, at, count)) };
        attention::attend(*level, &heads, kv_head, seen, query, keys, values, out);
    });
}
