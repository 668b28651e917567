//! The adapters of both sides, wired together without a library in between.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use abi_stable::std_types::RSlice;

use super::backend::ExportedBackend;
use super::extension::refuse_unknown;
use super::*;
use crate::{
    Backend, BackendInfo, Chunk, DeviceInfo, Error, ErrorCode, HostServices, LogLevel, LogitsWanted, MemoryUse, Model,
    ModelInfo, ModelSpec, OptionInfo, Result, SampleRow, Sampled, SamplingParams, SequenceId,
};

fn info() -> BackendInfo {
    BackendInfo {
        name: "recorder".to_owned(),
        version: "3.2.1".to_owned(),
        description: "remembers what it was asked".to_owned(),
        devices: vec![DeviceInfo { id: "cpu".to_owned(), name: "a processor".to_owned(), memory_bytes: 7 }],
        problem: Some("none, really".to_owned()),
        options: vec![OptionInfo { key: "k".to_owned(), default: "d".to_owned(), help: "h".to_owned() }],
    }
}

fn model_info() -> ModelInfo {
    ModelInfo {
        architecture: "Recorder".to_owned(),
        vocab_size: 40,
        max_model_len: 41,
        dtype: "f32".to_owned(),
        device: "cpu".to_owned(),
        parameters: 42,
    }
}

fn spec() -> ModelSpec {
    ModelSpec {
        directory: PathBuf::from("/some/where"),
        device: "cpu".to_owned(),
        dtype: "f16".to_owned(),
        max_model_len: Some(5),
        max_sequences: 6,
        max_batch_tokens: 7,
        kv_cache_bytes: Some(1 << 40),
        options: vec![("key".to_owned(), "value".to_owned())],
    }
}

fn memory() -> MemoryUse {
    MemoryUse {
        weight_bytes: 1,
        kv_used_bytes: 2,
        kv_capacity_bytes: 3,
        block_tokens: 4,
        used_blocks: 5,
        total_blocks: 6,
        open_sequences: 7,
    }
}

fn params() -> SamplingParams {
    SamplingParams {
        temperature: 0.25,
        top_k: 3,
        top_p: 0.5,
        min_p: 0.125,
        repetition_penalty: 1.5,
        presence_penalty: -1.0,
        frequency_penalty: 2.0,
        logit_bias: vec![(4, -7.0), (5, 8.0)],
        logprobs: Some(9),
    }
}

fn sampled() -> Sampled {
    Sampled { token: 11, logprob: -0.5, top_logprobs: vec![(11, -0.5), (12, -0.75)] }
}

/// Checks that it is asked what the tests ask, and panics on request.
struct Recorder;

impl Backend for Recorder {
    fn describe(&self) -> BackendInfo {
        info()
    }

    fn load(&self, asked: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        if asked.directory.as_os_str() == "panic" {
            panic!("no model for {}", asked.device);
        }
        assert_eq!(*asked, spec());
        host.log(LogLevel::Warn, "loading");
        host.progress("weights", 3, 4);
        Ok(Box::new(Recorder))
    }
}

impl Model for Recorder {
    fn info(&self) -> ModelInfo {
        model_info()
    }

    fn open(&mut self) -> Result<SequenceId> {
        Ok(SequenceId(u64::MAX))
    }

    fn fork(&mut self, parent: SequenceId, length: u32) -> Result<SequenceId> {
        Ok(SequenceId(parent.0 + u64::from(length)))
    }

    fn truncate(&mut self, sequence: SequenceId, length: u32) -> Result<()> {
        Err(Error::out_of_memory(format!("{} {length}", sequence.0)))
    }

    fn close(&mut self, _sequence: SequenceId) -> Result<()> {
        panic!("close")
    }

    fn memory(&self) -> MemoryUse {
        memory()
    }

