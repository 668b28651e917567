//! [`Transformer`]: a decoder on a device, as the plugin API wants it.
//!
//! Sequences, forks, pages and all argument checks are here, once for all devices.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jig_plugin_api::{
    Chunk, Error, ErrorCode, HostServices, LogLevel, LogitsWanted, MemoryUse, Model, ModelInfo, ModelSpec, Result,
    SampleRow, Sampled, SequenceId, mask,
};

use crate::batch::{Batch, Span};
use crate::config::Config;
use crate::description::Decoder;
use crate::device::Device;
use crate::network::{Activations, Network};
use crate::pages::{PagePool, Sequence};
use crate::projection::Source;
use crate::shard::Partition;
use crate::weights::{DType, Weights};

/// The most bytes of the logits buffer. If a batch wants more rows than fit, the rest are computed when they are read.
const LOGIT_BYTES: usize = 256 << 20;

/// A decoder on a device.
pub struct Transformer<D: Device> {
    device: D,
    decoder: Decoder,
    network: Network<D>,
    activations: Activations<D>,
    cache: D::KvCache,
    info: ModelInfo,
    max_batch_tokens: usize,
    pool: PagePool,
    sequences: HashMap<SequenceId, Sequence>,
    next_sequence: u64,
    batch: Batch,
    logits: LogitRows,
}

/// Which logits of the last `forward` exist, and which are in the buffer.
#[derive(Clone, Copy, Debug, Default)]
struct LogitRows {
    total: usize,
    /// The first row that is in the buffer.
    first: usize,
}

impl<D: Device> Transformer<D> {
    /// Loads the model of `spec.directory` onto `device`. Options and device names are the caller's to check.
    ///
    /// # Errors
    /// Errors of the directory name the file and the field or tensor; `OutOfMemory` if the model does not fit the
    /// device.
    pub fn load(device: D, spec: &ModelSpec, host: &Arc<dyn HostServices>) -> Result<Self> {
        let Config { decoder: whole, names, quantization } = Config::read(&spec.directory)?;
        let partition = Partition::new(&whole, device.shard())?;
        let decoder = partition.decoder(&whole);
        let dtype = match spec.dtype.as_str() {
            "auto" => None,
            name => Some(name.parse::<DType>()?),
        };
        let max_model_len = max_model_len(spec, &decoder)?;
        let weights = Weights::open(&spec.directory)?;
        let source = Source { partition: &partition, names, weights: &weights, quantization, dtype };
        let network = Network::load(&device, &whole, &source, max_model_len, host.as_ref());
        let network = network.map_err(short_of_memory(&device, || {
            let (stored, loaded) = (megabytes(weights.bytes()), megabytes(device.weight_bytes()));
            format!("the model's weights, {stored} as stored, don't fit: there was no room after {loaded} of them")
        }))?;
        let max_batch_tokens = (spec.max_batch_tokens as usize).max(1);
        let logit_rows = (LOGIT_BYTES / (4 * decoder.vocab_size)).clamp(1, (spec.max_sequences as usize).max(1));
        let loaded = || format!("beside weights of {}", megabytes(device.weight_bytes()));
        let activations =
            Activations::new(&device, &network, &decoder, max_batch_tokens, logit_rows.min(max_batch_tokens));
        let activations = activations.map_err(short_of_memory(&device, || {
            format!("there is no room for steps of {max_batch_tokens} tokens {}", loaded())
        }))?;
        let cache = cache_pages(&device, spec, &decoder, max_model_len)
            .and_then(|pages| Ok((pages, device.kv_cache(&decoder.kv_shape(), pages)?)));
        let (pages, cache) = cache.map_err(short_of_memory(&device, || {
            format!("there is no room for the KV cache {} and steps of {max_batch_tokens} tokens", loaded())
        }))?;
        let info = ModelInfo {
            architecture: decoder.architecture.clone(),
            vocab_size: decoder.vocab_size as u32,
            max_model_len: max_model_len as u32,
            dtype: dtype.unwrap_or_else(|| weights.dtype()).to_string(),
            device: device.id(),
            parameters: weights.parameters(),
        };
        let tokens = pages * device.page_tokens();
        host.log(LogLevel::Info, &format!("{}: KV cache for {tokens} tokens", info.architecture));
        Ok(Self {
            device,
            decoder,
            network,
            activations,
            cache,
            info,
            max_batch_tokens,
            pool: PagePool::new(pages as u32),
            sequences: HashMap::new(),
            next_sequence: 0,
            batch: Batch::default(),
            logits: LogitRows::default(),
        })
    }

