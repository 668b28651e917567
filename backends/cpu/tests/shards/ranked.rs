//! [`Ranked`]: a CPU device as one of several that compute a model together.
//!
//! The ranks are threads of a test, and their sums go through channels: what NCCL is to GPUs.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::forwarding::{Buffer, KvCache, Matrix, Vector, forward_to};
use jig_backend_cpu::{CpuDevice, Level};
use jig_plugin_api::{Error, Result, SampleRow, Sampled};
use jig_transformer::device::{AttentionShape, Epilogue, HeadNorms, KvShape, MatrixSource, Norm};
use jig_transformer::{Batch, Device, Shard, StepShape, Tensor};

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
    forward_to!(device);

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

    fn padded_rows(&self, shape: StepShape) -> usize {
        self.device.padded_rows(shape)
    }
}
