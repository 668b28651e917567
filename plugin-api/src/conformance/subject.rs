//! The model under test, with the steps that cases have in common.

use std::fmt::Display;
use std::sync::Arc;

use crate::host::Silent;
use crate::{
    Backend, Chunk, Error, ErrorCode, LogitsWanted, MemoryUse, Model, ModelInfo, ModelSpec, Result, SampleRow, Sampled,
    SamplingParams, SequenceId,
};

/// Why a case ended early.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    Failed(String),
    Skipped(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("unexpected error ({:?}): {error}", error.code))
    }
}

/// The end of a case.
pub(super) type Verdict<T = ()> = std::result::Result<T, Stop>;

/// Fails with a reason.
pub(super) fn fail<T>(reason: impl Into<String>) -> Verdict<T> {
    Err(Stop::Failed(reason.into()))
}

/// Fails if something does not hold.
pub(super) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { fail(reason()) }
}

/// Fails unless a call was refused with one of the given codes and a message.
pub(super) fn refused<T>(what: impl Display, result: Result<T>, codes: &[ErrorCode]) -> Verdict<String> {
    match result {
        Ok(_) => fail(format!("{what} was accepted")),
        Err(error) if !codes.contains(&error.code) => {
            fail(format!("{what} was refused as {:?} instead of {codes:?}: {error}", error.code))
        }
        Err(error) if error.message.trim().is_empty() => fail(format!("{what} was refused without a message")),
        Err(error) => Ok(error.message),
    }
}

/// A loaded model and the sequences that the running case has opened.
pub(super) struct Subject {
    pub(super) model: Box<dyn Model>,
    pub(super) info: ModelInfo,
    pub(super) spec: ModelSpec,
    pub(super) random: Random,
    open: Vec<SequenceId>,
}

impl Subject {
    pub(super) fn load(backend: &dyn Backend, spec: &ModelSpec) -> Verdict<Self> {
        let model = backend.load(spec, Arc::new(Silent))?;
        let info = model.info();
        ensure(info.vocab_size > 0 && info.max_model_len > 0, || format!("an empty model: {info:?}"))?;
        Ok(Self { model, info, spec: spec.clone(), random: Random(1), open: Vec::new() })
    }

    /// Opens an empty sequence.
    pub(super) fn open(&mut self) -> Verdict<SequenceId> {
        let sequence = self.model.open()?;
        self.open.push(sequence);
        Ok(sequence)
    }

    pub(super) fn fork(&mut self, parent: SequenceId, length: u32) -> Verdict<SequenceId> {
        let sequence = self.model.fork(parent, length)?;
        self.open.push(sequence);
        Ok(sequence)
    }

    pub(super) fn close(&mut self, sequence: SequenceId) -> Verdict {
        self.open.retain(|&open| open != sequence);
        Ok(self.model.close(sequence)?)
    }

    /// Closes what the case has left open.
    pub(super) fn close_all(&mut self) -> Verdict {
        for sequence in std::mem::take(&mut self.open) {
            self.model.close(sequence)?;
        }
        Ok(())
    }

    pub(super) fn memory(&self) -> MemoryUse {
        self.model.memory()
    }

    /// Random tokens. At least one, and as many as wanted where the model and a batch have room for three times that.
    pub(super) fn tokens(&mut self, wanted: usize) -> Vec<u32> {
        let room = self.info.max_model_len.min(self.spec.max_batch_tokens) as usize / 3;
        (0..wanted.min(room).max(1)).map(|_| self.random.below(self.info.vocab_size)).collect()
    }

    /// Opens a sequence with these tokens. Row 0 is that of the last one.
    pub(super) fn prefill(&mut self, tokens: &[u32]) -> Verdict<SequenceId> {
        let sequence = self.open()?;
        self.append(sequence, tokens)?;
        Ok(sequence)
    }

    /// Appends tokens and gives the logits after the last.
    pub(super) fn append(&mut self, sequence: SequenceId, tokens: &[u32]) -> Verdict<Vec<f32>> {
        self.model.forward(&[Chunk { sequence, tokens, logits: LogitsWanted::Last }])?;
        self.logits(0)
    }

    /// The logits of a row, checked for their number and their being numbers.
    pub(super) fn logits(&mut self, row: u32) -> Verdict<Vec<f32>> {
        let logits = self.model.logits(row)?;
        let (found, expected) = (logits.len(), self.info.vocab_size);
        ensure(found == expected as usize, || format!("row {row} has {found} logits instead of {expected}"))?;
        ensure(!logits.iter().any(|logit| logit.is_nan()), || format!("row {row} has a NaN among its logits"))?;
        Ok(logits)
    }

    /// The logits after these tokens, computed by themselves.
    pub(super) fn alone(&mut self, tokens: &[u32]) -> Verdict<Vec<f32>> {
        let sequence = self.open()?;
        let logits = self.append(sequence, tokens)?;
        self.close(sequence)?;
        Ok(logits)
    }

    /// Fails unless two rows of logits are equal but for rounding.
    pub(super) fn same(&self, what: impl Display, found: &[f32], expected: &[f32]) -> Verdict {
        let finite = || expected.iter().filter(|logit| logit.is_finite());
        let scale = finite().fold(1.0_f32, |scale, logit| scale.max(logit.abs()));
        let tolerance = scale * if self.info.dtype == "f32" { 1e-3 } else { 1.0 / 30.0 };
        for (token, (found, expected)) in found.iter().zip(expected).enumerate() {
            let equal = found == expected || (found - expected).abs() <= tolerance;
            ensure(equal, || {
                format!("{what}: logit {token} is {found} instead of {expected} (tolerance {tolerance})")
            })?;
        }
        Ok(())
    }

    /// Draws one token.
    pub(super) fn draw(&mut self, row: &SampleRow<'_>) -> Verdict<Sampled> {
        let mut sampled = self.model.sample(&[*row])?;
        match sampled.pop() {
            Some(one) if sampled.is_empty() => Ok(one),
            _ => fail("sample does not give one token for one row"),
        }
    }
}

/// A row to sample with nothing but parameters.
pub(super) fn plain(row: u32, params: &SamplingParams) -> SampleRow<'_> {
    SampleRow { row, mask: &[], banned: &[], params, uniform: 0.5, prompt: &[], output: &[] }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same cases on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number under `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        (self.next() % u64::from(limit.max(1))) as u32
    }

    /// A number in [0, 1).
    pub(super) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// A number in the range.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }
}