    /// The decoder; of a model that several devices share, this device's part.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    fn sequence(&self, id: SequenceId) -> Result<&Sequence> {
        self.sequences.get(&id).ok_or_else(|| not_open(id))
    }

    fn insert(&mut self, sequence: Sequence) -> SequenceId {
        let id = SequenceId(self.next_sequence);
        self.next_sequence += 1;
        self.sequences.insert(id, sequence);
        id
    }

    /// Checks a batch, including that there are pages for it. Changes nothing.
    fn check(&self, chunks: &[Chunk<'_>]) -> Result<()> {
        let invalid = |problem: String| Err(Error::invalid_argument(problem));
        let page_tokens = self.device.page_tokens();
        let mut seen = HashSet::with_capacity(chunks.len());
        let (mut rows, mut pages) = (0, 0);
        let mut writers: BTreeMap<u32, u32> = BTreeMap::new();
        for chunk in chunks {
            let SequenceId(id) = chunk.sequence;
            let sequence = self.sequence(chunk.sequence)?;
            if !seen.insert(id) {
                return invalid(format!("sequence {id} appears twice in the batch"));
            }
            if chunk.tokens.is_empty() {
                return invalid(format!("the chunk of sequence {id} is empty"));
            }
            if let Some(token) = chunk.tokens.iter().find(|token| **token >= self.info.vocab_size) {
                return invalid(format!("token {token} is out of range; the vocabulary has {}", self.info.vocab_size));
            }
            let length = sequence.length.saturating_add(chunk.tokens.len());
            if length > self.info.max_model_len as usize {
                let most = self.info.max_model_len;
                return invalid(format!("sequence {id} would have {length} tokens; the model takes at most {most}"));
            }
            rows += chunk.tokens.len();
            pages += length.div_ceil(page_tokens) - sequence.pages.len();
            if let Some(page) = sequence.open_page(page_tokens).filter(|page| self.pool.holders(*page) > 1) {
                *writers.entry(page).or_default() += 1;
            }
        }
        if rows > self.max_batch_tokens {
            return invalid(format!("the batch has {rows} tokens; at most {} were announced", self.max_batch_tokens));
        }
        // When several sequences share a page and all write to it, the last one keeps the page and needs no copy.
        let copies = |(page, writers): (&u32, &u32)| (*writers).min(self.pool.holders(*page) - 1) as usize;
        pages += writers.iter().map(copies).sum::<usize>();
        if pages > self.pool.free() {
            let (free, total) = (self.pool.free(), self.pool.total());
            let problem = format!("the KV cache has {free} of {total} blocks free, and the batch needs {pages}");
            return Err(Error::out_of_memory(problem));
        }
        Ok(())
    }

    /// Gives a sequence the pages for `tokens` more, and its own copy of a shared page that it will write to (copy on
    /// write).
    fn grow(&mut self, id: SequenceId, tokens: usize) -> Result<()> {
        let page_tokens = self.device.page_tokens();
        let sequence = self.sequences.get_mut(&id).ok_or_else(|| not_open(id))?;
        let short = || Error::internal("the KV cache is short of a block that was counted as free");
        if let Some(shared) = sequence.open_page(page_tokens).filter(|page| self.pool.holders(*page) > 1) {
            let own = self.pool.take().ok_or_else(short)?;
            self.device.copy_page(&self.cache, shared, own)?;
            sequence.pages[sequence.length / page_tokens] = own;
            self.pool.release(shared);
        }
        let length = sequence.length + tokens;
        while sequence.pages.len() < length.div_ceil(page_tokens) {
            sequence.pages.push(self.pool.take().ok_or_else(short)?);
        }
        sequence.length = length;
        Ok(())
    }

    /// Appends a chunk to the batch; its sequence has already grown by it.
    fn lay_out(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        let page_tokens = self.device.page_tokens();
        let sequence = self.sequences.get(&chunk.sequence).ok_or_else(|| not_open(chunk.sequence))?;
        let batch = &mut self.batch;
        let (first_row, first_position) = (batch.rows(), sequence.length - chunk.tokens.len());
        batch.spans.push(Span {
            first_row: first_row as u32,
            rows: chunk.tokens.len() as u32,
            first_position: first_position as u32,
            first_page: batch.pages.len() as u32,
            pages: sequence.pages.len() as u32,
        });
        batch.pages.extend_from_slice(&sequence.pages);
        batch.tokens.extend_from_slice(chunk.tokens);
        for position in first_position..sequence.length {
            let page = sequence.pages[position / page_tokens] as usize;
            batch.positions.push(position as u32);
            batch.slots.push((page * page_tokens + position % page_tokens) as u32);
        }
        let rows = first_row as u32..batch.rows() as u32;
        match chunk.logits {
            LogitsWanted::None => {}
            LogitsWanted::Last => batch.logit_rows.extend(rows.last()),
            LogitsWanted::All => batch.logit_rows.extend(rows),
        }
        Ok(())
    }

    /// Pads a decode step to the device's next recorded size, if the buffers have room.
    fn pad(&mut self) {
        let shape = self.batch.shape();
        let most = self.max_batch_tokens.min(self.activations.logit_rows);
        let rows = self.device.padded_rows(shape);
        if shape.decode && rows <= most {
            self.batch.pad(rows);
        }
    }

    /// Computes the rows of logits from `first` on into the buffer, unless they are in it already.
    fn fetch_logits(&mut self, first: usize) -> Result<()> {
        if first != self.logits.first {
            let count = (self.logits.total - first).min(self.activations.logit_rows);
            self.network.logits(&self.device, first, count, &self.activations)?;
            self.logits.first = first;
        }
        Ok(())
    }

    fn check_logit_row(&self, row: u32) -> Result<usize> {
        let total = self.logits.total;
        let known = Some(row as usize).filter(|row| *row < total);
        known.ok_or_else(|| Error::invalid_argument(format!("row {row} of {total} rows of logits was asked for")))
    }
}

