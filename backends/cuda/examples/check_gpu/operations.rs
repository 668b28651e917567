//! [`measure`]: how fast single operations are, by which the choice of kernels can be judged.
//!
//! Shapes are those of Mistral-7B. Each operation runs on as many weights or layers one after the other as no cache holds, recorded and
//! replayed as a step is.

use std::time::Instant;

use jig_plugin_api::Result;
use jig_transformer::device::{Activation, AttentionShape, Epilogue, KvShape, MatrixPart, MatrixSource};
use jig_transformer::weights::int4::{Group, Groups};
use jig_transformer::weights::scales::Scales;
use jig_transformer::{Batch, DType, Device, Span, StepShape, Tensor};

const ROWS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 2048];
/// Outputs of each part, and inputs.
const PRODUCTS: [(&str, &[usize], usize); 4] = [
    ("q, k, v", &[4096, 1024, 1024], 4096),
    ("output", &[4096], 4096),
    ("gate, up", &[14336, 14336], 4096),
    ("down", &[4096], 14336),
];
/// More than the caches of GPUs hold.
const UNCACHED: usize = 256 << 20;
/// Sequences, and what each of them holds.
const CONTEXTS: [(usize, usize); 4] = [(1, 640), (1, 8192), (16, 640), (64, 640)];
const PREFILLS: [usize; 2] = [512, 8192];

/// Measures products and attention, and prints tables. `smaller` divides all sizes; tests try it out.
pub(crate) fn measure<D: Device>(device: &D, smaller: usize) -> Result<()> {
    // Before the first round that counts, scratch memory is made, and operations are recorded.
    let mut timer = Timer { device, next: 0, rounds: if smaller > 1 { 3 } else { 7 } };
    let rows: Vec<usize> = ROWS.into_iter().filter(|rows| *rows <= 2048 / smaller).collect();
    let columns: Vec<String> = rows.iter().map(|rows| format!("{rows}")).collect();
    println!("Products, GB of weights a second, by rows:\n");
    println!("| weights | projection | {} |\n|---|---|{}", columns.join(" | "), "---|".repeat(rows.len()));
    for kind in [Kind::Plain(DType::F16), Kind::Plain(DType::BF16), Kind::Eight, Kind::EightBlocks, Kind::Four] {
        for (name, outputs, inputs) in PRODUCTS {
            let outputs: Vec<usize> = outputs.iter().map(|outputs| outputs / smaller).collect();
            let rates = products(&mut timer, kind, &outputs, inputs / smaller, &rows, UNCACHED / smaller.pow(3))?;
            let shown: Vec<String> = rates.iter().map(|rate| format!("{:.0}", rate / 1e9)).collect();
            println!("| {} | {name} | {} |", kind.name(), shown.join(" | "));
        }
    }
    println!("\nAttention over a cache in the type of the first weights:\n\n| | |\n|---|---|");
    for (sequences, context) in CONTEXTS {
        let (context, sequences) = ((context / smaller).max(16), (sequences / smaller).max(1));
        let rate = decode(&mut timer, heads_of(smaller), sequences, context, (32 / smaller).max(1))?;
        println!("| decode, {sequences} of {context} tokens | {:.0} GB/s of keys and values |", rate / 1e9);
    }
    for tokens in PREFILLS {
        let tokens = tokens / smaller;
        println!(
            "| prefill of {tokens} tokens | {:.1} TFLOP/s |",
            prefill(&mut timer, heads_of(smaller), tokens)? / 1e12
        );
    }
    Ok(())
}

fn heads_of(smaller: usize) -> AttentionShape {
    let kv_heads = (8 / smaller).max(1);
    AttentionShape { heads: 4 * kv_heads, kv_heads, head_dim: 128, scale: 0.088 }
}

#[derive(Clone, Copy)]
enum Kind {
    Plain(DType),
    Eight,
    EightBlocks,
    Four,
}

impl Kind {
    fn name(self) -> String {
        match self {
            Kind::Plain(dtype) => dtype.to_string(),
            Kind::Eight => "f8".to_owned(),
            Kind::EightBlocks => "f8 in blocks".to_owned(),
            Kind::Four => "i4, groups of 128".to_owned(),
        }
    }

    fn dtype(self) -> DType {
        match self {
            Kind::Plain(dtype) => dtype,
            Kind::Eight | Kind::EightBlocks => DType::F8,
            Kind::Four => DType::I4,
        }
    }

    fn matrix<D: Device>(self, device: &D, outputs: &[usize], inputs: usize) -> Result<D::Matrix> {
        let dtype = self.dtype();
        // Small numbers, whatever the type: no bits of one that is none.
        let tensor = |outputs: usize| {
            let bytes = dtype.bytes(outputs * inputs).unwrap_or_default();
            let numbers: Vec<u8> = (0..bytes).map(|i| (i * 37 % 61) as u8).collect();
            Tensor::in_memory(dtype, &[outputs, inputs], numbers).expect("as many bytes as that")
        };
        let size = 128.min(inputs);
        let blocks = |outputs: usize| outputs.div_ceil(128) * inputs.div_ceil(size);
        let scales = |outputs: usize| match self {
            Kind::Eight => Some(Scales::of_outputs(vec![0.01; outputs], inputs)),
            Kind::EightBlocks => Scales::of_blocks([128, size], vec![0.01; blocks(outputs)], inputs),
            _ => None,
        };
        let groups = |outputs: usize| {
            let of_output = inputs.div_ceil(size);
            let group = Group::new(0.0078125, 7).expect("a group");
            let all = Groups::new(size, of_output, vec![group; outputs * of_output], DType::BF16, None);
            all.filter(|_| matches!(self, Kind::Four))
        };
        let owned: Vec<_> = outputs.iter().map(|n| (tensor(*n), scales(*n), groups(*n))).collect();
        let parts: Vec<_> = owned
            .iter()
            .map(|(weight, scale, groups)| MatrixPart {
                weight,
                bias: None,
                scale: scale.as_ref(),
                groups: groups.as_ref(),
            })
            .collect();
        device.matrix(&MatrixSource { parts: &parts, dtype })
    }
}

