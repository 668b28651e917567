//! The KV cache and attention over it.

use super::products::Weights;
use super::suite::{Found, Suite, Tolerance, compare, filled, numbers, read};
use super::{operands, reference};
use crate::batch::{Batch, NO_SLOT, Span};
use crate::device::{AttentionShape, Device, Epilogue, HeadNorms, KvShape, Norm, NormKind};
use crate::weights::DType;

const EPSILON: f32 = 1e-6;

pub(super) fn cases<D: Device>(suite: &mut Suite<'_, D>) {
    for (heads, kv_heads, head_dim) in [(4, 4, 8), (6, 2, 12), (8, 1, 64), (9, 3, 128)] {
        for window in [None, Some(1), Some(5), Some(40)] {
            let shape = AttentionShape { heads, kv_heads, head_dim, scale: (head_dim as f32).powf(-0.5) };
            let name = format!("attention, {heads} heads over {kv_heads} of {head_dim}, window {window:?}");
            suite.case(name, |device, tolerance| attention(device, tolerance, shape, window));
        }
    }
    for head_dim in [12, 16, 100] {
        suite.case(format!("attention into an operand, heads of {head_dim}"), move |device, tolerance| {
            into_operand(device, tolerance, head_dim)
        });
    }
    suite.case("copy_page".to_owned(), copy_page);
}

/// Sequences of random q, k and v in the second of two layers, and a reference copy of what they hold.
struct World<'a, D: Device> {
    device: &'a D,
    shape: AttentionShape,
    cache: D::KvCache,
    rotation: Vec<f32>,
    rotation_on_device: D::Vector,
    norms: [Vec<f32>; 2],
    norms_on_device: HeadNorms<D::Vector>,
    sequences: Vec<Sequence>,
    seed: u64,
    /// The projection that the result goes through, in the case of operands.
    projection: Option<D::Matrix>,
}

/// A sequence: its pages, and the keys and values of its positions.
#[derive(Default)]
struct Sequence {
    pages: Vec<u32>,
    keys: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
}

const PAGES: usize = 64;
const LAYER: usize = 1;
const POSITIONS: usize = 300;

impl<'a, D: Device> World<'a, D> {
    fn new(device: &'a D, shape: AttentionShape, count: usize) -> jig_plugin_api::Result<Self> {
        let kv = KvShape { layers: 2, kv_heads: shape.kv_heads, head_dim: shape.head_dim };
        let norms = [numbers(shape.head_dim, 30), numbers(shape.head_dim, 31)];
        let norm = |weight: &[f32]| -> jig_plugin_api::Result<Norm<D::Vector>> {
            Ok(Norm { kind: NormKind::Rms, epsilon: EPSILON, weight: Some(device.vector(weight)?), bias: None })
        };
        let rotation = numbers(POSITIONS * shape.head_dim, 32);
        // Each sequence gets scattered pages: every seventh.
        let per_sequence = POSITIONS.div_ceil(device.page_tokens()).min(PAGES / count);
        let page = |index: usize| (index * 7 % PAGES) as u32;
        let sequences = (0..count).map(|sequence| Sequence {
            pages: (sequence * per_sequence..(sequence + 1) * per_sequence).map(page).collect(),
            ..Sequence::default()
        });
        Ok(Self {
            device,
            shape,
            cache: device.kv_cache(&kv, PAGES)?,
            rotation_on_device: device.vector(&rotation)?,
            rotation,
            norms_on_device: HeadNorms { query: norm(&norms[0])?, key: norm(&norms[1])? },
            norms,
            sequences: sequences.collect(),
            seed: 100,
            projection: None,
        })
    }

    /// Appends rows to sequences in one batch, and compares attention's results with the reference.
    fn step(&mut self, tolerance: Tolerance, window: Option<u32>, chunks: &[(usize, usize)]) -> Found {
        let (shape, page_tokens) = (self.shape, self.device.page_tokens());
        let (dim, width) = (shape.head_dim, shape.qkv_width());
        let mut batch = Batch::default();
        for &(sequence, rows) in chunks {
            let held = &self.sequences[sequence];
            let first = held.keys.len();
            let pages = &held.pages[..(first + rows).div_ceil(page_tokens)];
            batch.spans.push(Span {
                first_row: batch.rows() as u32,
                rows: rows as u32,
                first_position: first as u32,
                first_page: batch.pages.len() as u32,
                pages: pages.len() as u32,
            });
            batch.pages.extend_from_slice(pages);
            for position in first..first + rows {
                batch.tokens.push(0);
                batch.positions.push(position as u32);
                batch.slots.push(pages[position / page_tokens] * page_tokens as u32 + (position % page_tokens) as u32);
            }
        }
        let rows = batch.rows();
        // A row of padding, which must write nothing.
        batch.tokens.push(0);
        batch.positions.push(0);
        batch.slots.push(NO_SLOT);
        self.seed += 1;
        let qkv = numbers((rows + 1) * width, self.seed);
        let buffer = filled(self.device, width, &qkv)?;
        let out = self.device.buffer(rows + 1, shape.heads * dim)?;
        self.device.begin(&batch)?;
        let (norms, rotation) = (Some(&self.norms_on_device), Some(&self.rotation_on_device));
        self.device.store_kv(LAYER, &shape, &buffer, norms, rotation, &self.cache)?;
        self.device.attend(LAYER, &shape, window, &buffer, &self.cache, &out)?;

        if let Some(projection) = &self.projection {
            let (operand, projected) =
                (self.device.operand(rows + 1, shape.heads * dim, &[projection])?, self.device.buffer(rows + 1, 33)?);
            self.device.linear(rows + 1, &out, projection, Epilogue::None, &projected)?;
            let plain = read(self.device, &projected, rows)?;
            self.device.attend(LAYER, &shape, window, &buffer, &self.cache, &operand)?;
            self.device.linear(rows + 1, &operand, projection, Epilogue::None, &projected)?;
            if let Some(problem) = operands::difference(&plain, &read(self.device, &projected, rows)?) {
                return Ok(Some(problem));
            }
        }
        let mut right = Vec::with_capacity(rows);
        let mut written = qkv.chunks_exact(width);
        for &(sequence, rows) in chunks {
            for row in written.by_ref().take(rows) {
                right.push(self.attend(sequence, row, window));
            }
        }
        Ok(compare(tolerance, &read(self.device, &out, rows)?, &right))
    }

