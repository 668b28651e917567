//! How much a request may ask for, and what it gets where it does not say.

/// The most outputs of one request.
pub const MAX_N: u32 = 16_384;

/// The most log-probabilities that may be asked for with each token.
pub const MAX_LOGPROBS: u32 = 20;

/// The most stop strings, and the most bad words.
pub const MAX_STRINGS: usize = 1_000;

/// The most bytes of all stop strings of a request together.
pub const MAX_STOP_BYTES: usize = 64 << 10;

/// The most log-probabilities of a request: those of each token of each output, where it names the number of tokens.
pub const MAX_LOGPROB_ENTRIES: u64 = 1 << 20;

/// The most tokens of an output without a guide where the request names no limit.
pub const DEFAULT_MAX_TOKENS: u32 = 16;

/// The lowest temperature above zero: a lower one would overflow the logits, so it is raised to this.
pub const MIN_TEMPERATURE: f32 = 0.01;