/// Times what is enqueued.
struct Timer<'a, D: Device> {
    device: &'a D,
    next: usize,
    rounds: usize,
}

impl<D: Device> Timer<'_, D> {
    /// Seconds that operations take, once they are recorded; the fastest of some rounds.
    fn seconds(&mut self, batch: &Batch, operations: &mut dyn FnMut() -> Result<()>) -> Result<f64> {
        self.next += 1;
        let shape = StepShape { rows: batch.rows(), logit_rows: self.next, decode: true };
        let mut fastest = f64::INFINITY;
        for round in 0..self.rounds {
            self.device.begin(batch)?;
            self.device.synchronize()?;
            let start = Instant::now();
            self.device.record(shape, operations)?;
            self.device.synchronize()?;
            if round >= 2 {
                fastest = fastest.min(start.elapsed().as_secs_f64());
            }
        }
        Ok(fastest)
    }
}

/// Bytes of weights a second, for each number of rows.
fn products<D: Device>(
    timer: &mut Timer<'_, D>,
    kind: Kind,
    outputs: &[usize],
    inputs: usize,
    rows: &[usize],
    uncached: usize,
) -> Result<Vec<f64>> {
    let device = timer.device;
    let all: usize = outputs.iter().sum();
    let bytes = kind.dtype().bytes(all * inputs).unwrap_or_default();
    let copies = uncached.div_ceil(bytes).max(2);
    let matrices: Vec<_> = (0..copies).map(|_| kind.matrix(device, outputs, inputs)).collect::<Result<_>>()?;
    let gated = outputs.len() == 2;
    let most = rows.iter().copied().max().unwrap_or(1);
    let epilogue = if gated { Epilogue::Gate(Activation::Silu) } else { Epilogue::None };
    let (x, out) = (device.buffer(most, inputs)?, device.buffer(most, if gated { all / 2 } else { all })?);
    rows.iter()
        .map(|rows| {
            let mut operations =
                || matrices.iter().try_for_each(|matrix| device.linear(*rows, &x, matrix, epilogue, &out));
            let seconds = timer.seconds(&Batch::default(), &mut operations)?;
            Ok((copies * bytes) as f64 / seconds)
        })
        .collect()
}

/// Sequences side by side in the cache, each with its last rows in the batch.
fn sequences(page_tokens: usize, count: usize, context: usize, rows: usize) -> (Batch, usize) {
    let mut batch = Batch::default();
    let pages = context.div_ceil(page_tokens);
    for sequence in 0..count {
        batch.spans.push(Span {
            first_row: batch.rows() as u32,
            rows: rows as u32,
            first_position: (context - rows) as u32,
            first_page: batch.pages.len() as u32,
            pages: pages as u32,
        });
        batch.pages.extend((0..pages).map(|page| (sequence * pages + page) as u32));
        for position in context - rows..context {
            batch.tokens.push(0);
            batch.positions.push(position as u32);
            batch.slots.push((sequence * pages * page_tokens + position) as u32);
        }
    }
    (batch, count * pages)
}

/// Bytes of keys and values a second.
fn decode<D: Device>(
    timer: &mut Timer<'_, D>,
    heads: AttentionShape,
    count: usize,
    context: usize,
    layers: usize,
) -> Result<f64> {
    let device = timer.device;
    let kv = KvShape { layers, kv_heads: heads.kv_heads, head_dim: heads.head_dim };
    let (batch, pages) = sequences(device.page_tokens(), count, context, 1);
    let cache = device.kv_cache(&kv, pages)?;
    let (qkv, out) = (device.buffer(count, heads.qkv_width())?, device.buffer(count, heads.heads * heads.head_dim)?);
    let mut operations = || (0..layers).try_for_each(|layer| device.attend(layer, &heads, None, &qkv, &cache, &out));
    let seconds = timer.seconds(&batch, &mut operations)?;
    let bytes = device.page_bytes(&kv) as f64 * (count * context) as f64 / device.page_tokens() as f64;
    Ok(bytes / seconds)
}

/// Operations a second: those of what rows see.
fn prefill<D: Device>(timer: &mut Timer<'_, D>, heads: AttentionShape, tokens: usize) -> Result<f64> {
    let device = timer.device;
    let kv = KvShape { layers: 1, kv_heads: heads.kv_heads, head_dim: heads.head_dim };
    let (batch, pages) = sequences(device.page_tokens(), 1, tokens, tokens);
    let cache = device.kv_cache(&kv, pages)?;
    let (qkv, out) = (device.buffer(tokens, heads.qkv_width())?, device.buffer(tokens, heads.heads * heads.head_dim)?);
    let seconds = timer.seconds(&batch, &mut || device.attend(0, &heads, None, &qkv, &cache, &out))?;
    Ok(2.0 * (tokens * tokens) as f64 * (heads.heads * heads.head_dim) as f64 / seconds)
}
