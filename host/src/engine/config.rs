//! The engine's configuration and its statistics.

use std::time::Duration;

use jig_plugin_api::MemoryUse;

/// How the engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Maximum number of outputs generated concurrently; at least 1.
    pub max_num_seqs: usize,
    /// Maximum number of tokens in one step, prefill and decode together; at least 1. It also bounds the number of
    /// concurrent outputs.
    pub max_num_batched_tokens: usize,
    /// Maximum number of requests waiting to start; one more is refused with [`super::SubmitError::Full`].
    pub max_queue: usize,
    /// The most outputs of one request; one that asks for more is refused.
    pub max_n: u32,
    /// The most bytes of answers in memory, of all requests together. Where they become more, the request with the most fails.
    pub max_answer_bytes: usize,
    /// The longest sequence in tokens, prompt and output together; the model's own limit where it is less. `None`: that one.
    pub max_model_len: Option<u32>,
    /// Seed of the generator that gives requests without a seed one.
    pub seed: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_num_seqs: 64,
            max_num_batched_tokens: 2048,
            max_queue: 1024,
            max_n: 64,
            max_answer_bytes: 1 << 30,
            max_model_len: None,
            seed: 0,
        }
    }
}

/// A snapshot of the engine after its last step. Totals count from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Requests of which an output is worked on.
    pub requests_running: usize,
    /// Requests that were not started yet, or that have all lost their memory to others.
    pub requests_waiting: usize,
    /// Outputs that are worked on.
    pub outputs_running: usize,
    /// Outputs that lost their memory, or never had any, and wait for it.
    pub outputs_suspended: usize,
    /// Bytes of answers in memory.
    pub answer_bytes: usize,
    /// Memory of the model.
    pub memory: MemoryUse,
    /// Steps made.
    pub steps: u64,
    /// Time of the steps, those apart for a suspect included.
    pub step_time: Duration,
    /// Time of that in which the engine chose masks, while the device may have been at work.
    pub mask_time: Duration,
    /// Tokens of the prompts of started requests.
    pub prompt_tokens: u64,
    /// Tokens drawn.
    pub generation_tokens: u64,
    /// Times an output lost its memory to another one.
    pub preemptions: u64,
    /// Requests that ended with all their outputs.
    pub requests_finished: u64,
    /// Requests that failed.
    pub requests_failed: u64,
    /// Requests whose client went away.
    pub requests_cancelled: u64,
}
