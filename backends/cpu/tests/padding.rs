//! A device that wants decode steps padded to powers of two and replays them, as one with recorded graphs does.

mod forwarding;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use forwarding::{Buffer, KvCache, Matrix, Vector, forward_to};
use jig_backend_cpu::{CpuDevice, Level};
use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, HostServices, LogitsWanted, Model, ModelSpec, Result, SampleRow, Sampled};
use jig_transformer::device::{AttentionShape, Epilogue, HeadNorms, KvShape, MatrixSource, Norm};
use jig_transformer::{Batch, Device, StepShape, Transformer};

struct Padded {
    cpu: CpuDevice,
    shapes: Arc<Mutex<HashSet<StepShape>>>,
}

impl Device for Padded {
    forward_to!(cpu);

    fn padded_rows(&self, shape: StepShape) -> usize {
        shape.rows.next_power_of_two()
    }
    fn record(&self, shape: StepShape, operations: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.shapes.lock().expect("not poisoned").insert(shape);
        operations()
    }

    fn matrix(&self, source: &MatrixSource<'_>) -> Result<Matrix> {
        self.cpu.matrix(source)
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