    /// Appends a row to the reference copy of a sequence, and computes its attention.
    fn attend(&mut self, sequence: usize, row: &[f32], window: Option<u32>) -> Vec<f64> {
        let AttentionShape { heads, kv_heads, head_dim, .. } = self.shape;
        let sequence = &mut self.sequences[sequence];
        let position = sequence.keys.len();
        let angles = &self.rotation[position * head_dim..(position + 1) * head_dim];
        let mut turned = reference::wide(&row[..(heads + kv_heads) * head_dim]);
        for (index, head) in turned.chunks_exact_mut(head_dim).enumerate() {
            let weight = &self.norms[usize::from(index >= heads)];
            let mut normed = reference::norm(NormKind::Rms, EPSILON, Some(weight), None, head);
            reference::rotate(&mut normed, angles);
            head.copy_from_slice(&normed);
        }
        let (query, key) = turned.split_at(heads * head_dim);
        sequence.keys.push(key.to_vec());
        sequence.values.push(reference::wide(&row[(heads + kv_heads) * head_dim..]));
        let first = window.map_or(0, |window| (position + 1).saturating_sub(window as usize));
        let keys: Vec<_> = sequence.keys[first..].iter().map(Vec::as_slice).collect();
        let values: Vec<_> = sequence.values[first..].iter().map(Vec::as_slice).collect();
        reference::attend(&self.shape, query, &keys, &values)
    }
}

fn attention<D: Device>(device: &D, tolerance: Tolerance, shape: AttentionShape, window: Option<u32>) -> Found {
    let page = device.page_tokens();
    let mut world = World::new(device, shape, 3)?;
    let steps: [&[(usize, usize)]; 6] = [
        &[(0, 1)],
        &[(1, page + 3), (0, 2)],
        &[(0, 1), (2, 3 * page), (1, 1)],
        &[(2, 1), (1, 1), (0, 1)],
        &[(0, page), (2, 1), (1, 2)],
        // More rows than a tile of any device, starting within a sequence.
        &[(1, 1), (0, 4 * page + 5)],
    ];
    for chunks in steps {
        if let Some(problem) = world.step(tolerance, window, chunks)? {
            return Ok(Some(format!("chunks {chunks:?}: {problem}")));
        }
    }
    Ok(None)
}

/// Rows that decode beside many others, whose results only a product reads.
fn into_operand<D: Device>(device: &D, tolerance: Tolerance, head_dim: usize) -> Found {
    let shape = AttentionShape { heads: 6, kv_heads: 2, head_dim, scale: 0.25 };
    let mut world = World::new(device, shape, 2)?;
    world.projection = Some(Weights::new(&[24, 9], shape.heads * head_dim, DType::BF16).upload(device, DType::BF16)?);
    let many = 4 * device.page_tokens() + 5;
    let problem = world.step(tolerance, None, &[(1, 3)])?;
    Ok(problem.or(world.step(tolerance, None, &[(1, 1), (0, many)])?))
}

/// A sequence continues in a copy of its page, and the original continues differently.
fn copy_page<D: Device>(device: &D, tolerance: Tolerance) -> Found {
    let shape = AttentionShape { heads: 4, kv_heads: 2, head_dim: 16, scale: 0.25 };
    let mut world = World::new(device, shape, 2)?;
    let page = device.page_tokens();
    if page < 3 {
        return Ok(None);
    }
    let problem = world.step(tolerance, None, &[(0, page - 2)])?;
    let copied = world.sequences[1].pages[0];
    device.copy_page(&world.cache, world.sequences[0].pages[0], copied)?;
    let (keys, values) = (world.sequences[0].keys.clone(), world.sequences[0].values.clone());
    (world.sequences[1].keys, world.sequences[1].values) = (keys, values);
    let problem = problem.or(world.step(tolerance, None, &[(1, 1)])?);
    let problem = problem.or(world.step(tolerance, None, &[(0, 2)])?);
    Ok(problem.or(world.step(tolerance, None, &[(1, 3), (0, 1)])?))
}
