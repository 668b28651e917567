//! [`Ranked`]: a CPU device as one of several that compute a model together.
//!
//! The ranks are threads of a test, and their sums go through channels: what NCCL is to GPUs.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use jig_backend_cpu::{CpuDevice, Level};
use jig_plugin_api::{Error, Result, SampleRow, Sampled};
use jig_transformer::device::{AttentionShape, Epilogue, HeadNorms, KvShape, MatrixSource, Norm};
use jig_transformer::{Batch, Device, Shard, StepShape, Tensor};

type Matrix = <CpuDevice as Device>::Matrix;
type Vector = <CpuDevice as Device>::Vector;
type Buffer = <CpuDevice as Device>::Buffer;
type KvCache = <CpuDevice as Device>::KvCache;

/// How long a rank waits for another one before that has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stacked matrix as it was uploaded: weights and biases.
pub(crate) type Parts = Vec<(Tensor, Option<Tensor>)>;

/// See the [module](self).
pub(crate) struct Ranked {
    device: CpuDevice,
    shard: Shard,
    peers: Mutex<Peers>,
    /// All that was uploaded.
    matrices: Mutex<Vec<Parts>>,
}

/// To each other rank, and from each, in the order of ranks.
#[derive(Default)]
struct Peers {
    to: Vec<Sender<Vec<f32>>>,
    from: Vec<Receiver<Vec<f32>>>,
}

/// As many devices that share models.
pub(crate) fn ranks(of: usize) -> Vec<Ranked> {
    let mut peers: Vec<_> = (0..of).map(|_| Peers::default()).collect();
    for from in 0..of {
        for to in (0..of).filter(|to| *to != from) {
            let (sender, receiver) = channel();
            peers[from].to.push(sender);
            peers[to].from.push(receiver);
        }
    }
    let ranked = |(rank, peers)| Ranked {
        device: CpuDevice::new(Some(1), Level::best()).expect("a device"),
        shard: Shard::new(rank, of).expect("a rank"),
        peers: Mutex::new(peers),
        matrices: Mutex::default(),
    };
    peers.into_iter().enumerate().map(ranked).collect()
}

impl Ranked {
    /// All that was uploaded.
    pub(crate) fn matrices(&self) -> Vec<Parts> {
        self.matrices.lock().unwrap().clone()
    }
}

impl Device for Ranked {
    type Matrix = Matrix;
    type Vector = Vector;
    type Buffer = Buffer;
    type KvCache = KvCache;

    fn shard(&self) -> Shard {
        self.shard
    }

    fn add_ranks(&self, rows: usize, x: &Buffer) -> Result<()> {
        let own = (0..rows).map(|row| self.read_row(x, row)).collect::<Result<Vec<_>>>()?.concat();
        let peers = self.peers.lock().unwrap();
        let gone = || Error::internal("another rank has failed");
        for peer in &peers.to {
            peer.send(own.clone()).map_err(|_| gone())?;
        }
        let mut summands = Vec::new();
        for peer in &peers.from {
            summands.push(peer.recv_timeout(PATIENCE).map_err(|_| gone())?);
        }
        // In the order of ranks on each of them, so that all have the same bits.
        summands.insert(self.shard.rank(), own);
        let sum: Vec<f32> = (0..summands[0].len()).map(|i| summands.iter().map(|values| values[i]).sum()).collect();
        self.write_rows(x, &sum)
    }

    fn matrix(&self, source: &MatrixSource<'_>) -> Result<Matrix> {
        let parts = source.parts.iter().map(|part| (part.weight.clone(), part.bias.cloned())).collect();
        self.matrices.lock().unwrap().push(parts);
        self.device.matrix(source)
    }

    // All else is the device's.

    fn id(&self) -> String {
        self.device.id()
    }

    fn page_tokens(&self) -> usize {
        self.device.page_tokens()
    }

    fn page_bytes(&self, shape: &KvShape) -> u64 {
        self.device.page_bytes(shape)
    }

    fn memory_for_cache(&self) -> u64 {
        self.device.memory_for_cache()
    }

    fn weight_bytes(&self) -> u64 {
        self.device.weight_bytes()
    }

    fn vector(&self, values: &[f32]) -> Result<Vector> {
        self.device.vector(values)
    }

    fn buffer(&self, rows: usize, width: usize) -> Result<Buffer> {
        self.device.buffer(rows, width)
    }

    fn kv_cache(&self, shape: &KvShape, pages: usize) -> Result<KvCache> {
        self.device.kv_cache(shape, pages)
    }

    fn padded_rows(&self, shape: StepShape) -> usize {
        self.device.padded_rows(shape)
    }

    fn begin(&self, batch: &Batch) -> Result<()> {
        self.device.begin(batch)
    }

    fn embed(&self, table: &Matrix, out: &Buffer) -> Result<()> {
        self.device.embed(table, out)
    }

    fn add_positions(&self, table: &Matrix, offset: u32, x: &Buffer) -> Result<()> {
        self.device.add_positions(table, offset, x)
    }

    fn norm(&self, rows: usize, x: &Buffer, norm: &Norm<Vector>, out: &Buffer) -> Result<()> {
        self.device.norm(rows, x, norm, out)
    }

    fn add(&self, rows: usize, x: &Buffer, delta: &Buffer) -> Result<()> {
        self.device.add(rows, x, delta)
    }

    fn add_norm(&self, rows: usize, x: &Buffer, delta: &Buffer, norm: &Norm<Vector>, out: &Buffer) -> Result<()> {
        self.device.add_norm(rows, x, delta, norm, out)
    }

    fn linear(&self, rows: usize, x: &Buffer, weight: &Matrix, epilogue: Epilogue, out: &Buffer) -> Result<()> {
        self.device.linear(rows, x, weight, epilogue, out)
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
        self.device.store_kv(layer, shape, qkv, head_norms, rotation, cache)
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
        self.device.attend(layer, shape, window, qkv, cache, out)
    }

    fn gather(&self, x: &Buffer, first: usize, count: usize, out: &Buffer) -> Result<()> {
        self.device.gather(x, first, count, out)
    }

    fn copy_page(&self, cache: &KvCache, from: u32, to: u32) -> Result<()> {
        self.device.copy_page(cache, from, to)
    }

    fn sample(&self, logits: &Buffer, vocab_size: usize, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        self.device.sample(logits, vocab_size, rows)
    }

    fn read_row(&self, buffer: &Buffer, row: usize) -> Result<Vec<f32>> {
        self.device.read_row(buffer, row)
    }

    fn write_rows(&self, buffer: &Buffer, values: &[f32]) -> Result<()> {
        self.device.write_rows(buffer, values)
    }

    fn synchronize(&self) -> Result<()> {
        self.device.synchronize()
    }
}
