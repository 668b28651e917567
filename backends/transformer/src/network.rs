//! [`Network`]: a decoder's weights on a device, and its forward pass.
//!
//! Where several devices share a model ([`crate::shard`]), each has its own network with its part of every block. The
//! output of a block is then a partial sum. [`Device::add_ranks`], an all-reduce, adds up the ranks' partial sums
//! before they enter the residual stream, twice in a layer: after attention's output projection and after the MLP's
//! last one. No other code depends on the number of ranks. A device that records steps records the all-reduces with
//! them.

use jig_plugin_api::{Error, HostServices, LogLevel, Result};

use crate::batch::{Batch, StepShape};
use crate::description::{Decoder, NormPlace, Position};
use crate::device::{Device, Epilogue, HeadNorms, MatrixSource, Norm, NormKind};
use crate::names::Names;
use crate::projection::{Projection, Source, Wanted, stored};
use crate::rope::Rope;
use crate::shard::Role;
use crate::weights::{DType, PACKED_SHAPE, Weights, packed};

/// The weights of a decoder on a device.
pub(crate) struct Network<D: Device> {
    embedding: D::Matrix,
    positions: Option<(D::Matrix, u32)>,
    project_in: Option<D::Matrix>,
    project_out: Option<D::Matrix>,
    rotation: Option<D::Vector>,
    layers: Vec<Layer<D>>,
    final_norm: Option<Norm<D::Vector>>,
    /// `None` where the embedding table is also the last projection.
    logits: Option<D::Matrix>,
}

struct Layer<D: Device> {
    attention_norm: Norm<D::Vector>,
    qkv: D::Matrix,
    head_norms: Option<HeadNorms<D::Vector>>,
    output: D::Matrix,
    mlp_norm: Norm<D::Vector>,
    up: D::Matrix,
    down: D::Matrix,
}

/// The activations of a step.
pub(crate) struct Activations<D: Device> {
    /// Rows of logits that are computed at a time.
    pub(crate) logit_rows: usize,
    pub(crate) logits: D::Buffer,
    embedded: Option<D::Buffer>,
    residual: D::Buffer,
    normed: D::Buffer,
    qkv: D::Buffer,
    heads: D::Buffer,
    delta: D::Buffer,
    mlp: D::Buffer,
    chosen: D::Buffer,
    chosen_normed: D::Buffer,
    projected: Option<D::Buffer>,
}

impl<D: Device> Activations<D> {
    pub(crate) fn new(
        device: &D,
        network: &Network<D>,
        decoder: &Decoder,
        rows: usize,
        logit_rows: usize,
    ) -> Result<Self> {
        let hidden = decoder.hidden_size;
        let narrow = (decoder.embedding_size != hidden).then_some(decoder.embedding_size);
        let attention = &decoder.attention;
        let of_layers = |which: fn(&Layer<D>) -> &D::Matrix| network.layers.iter().map(which).collect::<Vec<_>>();
        let (outputs, downs) = (of_layers(|layer| &layer.output), of_layers(|layer| &layer.down));
        let inputs = [of_layers(|layer| &layer.qkv), of_layers(|layer| &layer.up)].concat();
        Ok(Self {
            logit_rows,
            logits: device.buffer(logit_rows, decoder.vocab_size)?,
            embedded: narrow.map(|width| device.buffer(rows, width)).transpose()?,
            residual: device.buffer(rows, hidden)?,
            // Where norms come last, their output is the residual stream as well.
            normed: match decoder.norm_place {
                NormPlace::Before => device.operand(rows, hidden, &inputs)?,
                NormPlace::After => device.buffer(rows, hidden)?,
            },
            qkv: device.buffer(rows, attention.qkv_width())?,
            heads: device.operand(rows, attention.heads * attention.head_dim, &outputs)?,
            delta: device.buffer(rows, hidden)?,
            mlp: device.operand(rows, decoder.mlp.width, &downs)?,
            chosen: device.buffer(logit_rows, hidden)?,
            chosen_normed: device.buffer(logit_rows, hidden)?,
            projected: narrow.map(|width| device.buffer(logit_rows, width)).transpose()?,
        })
    }
}

