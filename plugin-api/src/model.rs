//! [`Model`]: a loaded model, its sequences, and the two calls of a step.
//!
//! A step is `forward`, then `sample`:
//!
//! ```text
//! forward(chunks)   enqueues the work and returns at once; each chunk appends tokens to a sequence
//!                   (the host computes masks meanwhile)
//! sample(rows)      waits for the device; draws one token for each row of logits that is asked for
//! ```
//!
//! Drawing a token does not append it: the host does so, as part of a later chunk, if it wants to.

use crate::Result;

/// A sequence that a model holds: a handle that is never reused while the model lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId(pub u64);

/// A loaded model. One thread at a time calls it, not necessarily the one that loaded it.
pub trait Model: Send {
    /// What was loaded.
    fn info(&self) -> ModelInfo;

    /// Opens an empty sequence.
    ///
    /// # Errors
    /// `OutOfMemory` if there is no room for another sequence.
    fn open(&mut self) -> Result<SequenceId>;

    /// Opens a sequence that begins with the first `length` tokens of `parent`, sharing their KV cache.
    /// The two are independent from then on.
    ///
    /// # Errors
    /// `InvalidArgument` for a closed parent or a length past its end.
    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId>;

    /// Forgets all tokens past the first `length`.
    ///
    /// # Errors
    /// `InvalidArgument` for a closed sequence or a length past its end.
    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()>;

    /// Closes a sequence and frees what only it holds.
    ///
    /// # Errors
    /// `InvalidArgument` for a sequence that is not open.
    fn close(&mut self, sequence: SequenceId) -> Result<()>;

    /// Memory in use and capacity.
    fn memory(&self) -> MemoryUse;

    /// Appends each chunk's tokens to its sequence and enqueues their forward pass. Prefill and decode
    /// may be mixed; a sequence appears at most once. Rows of logits of the previous call are gone.
    ///
    /// Rows are numbered over the batch in the order of the chunks: a chunk that wants `Last` has one row,
    /// `All` has one for each of its tokens, `None` has none.
    ///
    /// # Errors
    /// `OutOfMemory` and `InvalidArgument` (closed sequence, empty chunk, token out of range, longer than the model
    /// allows) change nothing. A failure on the device may come here or from the next `sample` or `logits`; the host
    /// must then close the sequences of the batch.
    fn forward(&mut self, batch: &[Chunk<'_>]) -> Result<()>;

    /// Draws one token for each of the given rows of the last `forward`, in their order. A row may be drawn from more
    /// than once (forks of one prompt draw their first token from one row).
    ///
    /// The draw is a function of the logits, the mask, the parameters and [`SampleRow::uniform`]; the
    /// reference is [`crate::sampler`].
    ///
    /// # Errors
    /// `InvalidArgument` for a row that the last `forward` does not have, a mask of a wrong length, a mask
    /// that allows nothing, or a parameter that the backend does not know.
    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>>;

    /// The raw logits of a row of the last `forward`: `vocab_size` values. Waits for the device.
    ///
    /// # Errors
    /// `InvalidArgument` for a row that the last `forward` does not have.
    fn logits(&mut self, row: u32) -> Result<Vec<f32>>;
}

/// The description of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelInfo {
    /// The architecture as its `config.json` names it (`LlamaForCausalLM`).
    pub architecture: String,
    /// The width of a row of logits. It may be larger than the tokenizer's vocabulary.
    pub vocab_size: u32,
    /// The longest sequence in tokens: the model's limit or [`crate::ModelSpec::max_model_len`], whichever is less.
    pub max_model_len: u32,
    /// The type of the weights in memory (`bf16`).
    pub dtype: String,
    /// The device it runs on (`cuda:0`).
    pub device: String,
    /// Number of parameters; 0 if unknown.
    pub parameters: u64,
}

/// Memory of a model, in bytes and in KV blocks.
///
/// The host plans with blocks: a sequence of `n` tokens takes at most `n.div_ceil(block_tokens)` of them, less
/// what it shares with forks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes of the weights.
    pub weight_bytes: u64,
    /// Bytes of KV cache in use; 0 when no sequence holds a token.
    pub kv_used_bytes: u64,
    /// Bytes of KV cache that can be used.
    pub kv_capacity_bytes: u64,
    /// Tokens in a block, the unit of allocation of the cache. At least 1.
    pub block_tokens: u32,
    /// Blocks in use.
    pub used_blocks: u32,
    /// Blocks that can be used.
    pub total_blocks: u32,
    /// Sequences that are open.
    pub open_sequences: u32,
}

