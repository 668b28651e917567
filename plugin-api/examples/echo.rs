//! A complete backend plugin in one file: a "model" that likes to say its last token again.
//!
//! ```text
//! cargo build -p jig-plugin-api --example echo        # target/debug/examples/libecho.so
//! ```
//!
//! In a crate of its own, such a file is `src/lib.rs`, with `crate-type = ["cdylib"]` in its `[lib]` section and
//! `jig-plugin-api` as its only dependency.

use std::collections::BTreeMap;
use std::sync::Arc;

use jig_plugin_api::sampler::{self, Scratch};
use jig_plugin_api::{
    Backend, BackendInfo, Chunk, DeviceInfo, Error, ErrorCode, HostServices, LogLevel, LogitsWanted, MemoryUse, Model,
    ModelInfo, ModelSpec, OptionInfo, Result, SampleRow, Sampled, SequenceId,
};

jig_plugin_api::export_backend!(Echo);

/// Tokens in a block of the "KV cache", which is just the tokens.
const BLOCK_TOKENS: usize = 16;
const BLOCK_BYTES: u64 = (BLOCK_TOKENS * size_of::<u32>()) as u64;

/// The backend: there is nothing to know before a model is loaded.
pub(crate) struct Echo;

impl Backend for Echo {
    fn describe(&self) -> BackendInfo {
        let option = |key: &str, default: &str, help: &str| OptionInfo {
            key: key.to_owned(),
            default: default.to_owned(),
            help: help.to_owned(),
        };
        BackendInfo {
            name: "echo".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "Says its last token again, mostly: an example of a plugin".to_owned(),
            devices: vec![DeviceInfo { id: "cpu".to_owned(), name: "any processor".to_owned(), memory_bytes: 0 }],
            problem: None,
            options: vec![
                option("vocab_size", "256", "number of tokens"),
                option("kv_blocks", "1024", "number of blocks in the KV cache, if no size is given"),
            ],
        }
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        if !spec.directory.is_dir() {
            let message = format!("no model directory at {}", spec.directory.display());
            return Err(Error::new(ErrorCode::NotFound, message));
        }
        if !["auto", "cpu"].contains(&spec.device.as_str()) {
            let message = format!("no device {:?}: this backend has `cpu` only", spec.device);
            return Err(Error::new(ErrorCode::DeviceUnavailable, message));
        }
        if !["auto", "f32"].contains(&spec.dtype.as_str()) {
            return Err(Error::unsupported(format!("dtype {:?}: this backend computes in f32", spec.dtype)));
        }
        let mut model = EchoModel {
            vocab_size: 256,
            max_model_len: spec.max_model_len.unwrap_or(512).min(512),
            blocks: spec.kv_cache_bytes.map_or(1024, |bytes| (bytes / BLOCK_BYTES) as u32),
            sequences: BTreeMap::new(),
            opened: 0,
            rows: Vec::new(),
            scratch: Scratch::default(),
        };
        for (key, value) in &spec.options {
            let number = value.parse().ok().filter(|&number| number > 0);
            let number = number.ok_or_else(|| Error::invalid_argument(format!("option {key}: {value:?} is no count")));
            match key.as_str() {
                "vocab_size" => model.vocab_size = number?,
                "kv_blocks" => model.blocks = number?,
                _ => return Err(Error::unsupported(format!("no option {key:?}: there are vocab_size and kv_blocks"))),
            }
        }
        host.progress("weights", 1, 1);
        host.log(LogLevel::Debug, "echo is ready");
        Ok(Box::new(model))
    }
}

struct EchoModel {
    vocab_size: u32,
    max_model_len: u32,
    blocks: u32,
    sequences: BTreeMap<u64, Vec<u32>>,
    opened: u64,
    /// The logits of the last `forward`.
    rows: Vec<Vec<f32>>,
    scratch: Scratch,
}

impl EchoModel {
    fn sequence(&self, sequence: SequenceId) -> Result<&Vec<u32>> {
        let missing = || Error::invalid_argument(format!("sequence {} is not open", sequence.0));
        self.sequences.get(&sequence.0).ok_or_else(missing)
    }

    /// The first `length` tokens of a sequence.
    fn prefix(&self, sequence: SequenceId, length: u32) -> Result<&[u32]> {
        let tokens = self.sequence(sequence)?;
        let past = || Error::invalid_argument(format!("length {length} is past the {} tokens there are", tokens.len()));
        tokens.get(..length as usize).ok_or_else(past)
    }

    fn insert(&mut self, tokens: Vec<u32>) -> Result<SequenceId> {
        self.check_memory(blocks(tokens.len()))?;
        self.opened += 1;
        self.sequences.insert(self.opened, tokens);
        Ok(SequenceId(self.opened))
    }