    fn forward(&mut self, batch: &[Chunk<'_>]) -> Result<()> {
        assert_eq!(batch.len(), 3);
        assert_eq!((batch[0].sequence, batch[0].tokens), (SequenceId(1), &[1, 2, 3][..]));
        assert_eq!(batch[0].logits, LogitsWanted::None);
        assert_eq!(batch[1].logits, LogitsWanted::Last);
        assert_eq!((batch[2].logits, batch[2].tokens), (LogitsWanted::All, &[][..]));
        Ok(())
    }

    fn sample(&mut self, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>> {
        if rows.is_empty() {
            return Ok(vec![sampled()]);
        }
        assert_eq!(*rows[0].params, SamplingParams { logit_bias: vec![(1, 1.0)], ..SamplingParams::greedy() });
        assert_eq!(*rows[1].params, params());
        assert_eq!((rows[1].row, rows[1].uniform), (8, 0.75));
        assert_eq!((rows[1].mask, rows[1].banned), (&[1, 2][..], &[3][..]));
        assert_eq!((rows[1].prompt, rows[1].output), (&[4, 5][..], &[6, 7, 8][..]));
        Ok(vec![Sampled::default(), sampled()])
    }

    fn logits(&mut self, row: u32) -> Result<Vec<f32>> {
        Ok(vec![row as f32, -1.0])
    }
}

#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl HostServices for Listener {
    fn log(&self, level: LogLevel, message: &str) {
        self.0.lock().unwrap().push(format!("{level:?} {message}"));
        panic!("the host's own fault");
    }

    fn progress(&self, stage: &str, done: u64, total: u64) {
        self.0.lock().unwrap().push(format!("{stage} {done}/{total}"));
    }
}

fn loaded() -> LoadedBackendObject {
    LoadedBackendObject(ExportedBackend::object(Box::new(Recorder)))
}

fn model() -> Box<dyn Model> {
    loaded().load(&spec(), Arc::new(crate::host::Silent)).unwrap()
}

#[test]
fn all_that_a_backend_says_and_is_asked_crosses_unchanged() {
    assert_eq!(loaded().describe(), info());
    let mut model = model();
    assert_eq!(model.info(), model_info());
    assert_eq!(model.memory(), memory());
    assert_eq!(model.open(), Ok(SequenceId(u64::MAX)));
    assert_eq!(model.fork(SequenceId(40), 2), Ok(SequenceId(42)));
    assert_eq!(model.truncate(SequenceId(3), 4), Err(Error::out_of_memory("3 4")));
    assert_eq!(model.logits(5), Ok(vec![5.0, -1.0]));

    let chunk = |sequence, tokens, logits| Chunk { sequence: SequenceId(sequence), tokens, logits };
    let batch = [
        chunk(1, &[1, 2, 3][..], LogitsWanted::None),
        chunk(2, &[4][..], LogitsWanted::Last),
        chunk(3, &[][..], LogitsWanted::All),
    ];
    assert_eq!(model.forward(&batch), Ok(()));

    let greedy = SamplingParams { logit_bias: vec![(1, 1.0)], ..SamplingParams::greedy() };
    let params = params();
    let plain = SampleRow { row: 0, mask: &[], banned: &[], params: &greedy, uniform: 0.0, prompt: &[], output: &[] };
    let full = SampleRow {
        row: 8,
        mask: &[1, 2],
        banned: &[3],
        params: &params,
        uniform: 0.75,
        prompt: &[4, 5],
        output: &[6, 7, 8],
    };
    assert_eq!(model.sample(&[plain, full]), Ok(vec![Sampled::default(), sampled()]));
}

#[test]
fn an_answer_with_another_number_of_tokens_is_an_error() {
    assert_eq!(model().sample(&[]).unwrap_err().message, "the plugin sampled 1 tokens for 0 rows");
}

#[test]
fn a_panic_in_a_plugin_is_an_error_of_that_call() {
    let mut model = model();
    let error = model.close(SequenceId(1)).unwrap_err();
    assert_eq!(error, Error::new(ErrorCode::Panic, "the plugin panicked in `close`: close"));
    assert_eq!(model.forward(&[]).unwrap_err().code, ErrorCode::Panic);
    assert!(model.open().is_ok());

    let spec = ModelSpec::new("panic");
    let error = loaded().load(&spec, Arc::new(crate::host::Silent)).err().unwrap();
    assert_eq!(error.message, "the plugin panicked in `load`: no model for auto");
}

#[test]
fn the_host_hears_the_plugin_and_its_panics_stay_with_it() {
    let listener = Arc::new(Listener::default());
    loaded().load(&spec(), Arc::<Listener>::clone(&listener)).unwrap();
    assert_eq!(*listener.0.lock().unwrap(), ["Warn loading", "weights 3/4"]);
}

#[test]
fn a_wish_of_a_newer_host_is_refused_by_name() {
    let unknown = Extension { name: "mirostat".into(), number: 2.0, bytes: RSlice::EMPTY };
    let error = refuse_unknown("sampling parameter", &[unknown], &[]).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.message.starts_with("sampling parameter `mirostat` is not known to this plugin"), "{error}");
    assert_eq!(refuse_unknown("sampling parameter", &[unknown], &["mirostat"]), Ok(()));
    assert_eq!(refuse_unknown("sampling parameter", &[], &[]), Ok(()));
}

#[test]
fn versions_are_read_from_the_front() {
    assert_eq!(AbiVersion::parse("1.20.3"), Some(AbiVersion { major: 1, minor: 20 }));
    assert_eq!(AbiVersion::parse("1.x"), None);
    assert_eq!(AbiVersion::parse(""), None);
    assert_eq!(AbiVersion::current().to_string(), format!("{}", AbiVersion::parse(env!("CARGO_PKG_VERSION")).unwrap()));
}
