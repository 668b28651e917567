//! A device that wants decode steps padded to powers of two and replays them, as one with recorded graphs does.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jig_backend_cpu::{CpuDevice, Level};
use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, HostServices, LogitsWanted, Model, ModelSpec, Result, SampleRow, Sampled};
use jig_transformer::device::{AttentionShape, Epilogue, HeadNorms, KvShape, MatrixSource, Norm};
use jig_transformer::{Batch, Device, StepShape, Transformer};

struct Padded {
    cpu: CpuDevice,
    shapes: Arc<Mutex<HashSet<StepShape>>>,
}

type Cpu = CpuDevice;
type Matrix = <Cpu as Device>::Matrix;
type Vector = <Cpu as Device>::Vector;
type Buffer = <Cpu as Device>::Buffer;
type KvCache = <Cpu as Device>::KvCache;

impl Device for Padded {
    type Matrix = Matrix;
    type Vector = Vector;
    type Buffer = Buffer;
    type KvCache = KvCache;

    fn padded_rows(&self, shape: StepShape) -> usize {
        shape.rows.next_power_of_two()
    }
    fn record(&self, shape: StepShape, operations: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.shapes.lock().expect("not poisoned").insert(shape);
        operations()
    }

    fn id(&self) -> String {
        self.cpu.id()
    }
    fn page_tokens(&self) -> usize {
        self.cpu.page_tokens()
    }
    fn page_bytes(&self, shape: &KvShape) -> u64 {
        self.cpu.page_bytes(shape)
    }
    fn memory_for_cache(&self) -> u64 {
        self.cpu.memory_for_cache()
    }
    fn weight_bytes(&self) -> u64 {
        self.cpu.weight_bytes()
    }
    fn matrix(&self, source: &MatrixSource<'_>) -> Result<Matrix> {
        self.cpu.matrix(source)
    }
    fn vector(&self, values: &[f32]) -> Result<Vector> {
        self.cpu.vector(values)
    }
    fn buffer(&self, rows: usize, width: usize) -> Result<Buffer> {
        self.cpu.buffer(rows, width)
    }
    fn kv_cache(&self, shape: &KvShape, pages: usize) -> Result<KvCache> {
        self.cpu.kv_cache(shape, pages)
    }
    fn begin(&self, batch: &Batch) -> Result<()> {
        self.cpu.begin(batch)
    }
    fn embed(&self, table: &Matrix, out: &Buffer) -> Result<()> {
        self.cpu.embed(table, out)
    }
    fn add_positions(&self, table: &Matrix, offset: u32, x: &Buffer) -> Result<()> {
        self.cpu.add_positions(table, offset, x)
    }
    fn norm(&self, rows: usize, x: &Buffer, norm: &Norm<Vector>, out: &Buffer) -> Result<()> {
        self.cpu.norm(rows, x, norm, out)
    }
    fn add(&self, rows: usize, x: &Buffer, delta: &Buffer) -> Result<()> {
        self.cpu.add(rows, x, delta)
    }
    fn add_norm(&self, rows: usize, x: &Buffer, delta: &Buffer, norm: &Norm<Vector>, out: &Buffer) -> Result<()> {
        self.cpu.add_norm(rows, x, delta, norm, out)
    }
    fn linear(&self, rows: usize, x: &Buffer, weight: &Matrix, epilogue: Epilogue, out: &Buffer) -> Result<()> {
        self.cpu.linear(rows, x, weight, epilogue, out)
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
        self.cpu.store_kv(layer, shape, qkv, head_norms, rotation, cache)
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
        self.cpu.attend(layer, shape, window, qkv, cache, out)
    }
    fn gather(&self, x: &Buffer, first: usize, count: usize, out: &Buffer) -> Result<()> {
        self.cpu.gather(x, first, count, out)
    }
    fn copy_page(&self, cache: &KvCache, from: u32, to: u32) -> Result<()> {
        self.cpu.copy_page(cache, from, to)
    }
    fn sample(&self, logits: &Buffer, vocab_size: usize, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        self.cpu.sample(logits, vocab_size, rows)
    }
    fn read_row(&self, buffer: &Buffer, row: usize) -> Result<Vec<f32>> {
        self.cpu.read_row(buffer, row)
    }
    fn write_rows(&self, buffer: &Buffer, values: &[f32]) -> Result<()> {
        self.cpu.write_rows(buffer, values)
    }
    fn synchronize(&self) -> Result<()> {
        self.cpu.synchronize()
    }
}

/// Logits of decode steps of growing batches, each sequence with a beginning of its own.
fn decode(model: &mut dyn Model) -> Vec<Vec<f32>> {
    let sequences: Vec<_> = (0..6).map(|_| model.open().expect("a sequence")).collect();
    for (index, sequence) in sequences.iter().enumerate() {
        let tokens: Vec<u32> = (0..=index as u32 * 5).map(|i| 3 + (i * 7 + index as u32) % 50).collect();
        model.forward(&[Chunk { sequence: *sequence, tokens: &tokens, logits: LogitsWanted::None }]).expect("a prompt");
    }
    let mut found = Vec::new();
    for count in 1..=sequences.len() {
        let batch: Vec<_> = sequences[..count]
            .iter()
            .map(|sequence| Chunk { sequence: *sequence, tokens: &[9], logits: LogitsWanted::Last })
            .collect();
        model.forward(&batch).expect("a step");
        found.extend((0..count as u32).map(|row| model.logits(row).expect("a row")));
        assert!(model.logits(count as u32).is_err(), "rows of padding are nobody's");
    }
    found
}

#[test]
fn padded_steps_give_the_same_logits_and_few_shapes() {
    for name in ["llama3", "opt"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../transformer/golden/values").join(name);
        let mut spec = ModelSpec::new(directory);
        (spec.max_sequences, spec.kv_cache_bytes) = (8, Some(1 << 20));
        let host: Arc<dyn HostServices> = Arc::new(Silent);
        let cpu = || CpuDevice::new(Some(2), Level::best()).expect("a device");
        let shapes = Arc::default();
        let padded = Padded { cpu: cpu(), shapes: Arc::clone(&shapes) };
        let mut plain = Transformer::load(cpu(), &spec, &host).expect("a model");
        let mut padded = Transformer::load(padded, &spec, &host).expect("a model");
        assert_eq!(decode(&mut padded), decode(&mut plain), "{name}");
        let mut decoded: Vec<_> =
            shapes.lock().expect("not poisoned").iter().filter(|shape| shape.decode).map(|shape| shape.rows).collect();
        decoded.sort_unstable();
        assert_eq!(decoded, [1, 2, 4, 8], "{name}");
    }
}