/// Tokens to append to a sequence, and the logits wanted of them.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The sequence to append to.
    pub sequence: SequenceId,
    /// The tokens; at least one.
    pub tokens: &'a [u32],
    /// The logits wanted.
    pub logits: LogitsWanted,
}

/// Which positions of a chunk need logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogitsWanted {
    /// None: more of the prompt follows.
    None,
    /// Those after the chunk's last token.
    Last,
    /// Those after each token of the chunk.
    All,
}

/// One token to draw.
#[derive(Clone, Copy, Debug)]
pub struct SampleRow<'a> {
    /// The row of logits, counted over the last `forward`.
    pub row: u32,
    /// The packed mask ([`crate::mask`]) of the tokens that may be drawn; empty for all.
    pub mask: &'a [u32],
    /// Tokens that may not be drawn in this step, in addition to the mask: the last tokens of bad words whose beginning
    /// is at the end of the output.
    pub banned: &'a [u32],
    /// How to draw.
    pub params: &'a SamplingParams,
    /// A uniform random number in [0, 1), drawn by the host: with the same logits it gives the same
    /// token on every backend.
    pub uniform: f32,
    /// The prompt's tokens, for the repetition penalty. Empty where `params` has no penalty.
    pub prompt: &'a [u32],
    /// The tokens drawn so far, for the penalties. Empty where `params` has no penalty.
    pub output: &'a [u32],
}

/// How to draw a token: vLLM's sampling parameters as far as they act on logits.
///
/// Order: `logit_bias`, repetition, frequency and presence penalties, mask and `banned`, temperature, `min_p`,
/// `top_k`, `top_p`, draw, as in vLLM; [`crate::sampler`] says it exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// 0 takes the most likely token (the lowest id among equals); else logits are divided by it.
    pub temperature: f32,
    /// Keep the k most likely tokens, and those as likely as the k-th; 0 keeps all.
    pub top_k: u32,
    /// Keep the smallest set of most likely tokens whose probabilities sum to at least this; 1 keeps all.
    pub top_p: f32,
    /// Drop tokens less likely than this share of the most likely one; 0 drops none.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens in prompt or output; 1 does nothing.
    pub repetition_penalty: f32,
    /// Subtracted from the logits of tokens in the output; 0 does nothing.
    pub presence_penalty: f32,
    /// Subtracted from the logits of tokens in the output, once for each occurrence; 0 does nothing.
    pub frequency_penalty: f32,
    /// Added to the logits of these tokens.
    pub logit_bias: Vec<(u32, f32)>,
    /// Report the log-probability of the drawn token and of this many of the most likely ones, by the raw
    /// logits (before penalties, mask and temperature), as vLLM does. `None` reports nothing;
    /// `Some(u32::MAX)` reports the whole vocabulary.
    pub logprobs: Option<u32>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            logprobs: None,
        }
    }
}

impl SamplingParams {
    /// Takes the most likely token.
    #[must_use]
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Whether drawing needs to know the tokens of prompt and output.
    #[must_use]
    pub fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.presence_penalty != 0.0 || self.frequency_penalty != 0.0
    }
}

/// A token that was drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampled {
    /// The token.
    pub token: u32,
    /// Its log-probability by the raw logits; 0 if not requested.
    pub logprob: f32,
    /// The most likely tokens and their log-probabilities, the most likely first; empty if not requested.
    pub top_logprobs: Vec<(u32, f32)>,
}