impl<D: Device> Network<D> {
    /// Uploads the device's part of the weights of `decoder`, which describes the whole model. `max_positions` is the
    /// longest sequence.
    pub(crate) fn load(
        device: &D,
        decoder: &Decoder,
        source: &Source<'_>,
        max_positions: usize,
        host: &dyn HostServices,
    ) -> Result<Self> {
        let Source { names, weights, .. } = *source;
        let loader = Loader { device, decoder, source, prefix: prefix(names, weights), host };
        let Decoder { vocab_size, hidden_size, embedding_size, .. } = *decoder;
        let narrow = embedding_size != hidden_size;
        let (positions, rotation) = match &decoder.position {
            Position::Learned { offset } => {
                let name = format!("{}{}", loader.prefix, names.positions);
                let rows = decoder.max_positions + offset;
                let table = loader.matrix(&[Wanted::new(Role::Positions, name, rows, false)], hidden_size)?;
                (Some((table, *offset as u32)), None)
            }
            Position::Rotary(rope) => (None, Some(device.vector(&rotation_table(rope, max_positions)?)?)),
        };
        let named = |name: &str| format!("{}{name}", loader.prefix);
        let network = Self {
            embedding: loader
                .matrix(&[Wanted::new(Role::Embedding, loader.embedding(), vocab_size, false)], embedding_size)?,
            positions,
            rotation,
            project_in: narrow
                .then(|| {
                    let wanted = Wanted::new(Role::Projection, named(names.project_in), hidden_size, false);
                    loader.matrix(&[wanted], embedding_size)
                })
                .transpose()?,
            layers: (0..decoder.windows.len()).map(|index| loader.layer(index)).collect::<Result<_>>()?,
            final_norm: decoder.final_norm.then(|| loader.norm(&named(names.final_norm), hidden_size)).transpose()?,
            project_out: narrow
                .then(|| {
                    let wanted = Wanted::new(Role::Projection, named(names.project_out), embedding_size, false);
                    loader.matrix(&[wanted], hidden_size)
                })
                .transpose()?,
            logits: (!decoder.tied_embeddings)
                .then(|| {
                    let wanted = Wanted::new(Role::Logits, names.logits.to_owned(), vocab_size, false);
                    loader.matrix(&[wanted], embedding_size)
                })
                .transpose()?,
        };
        let mut ignored = names.ignored.to_vec();
        // Scales of quantized activations, which stay unquantized here, and shapes of packed weights, which config.json
        // gives too.
        ignored.extend([".input_scale", ".activation_scale", ".input_zero_point", PACKED_SHAPE]);
        let copy = format!("{}.weight", names.logits);
        if decoder.tied_embeddings {
            ignored.push(&copy);
        }
        weights.finish(&ignored)?;
        device.synchronize()?;
        Ok(network)
    }

