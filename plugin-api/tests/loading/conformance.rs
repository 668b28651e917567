//! The kit on the example plugin, as a real library, and on the same plugin with faults put in.

use std::sync::Arc;

use jig_plugin_api::conformance::{self, Outcome};
use jig_plugin_api::load::{self, LoadedBackend};
use jig_plugin_api::{
    Backend, BackendInfo, Chunk, HostServices, LogitsWanted, MemoryUse, Model, ModelInfo, ModelSpec, Result, SampleRow,
    Sampled, SamplingParams, SequenceId,
};

use crate::build::{Variant, model_directory};

fn echo() -> LoadedBackend {
    load::backend(&Variant::new("now", &[]).plugin("now", &[])).unwrap()
}

/// The names of the cases that failed, with their reasons; and how many passed.
fn failures(backend: &dyn Backend, spec: &ModelSpec) -> (Vec<(&'static str, String)>, usize) {
    let mut failures = Vec::new();
    let mut names = Vec::new();
    let summary = conformance::run(backend, spec, &mut |case| {
        assert!(!names.contains(&case.name), "two cases are called {}", case.name);
        names.push(case.name);
        match &case.outcome {
            Outcome::Passed => {}
            Outcome::Failed(reason) => failures.push((case.name, reason.clone())),
            Outcome::Skipped(reason) => println!("{} skipped: {reason}", case.name),
        }
    });
    assert_eq!(summary.failed, failures.len());
    assert_eq!(summary.passed + summary.failed + summary.skipped, names.len());
    (failures, summary.passed)
}

#[test]
fn the_example_plugin_passes_every_case() {
    let spec = ModelSpec::new(model_directory());
    let (failures, passed) = failures(&*echo(), &spec);
    assert_eq!(failures, []);
    assert_eq!(passed, 29);
}

#[test]
fn small_limits_and_odd_vocabularies_pass_too() {
    for vocab_size in ["1", "31", "33", "1000"] {
        let mut spec = ModelSpec::new(model_directory());
        spec.max_model_len = Some(9);
        spec.max_batch_tokens = 8;
        spec.options.push(("vocab_size".to_owned(), vocab_size.to_owned()));
        assert_eq!(failures(&*echo(), &spec).0, [], "with {vocab_size} tokens");
    }
}

/// What can be wrong with a backend, and the case that has to notice.
const FAULTS: &[(Fault, &str)] = &[
    (Fault::AcceptsAnyOption, "load.unknown-option"),
    (Fault::HidesDevices, "describe"),
    (Fault::KeepsClosed, "sequence.closed"),
    (Fault::KeepsClosed, "memory.returns"),
    (Fault::ForksAll, "sequence.fork"),
    (Fault::ForksParent, "sequence.fork-independent"),
    (Fault::ForgetsTruncation, "sequence.truncate"),
    (Fault::AppendsBeforeChecking, "forward.refusals"),
    (Fault::AllIsLast, "forward.rows"),
    (Fault::FirstRowOnly, "forward.batch"),
    (Fault::IgnoresMasks, "sample.masks"),
    (Fault::IgnoresMasks, "sample.mask-refusals"),
    (Fault::IgnoresUniform, "sample.reference"),
    (Fault::IgnoresPenalties, "sample.penalties"),
    (Fault::IgnoresFilters, "sample.reference"),
    (Fault::ForgetsLogprobs, "sample.logprobs"),
    (Fault::DropsRows, "sample.uniform"),
    (Fault::ReportsNoMemory, "memory.use"),
    (Fault::Panics, "sample.greedy"),
];

#[test]
fn each_fault_is_noticed_by_the_case_that_promises_its_absence() {
    let echo = echo();
    for &(fault, case) in FAULTS {
        let backend = Faulty { inner: echo.backend(), fault };
        let (failures, _) = failures(&backend, &ModelSpec::new(model_directory()));
        assert!(failures.iter().any(|(name, _)| *name == case), "{fault:?} passes {case}: {failures:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    AcceptsAnyOption,
    HidesDevices,
    KeepsClosed,
    ForksAll,
    ForksParent,
    ForgetsTruncation,
    AppendsBeforeChecking,
    AllIsLast,
    FirstRowOnly,
    IgnoresMasks,
    IgnoresUniform,
    IgnoresPenalties,
    IgnoresFilters,
    ForgetsLogprobs,
    DropsRows,
    ReportsNoMemory,
    Panics,
}

/// A backend with a fault, and a model of it.
struct Faulty<T> {
    inner: T,
    fault: Fault,
}

impl Backend for Faulty<Arc<dyn Backend>> {
    fn describe(&self) -> BackendInfo {
        let mut info = self.inner.describe();
        if self.fault == Fault::HidesDevices {
            info.devices.clear();
        }
        info
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        let mut spec = spec.clone();
        if self.fault == Fault::AcceptsAnyOption {
            spec.options.clear();
        }
        Ok(Box::new(Faulty { inner: self.inner.load(&spec, host)?, fault: self.fault }))
    }
}

impl Model for Faulty<Box<dyn Model>> {
    fn info(&self) -> ModelInfo {
        self.inner.info()
    }

    fn open(&mut self) -> Result<SequenceId> {
        self.inner.open()
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        match self.fault {
            Fault::ForksAll => {
                let whole = (0..512).rev().find_map(|length| self.inner.fork(parent, length).ok());
                whole.map_or_else(|| self.inner.fork(parent, length), Ok)
            }
            Fault::ForksParent => Ok(parent),
            _ => self.inner.fork(parent, length),
        }
    }

    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()> {
        if self.fault == Fault::ForgetsTruncation { Ok(()) } else { self.inner.truncate(sequence, length) }
    }

    fn close(&mut self, sequence: SequenceId) -> Result<()> {
        if self.fault == Fault::KeepsClosed { Ok(()) } else { self.inner.close(sequence) }
    }

    fn memory(&self) -> MemoryUse {
        if self.fault == Fault::ReportsNoMemory { MemoryUse::default() } else { self.inner.memory() }
    }

    fn forward(&mut self, batch: &[Chunk<'_>]) -> Result<()> {
        match self.fault {
            Fault::AppendsBeforeChecking => {
                for chunk in batch {
                    self.inner.forward(&[*chunk])?;
                }
                Ok(())
            }
            Fault::AllIsLast => {
                let last = |chunk: &Chunk<'_>| {
                    if chunk.logits == LogitsWanted::All { LogitsWanted::Last } else { chunk.logits }
                };
                let batch: Vec<Chunk<'_>> = batch.iter().map(|chunk| Chunk { logits: last(chunk), ..*chunk }).collect();
                self.inner.forward(&batch)
            }
            _ => self.inner.forward(batch),
        }
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        let mut changed = Vec::new();
        for row in rows {
            let params = row.params.clone();
            changed.push(match self.fault {
                Fault::IgnoresPenalties => {
                    SamplingParams { repetition_penalty: 1.0, presence_penalty: 0.0, frequency_penalty: 0.0, ..params }
                }
                Fault::IgnoresFilters => SamplingParams { top_k: 0, top_p: 1.0, min_p: 0.0, ..params },
                _ => params,
            });
        }
        let mut asked = Vec::new();
        for (row, params) in rows.iter().zip(&changed) {
            asked.push(match self.fault {
                Fault::IgnoresMasks => SampleRow { mask: &[], params, ..*row },
                Fault::IgnoresUniform => SampleRow { uniform: 0.25, params, ..*row },
                _ => SampleRow { params, ..*row },
            });
        }
        let mut sampled = self.inner.sample(&asked)?;
        match self.fault {
            Fault::ForgetsLogprobs => sampled.iter_mut().for_each(|sampled| sampled.top_logprobs.clear()),
            Fault::DropsRows if sampled.len() > 1 => sampled.truncate(1),
            Fault::Panics => panic!("a fault"),
            _ => {}
        }
        Ok(sampled)
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        self.inner.logits(if self.fault == Fault::FirstRowOnly { 0 } else { row })
    }
}
