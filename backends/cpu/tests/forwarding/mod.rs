//! What devices of the tests have in common that are a CPU device in all but a few operations.

use jig_backend_cpu::CpuDevice;
use jig_transformer::Device;

pub(crate) type Matrix = <CpuDevice as Device>::Matrix;
pub(crate) type Vector = <CpuDevice as Device>::Vector;
pub(crate) type Buffer = <CpuDevice as Device>::Buffer;
pub(crate) type KvCache = <CpuDevice as Device>::KvCache;

/// The operations of a [`Device`] that a field does, all but `matrix`, `padded_rows` and those with a default.
macro_rules! forward_to {
    ($device:ident) => {
        type Matrix = Matrix;
        type Vector = Vector;
        type Buffer = Buffer;
        type KvCache = KvCache;

        fn id(&self) -> String {
            self.$device.id()
        }
        fn page_tokens(&self) -> usize {
            self.$device.page_tokens()
        }
        fn page_bytes(&self, shape: &KvShape) -> u64 {
            self.$device.page_bytes(shape)
        }
        fn memory_for_cache(&self) -> jig_plugin_api::Result<u64> {
            self.$device.memory_for_cache()
        }
        fn weight_bytes(&self) -> u64 {
            self.$device.weight_bytes()
        }
        fn vector(&self, values: &[f32]) -> Result<Vector> {
            self.$device.vector(values)
        }
        fn buffer(&self, rows: usize, width: usize) -> Result<Buffer> {
            self.$device.buffer(rows, width)
        }
        fn kv_cache(&self, shape: &KvShape, pages: usize) -> Result<KvCache> {
            self.$device.kv_cache(shape, pages)
        }
        fn begin(&self, batch: &Batch) -> Result<()> {
            self.$device.begin(batch)
        }
        fn embed(&self, table: &Matrix, out: &Buffer) -> Result<()> {
            self.$device.embed(table, out)
        }
        fn add_positions(&self, table: &Matrix, offset: u32, x: &Buffer) -> Result<()> {
            self.$device.add_positions(table, offset, x)
        }
        fn norm(&self, rows: usize, x: &Buffer, norm: &Norm<Vector>, out: &Buffer) -> Result<()> {
            self.$device.norm(rows, x, norm, out)
        }
        fn add(&self, rows: usize, x: &Buffer, delta: &Buffer) -> Result<()> {
            self.$device.add(rows, x, delta)
        }
        fn add_norm(&self, rows: usize, x: &Buffer, delta: &Buffer, norm: &Norm<Vector>, out: &Buffer) -> Result<()> {
            self.$device.add_norm(rows, x, delta, norm, out)
        }
        fn linear(&self, rows: usize, x: &Buffer, weight: &Matrix, epilogue: Epilogue, out: &Buffer) -> Result<()> {
            self.$device.linear(rows, x, weight, epilogue, out)
        }
        fn store_kv(
            &self,
            layer: usize,
            shape: &AttentionShape,
            qkv: &Buffer,
            head_norms: Option<&HeadNorms<Vector>>,
            rotation: Option<&Vector>,
            cache: &KvCache,
        ) -> Result<()> {
            self.$device.store_kv(layer, shape, qkv, head_norms, rotation, cache)
        }
        fn attend(
            &self,
            layer: usize,
            shape: &AttentionShape,
            window: Option<u32>,
            qkv: &Buffer,
            cache: &KvCache,
            out: &Buffer,
        ) -> Result<()> {
            self.$device.attend(layer, shape, window, qkv, cache, out)
        }
        fn gather(&self, x: &Buffer, first: usize, count: usize, out: &Buffer) -> Result<()> {
            self.$device.gather(x, first, count, out)
        }
        fn copy_page(&self, cache: &KvCache, from: u32, to: u32) -> Result<()> {
            self.$device.copy_page(cache, from, to)
        }
        fn sample(&self, logits: &Buffer, vocab_size: usize, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
            self.$device.sample(logits, vocab_size, rows)
        }
        fn read_row(&self, buffer: &Buffer, row: usize) -> Result<Vec<f32>> {
            self.$device.read_row(buffer, row)
        }
        fn write_rows(&self, buffer: &Buffer, values: &[f32]) -> Result<()> {
            self.$device.write_rows(buffer, values)
        }
        fn synchronize(&self) -> Result<()> {
            self.$device.synchronize()
        }
    };
}

pub(crate) use forward_to;