    /// Enqueues the forward pass of the current batch, and the first rows of its logits.
    pub(crate) fn forward(
        &self,
        device: &D,
        decoder: &Decoder,
        shape: StepShape,
        cache: &D::KvCache,
        a: &Activations<D>,
    ) -> Result<()> {
        let rows = shape.rows;
        match (&a.embedded, &self.project_in) {
            (Some(embedded), Some(project)) => {
                device.embed(&self.embedding, embedded)?;
                device.linear(rows, embedded, project, Epilogue::None, &a.residual)?;
            }
            _ => device.embed(&self.embedding, &a.residual)?,
        }
        if let Some((table, offset)) = &self.positions {
            device.add_positions(table, *offset, &a.residual)?;
        }
        let before = decoder.norm_place == NormPlace::Before;
        if before && let Some(first) = self.layers.first() {
            device.norm(rows, &a.residual, &first.attention_norm, &a.normed)?;
        }
        let activation = decoder.mlp.activation;
        let epilogue = if decoder.mlp.gated { Epilogue::Gate(activation) } else { Epilogue::Activate(activation) };
        for (index, layer) in self.layers.iter().enumerate() {
            let input = if before { &a.normed } else { &a.residual };
            device.linear(rows, input, &layer.qkv, Epilogue::None, &a.qkv)?;
            let (rotation, head_norms) = (self.rotation.as_ref(), layer.head_norms.as_ref());
            device.store_kv(index, &decoder.attention, &a.qkv, head_norms, rotation, cache)?;
            let window = decoder.windows.get(index).copied().flatten();
            device.attend(index, &decoder.attention, window, &a.qkv, cache, &a.heads)?;
            device.linear(rows, &a.heads, &layer.output, Epilogue::None, &a.delta)?;
            device.add_ranks(rows, &a.delta)?;
            let between = if before { &layer.mlp_norm } else { &layer.attention_norm };
            device.add_norm(rows, &a.residual, &a.delta, between, &a.normed)?;
            device.linear(rows, &a.normed, &layer.up, epilogue, &a.mlp)?;
            device.linear(rows, &a.mlp, &layer.down, Epilogue::None, &a.delta)?;
            device.add_ranks(rows, &a.delta)?;
            match self.layers.get(index + 1) {
                _ if !before => device.add_norm(rows, &a.normed, &a.delta, &layer.mlp_norm, &a.residual)?,
                Some(next) => device.add_norm(rows, &a.residual, &a.delta, &next.attention_norm, &a.normed)?,
                None => device.add(rows, &a.residual, &a.delta)?,
            }
        }
        self.logits(device, 0, shape.logit_rows.min(a.logit_rows), a)
    }

    /// Enqueues `count` of the batch's rows of logits, from `first` on, into the first rows of the buffer.
    pub(crate) fn logits(&self, device: &D, first: usize, count: usize, a: &Activations<D>) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        device.gather(&a.residual, first, count, &a.chosen)?;
        let mut chosen = &a.chosen;
        if let Some(norm) = &self.final_norm {
            device.norm(count, chosen, norm, &a.chosen_normed)?;
            chosen = &a.chosen_normed;
        }
        if let (Some(project), Some(projected)) = (&self.project_out, &a.projected) {
            device.linear(count, chosen, project, Epilogue::None, projected)?;
            chosen = projected;
        }
        device.linear(count, chosen, self.logits.as_ref().unwrap_or(&self.embedding), Epilogue::None, &a.logits)
    }

    /// Enqueues a whole step.
    pub(crate) fn step(
        &self,
        device: &D,
        decoder: &Decoder,
        batch: &Batch,
        cache: &D::KvCache,
        activations: &Activations<D>,
    ) -> Result<()> {
        let shape = batch.shape();
        device.begin(batch)?;
        device.record(shape, &mut || self.forward(device, decoder, shape, cache, activations))
    }
}

/// Bytes that the table of a rotary embedding may take.
const MAX_TABLE_BYTES: usize = 1 << 30;

fn rotation_table(rope: &Rope, positions: usize) -> Result<Vec<f32>> {
    let bytes = positions.saturating_mul(rope.head_dim).saturating_mul(size_of::<f32>());
    if bytes > MAX_TABLE_BYTES {
        let problem =
            format!("{positions} positions need {bytes} bytes of rotation tables; set a smaller max_model_len");
        return Err(Error::out_of_memory(problem));
    }
    Ok(rope.table(positions))
}

/// The first of the family's prefixes under which the first layer exists.
fn prefix(names: &Names, weights: &Weights) -> &'static str {
    let found = |prefix: &&&str| {
        let query = format!("{prefix}{}0.{}", names.layers, names.query);
        weights.contains(&format!("{query}.weight")) || packed::find(weights, &query).is_some()
    };
    names.prefixes.iter().find(found).or(names.prefixes.first()).copied().unwrap_or_default()
}

struct Loader<'a, D: Device> {
    device: &'a D,
    decoder: &'a Decoder,
    source: &'a Source<'a>,
    prefix: &'a str,
    host: &'a dyn HostServices,
}