impl<D: Device> Model for Transformer<D> {
    fn info(&self) -> ModelInfo {
        self.info.clone()
    }

    fn open(&mut self) -> Result<SequenceId> {
        Ok(self.insert(Sequence::default()))
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        let page_tokens = self.device.page_tokens();
        let parent = self.sequence(parent)?;
        let length = length as usize;
        let pages = parent.pages.get(..length.div_ceil(page_tokens)).filter(|_| length <= parent.length);
        let pages = pages.ok_or_else(|| past_end(length, parent.length))?.to_vec();
        for page in &pages {
            self.pool.share(*page);
        }
        Ok(self.insert(Sequence { length, pages }))
    }

    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()> {
        let held = self.sequences.get_mut(&sequence).ok_or_else(|| not_open(sequence))?;
        if length as usize > held.length {
            return Err(past_end(length as usize, held.length));
        }
        held.shrink(length as usize, self.device.page_tokens(), &mut self.pool);
        Ok(())
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        let mut held = self.sequences.remove(&sequence).ok_or_else(|| not_open(sequence))?;
        held.shrink(0, self.device.page_tokens(), &mut self.pool);
        Ok(())
    }

    fn memory(&self) -> MemoryUse {
        let page_bytes = self.device.page_bytes(&self.decoder.kv_shape());
        let (total, free) = (self.pool.total(), self.pool.free());
        MemoryUse {
            weight_bytes: self.device.weight_bytes(),
            kv_used_bytes: (total - free) as u64 * page_bytes,
            kv_capacity_bytes: total as u64 * page_bytes,
            block_tokens: self.device.page_tokens() as u32,
            used_blocks: (total - free) as u32,
            total_blocks: total as u32,
            open_sequences: self.sequences.len() as u32,
        }
    }