    fn used_blocks(&self) -> usize {
        self.sequences.values().map(|tokens| blocks(tokens.len())).sum()
    }

    fn check_memory(&self, more_blocks: usize) -> Result<()> {
        if self.used_blocks() + more_blocks > self.blocks as usize {
            return Err(Error::out_of_memory(format!("all {} blocks of the KV cache are in use", self.blocks)));
        }
        Ok(())
    }

    /// All that can be wrong with a batch, before anything is changed.
    fn check(&self, batch: &[Chunk<'_>]) -> Result<()> {
        let mut more_blocks = 0;
        for (index, chunk) in batch.iter().enumerate() {
            let tokens = self.sequence(chunk.sequence)?;
            if chunk.tokens.is_empty() {
                return Err(Error::invalid_argument("a chunk has no tokens"));
            }
            if batch[..index].iter().any(|other| other.sequence == chunk.sequence) {
                return Err(Error::invalid_argument("a sequence appears twice in a batch"));
            }
            if let Some(token) = chunk.tokens.iter().find(|&&token| token >= self.vocab_size) {
                return Err(Error::invalid_argument(format!(
                    "token {token}: the vocabulary ends at {}",
                    self.vocab_size
                )));
            }
            let length = tokens.len() + chunk.tokens.len();
            if length > self.max_model_len as usize {
                return Err(Error::invalid_argument(format!(
                    "{length} tokens: the model takes {}",
                    self.max_model_len
                )));
            }
            more_blocks += blocks(length) - blocks(tokens.len());
        }
        self.check_memory(more_blocks)
    }
}

impl Model for EchoModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            architecture: "Echo".to_owned(),
            vocab_size: self.vocab_size,
            max_model_len: self.max_model_len,
            dtype: "f32".to_owned(),
            device: "cpu".to_owned(),
            parameters: 0,
        }
    }

    fn open(&mut self) -> Result<SequenceId> {
        self.insert(Vec::new())
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        let tokens = self.prefix(parent, length)?.to_vec();
        self.insert(tokens)
    }

    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()> {
        let tokens = self.prefix(sequence, length)?.to_vec();
        self.sequences.insert(sequence.0, tokens);
        Ok(())
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        self.sequence(sequence)?;
        self.sequences.remove(&sequence.0);
        Ok(())
    }

    fn memory(&self) -> MemoryUse {
        let used = self.used_blocks() as u32;
        MemoryUse {
            weight_bytes: 0,
            kv_used_bytes: u64::from(used) * BLOCK_BYTES,
            kv_capacity_bytes: u64::from(self.blocks) * BLOCK_BYTES,
            block_tokens: BLOCK_TOKENS as u32,
            used_blocks: used,
            total_blocks: self.blocks,
            open_sequences: self.sequences.len() as u32,
        }
    }

    fn forward(&mut self, batch: &[Chunk<'_>]) -> Result<()> {
        self.check(batch)?;
        self.rows.clear();
        for chunk in batch {
            let tokens = self.sequences.entry(chunk.sequence.0).or_default();
            let before = tokens.len();
            tokens.extend_from_slice(chunk.tokens);
            let first = match chunk.logits {
                LogitsWanted::None => tokens.len(),
                LogitsWanted::Last => tokens.len() - 1,
                LogitsWanted::All => before,
            };
            for last in first..tokens.len() {
                self.rows.push(logits(&tokens[..=last], self.vocab_size));
            }
        }
        Ok(())
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        let mut sampled = Vec::with_capacity(rows.len());
        for row in rows {
            let logits = self.rows.get(row.row as usize).ok_or_else(|| no_row(row.row))?;
            sampled.push(sampler::sample(logits, row, &mut self.scratch)?);
        }
        Ok(sampled)
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        self.rows.get(row as usize).cloned().ok_or_else(|| no_row(row))
    }
}

fn no_row(row: u32) -> Error {
    Error::invalid_argument(format!("the last forward has no row {row}"))
}

fn blocks(tokens: usize) -> usize {
    tokens.div_ceil(BLOCK_TOKENS)
}

/// The whole "network": noise that depends on all tokens so far, and a liking for the last one.
fn logits(tokens: &[u32], vocab_size: u32) -> Vec<f32> {
    let mix = |state: u32, token: u32| (state ^ token).wrapping_mul(0x9e37_79b1).rotate_left(13);
    let state = tokens.iter().fold(1, |state, &token| mix(state, token));
    let noise = |token| (mix(mix(state, token), state) >> 8) as f32 / (1 << 23) as f32;
    (0..vocab_size).map(|token| noise(token) + if tokens.last() == Some(&token) { 3.0 } else { 0.0 }).collect()
}