impl<D: Device> Loader<'_, D> {
    /// The name of the embedding table. Where it is tied, a checkpoint may hold it under the other name only: tools
    /// that drop duplicates keep one of the two, not always the same one (facebook/opt-125m on the hub).
    fn embedding(&self) -> String {
        let Source { names, weights, .. } = *self.source;
        let (own, other) = (format!("{}{}", self.prefix, names.embedding), names.logits);
        let only_other = |weights: &Weights| {
            !weights.contains(&format!("{own}.weight")) && weights.contains(&format!("{other}.weight"))
        };
        if self.decoder.tied_embeddings && only_other(weights) { other.to_owned() } else { own }
    }

    /// The device's part of a matrix of stacked ones.
    fn matrix(&self, wanted: &[Wanted], inputs: usize) -> Result<D::Matrix> {
        let taken = wanted.iter().map(|one| Projection::take(self.source, one, inputs)).collect::<Result<Vec<_>>>()?;
        let parts: Vec<_> = taken.iter().map(Projection::part).collect();
        let dtype = self.source.dtype.unwrap_or_else(|| stored(&taken));
        if self.source.dtype.is_none() && parts.iter().any(|part| part.groups.is_some()) && dtype != DType::I4 {
            let names = wanted.iter().map(Wanted::name).collect::<Vec<_>>().join(", ");
            let message = format!("{names}: kept in {dtype} and not in 4 bits, since they are not quantized alike");
            self.host.log(LogLevel::Warn, &message);
        }
        let matrix = self.device.matrix(&MatrixSource { parts: &parts, dtype })?;
        self.host.progress("weights", self.device.weight_bytes(), self.source.weights.bytes());
        Ok(matrix)
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm<D::Vector>> {
        let vector = |wanted: bool, end: &str| -> Result<Option<D::Vector>> {
            let load = || {
                let values = self.source.weights.take(&format!("{name}.{end}"), &[width])?;
                self.device.vector(&self.source.partition.weight(Role::Norm, values)?.to_f32())
            };
            wanted.then(load).transpose()
        };
        let Decoder { norm: kind, norm_epsilon: epsilon, norm_affine: affine, .. } = *self.decoder;
        let weight = vector(affine, "weight")?;
        Ok(Norm { kind, epsilon, weight, bias: vector(affine && kind == NormKind::Layer, "bias")? })
    }

    fn layer(&self, index: usize) -> Result<Layer<D>> {
        let (decoder, names) = (self.decoder, self.source.names);
        let named = |name: &str| format!("{}{}{index}.{name}", self.prefix, names.layers);
        let attention = &decoder.attention;
        let (hidden, dim) = (decoder.hidden_size, attention.head_dim);
        let (q, kv) = (attention.heads * dim, attention.kv_heads * dim);
        let qkv = [(Role::Query, names.query, q), (Role::Key, names.key, kv), (Role::Value, names.value, kv)];
        let qkv = qkv.map(|(role, name, outputs)| Wanted::new(role, named(name), outputs, decoder.qkv_bias));
        let mlp = &decoder.mlp;
        let mut up = vec![Wanted::new(Role::Up, named(names.up), mlp.width, mlp.bias)];
        if mlp.gated {
            up.insert(0, Wanted::new(Role::Gate, named(names.gate), mlp.width, mlp.bias));
        }
        let output = Wanted::new(Role::AttentionOutput, named(names.output), hidden, decoder.output_bias);
        let down = Wanted::new(Role::Down, named(names.down), hidden, mlp.bias);
        let head_norms = || -> Result<HeadNorms<D::Vector>> {
            let norm = |name: &str| self.norm(&named(name), dim);
            Ok(HeadNorms { query: norm(names.query_norm)?, key: norm(names.key_norm)? })
        };
        Ok(Layer {
            attention_norm: self.norm(&named(names.attention_norm), hidden)?,
            qkv: self.matrix(&qkv, hidden)?,
            head_norms: decoder.head_norm.then(head_norms).transpose()?,
            output: self.matrix(&[output], q)?,
            mlp_norm: self.norm(&named(names.mlp_norm), hidden)?,
            up: self.matrix(&up, hidden)?,
            down: self.matrix(&[down], mlp.width)?,
        })
    }
}