    fn forward(&mut self, chunks: &[Chunk<'_>]) -> Result<()> {
        self.check(chunks)?;
        self.logits = LogitRows::default();
        self.batch.clear();
        if chunks.is_empty() {
            return Ok(());
        }
        for chunk in chunks {
            self.grow(chunk.sequence, chunk.tokens.len())?;
        }
        for chunk in chunks {
            self.lay_out(chunk)?;
        }
        let total = self.batch.logit_rows.len();
        self.pad();
        self.network.step(&self.device, &self.decoder, &self.batch, &self.cache, &self.activations)?;
        self.logits.total = total;
        Ok(())
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        let words = mask::words(self.decoder.vocab_size);
        // Group the rows by the part of the logits that must be in the buffer for them.
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            if !row.mask.is_empty() && row.mask.len() != words {
                let found = row.mask.len();
                return Err(Error::invalid_argument(format!("a mask has {found} words; the vocabulary needs {words}")));
            }
            let part = self.check_logit_row(row.row)? / self.activations.logit_rows;
            parts.entry(part * self.activations.logit_rows).or_default().push(index);
        }
        let mut drawn = vec![Sampled::default(); rows.len()];
        for (first, indices) in parts {
            self.fetch_logits(first)?;
            let here = |index: &usize| SampleRow { row: rows[*index].row - first as u32, ..rows[*index] };
            let asked: Vec<_> = indices.iter().map(here).collect();
            let tokens = self.device.sample(&self.activations.logits, self.decoder.vocab_size, &asked)?;
            for (index, token) in indices.into_iter().zip(tokens) {
                drawn[index] = token;
            }
        }
        Ok(drawn)
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        let row = self.check_logit_row(row)?;
        let step = self.activations.logit_rows;
        self.fetch_logits(row / step * step)?;
        self.device.read_row(&self.activations.logits, row % step)
    }
}

fn not_open(SequenceId(id): SequenceId) -> Error {
    Error::invalid_argument(format!("sequence {id} is not open"))
}

fn past_end(length: usize, end: usize) -> Error {
    Error::invalid_argument(format!("length {length} is past the sequence's end at {end}"))
}

fn max_model_len(spec: &ModelSpec, decoder: &Decoder) -> Result<usize> {
    let most = decoder.max_positions;
    match spec.max_model_len.map(|length| length as usize) {
        None => Ok(most),
        Some(length) if (1..=most).contains(&length) => Ok(length),
        Some(length) => Err(Error::invalid_argument(format!(
            "max_model_len {length}: config.json allows from 1 to {most} positions"
        ))),
    }
}

/// Puts what did not fit, and the remedy, in front of the device's message.
fn short_of_memory<D: Device>(device: &D, what: impl FnOnce() -> String) -> impl FnOnce(Error) -> Error {
    let id = device.id();
    move |error| {
        if error.code != ErrorCode::OutOfMemory {
            return error;
        }
        Error::out_of_memory(format!(
            "{id}: {} ({}). Take a smaller or a quantized model or --dtype bf16, let others give memory back, or lower \
             --max-num-batched-tokens, --max-num-seqs or --max-model-len",
            what(),
            error.message
        ))
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// Pages of the cache: as many as requested, or as fit in memory, but no more than all sequences together can use.
fn cache_pages<D: Device>(device: &D, spec: &ModelSpec, decoder: &Decoder, max_model_len: usize) -> Result<usize> {
    let page_bytes = device.page_bytes(&decoder.kv_shape()).max(1);
    let useful = (spec.max_sequences.max(1) as u64).saturating_mul(max_model_len.div_ceil(device.page_tokens()) as u64);
    let bytes = spec.kv_cache_bytes.map_or_else(|| device.memory_for_cache(), Ok)?;
    let addressable = u64::from(u32::MAX - 1) / device.page_tokens().max(1) as u64;
    let pages = (bytes / page_bytes).min(useful).min(addressable);
    if pages == 0 {
        let problem = format!("it may take {bytes} bytes, and one block takes {page_bytes}");
        return Err(Error::out_of_memory(problem));
    }
    Ok(pages as usize)
}
