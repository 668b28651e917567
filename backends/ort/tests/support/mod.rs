//! The golden models of the transformer as ONNX, in all layouts, made once for each test program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, LogitsWanted, Model, ModelSpec, Result, SequenceId};
use jig_transformer::golden::Golden;
use tempfile::TempDir;

/// A golden model in one layout.
pub(crate) struct Case {
    /// The golden model and how it is written.
    pub(crate) name: String,
    /// The model's directory.
    pub(crate) directory: PathBuf,
    /// Whether its numbers are those of the golden values.
    pub(crate) exact: bool,
    pub(crate) golden: Golden,
}

/// Golden model, name of the layout, arguments of `make.py`.
const CASES: &[(&str, &str, &[&str])] = &[
    ("opt", "plain", &[]),
    ("opt", "merged", &["--layout", "merged"]),
    ("opt-post-norm", "plain", &[]),
    ("opt-gelu-no-bias", "external", &["--external"]),
    ("llama2", "plain", &[]),
    ("llama2", "genai", &["--layout", "genai"]),
    ("llama2", "implicit", &["--implicit-positions"]),
    ("llama2", "last", &["--last-logits"]),
    ("llama3", "merged", &["--layout", "merged", "--external"]),
    ("llama3", "genai", &["--layout", "genai", "--external"]),
    ("llama-yarn", "plain", &[]),
    ("mistral", "plain", &[]),
    ("mistral", "genai", &["--layout", "genai"]),
    ("qwen2", "genai", &["--layout", "genai"]),
    ("qwen2-window", "plain", &[]),
    ("qwen3", "plain", &[]),
    ("llama2", "fp16", &["--dtype", "fp16"]),
    ("llama3", "genai-fp16", &["--layout", "genai", "--dtype", "fp16"]),
    ("llama2", "int8", &["--dtype", "int8"]),
    ("opt", "int8", &["--dtype", "int8"]),
    ("llama3", "genai-q4", &["--layout", "genai", "--dtype", "q4"]),
];

/// All models; `None`, with a line that says why, where this machine can't make or run them.
pub(crate) fn cases() -> Option<&'static [Case]> {
    static MADE: OnceLock<std::result::Result<(TempDir, Vec<Case>), String>> = OnceLock::new();
    match MADE.get_or_init(make) {
        Ok((_, cases)) => Some(cases),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

/// One of them.
pub(crate) fn case(name: &str) -> Option<&'static Case> {
    Some(cases()?.iter().find(|case| case.name == name).expect("a model of this name"))
}

fn make() -> std::result::Result<(TempDir, Vec<Case>), String> {
    if let Some(problem) = jig_backend_ort::backend().describe().problem {
        return Err(format!("the tests of the ONNX Runtime backend need ONNX Runtime: {problem}"));
    }
    let has = Command::new("python3").args(["-c", "import onnx, ml_dtypes, safetensors"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return Err("needs python3 with the packages of backends/ort/models/requirements.txt".to_owned());
    }
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut list = Vec::new();
    let mut cases = Vec::new();
    for (model, layout, arguments) in CASES {
        let golden = Golden::named(model);
        let name = format!("{model}-{layout}");
        let directory = scratch.path().join(&name);
        let paths = [&golden.directory, &directory].map(|path| path.to_str().expect("UTF-8").to_owned());
        list.push(paths.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())).collect::<Vec<_>>());
        cases.push(Case { name, directory, exact: !arguments.contains(&"--dtype"), golden });
    }
    let program = crate_directory.join("models/make.py");
    let list = serde_json::to_string(&list).expect("JSON");
    let output = Command::new("python3").arg(program).args(["--many", &list]).output().expect("python3 starts");
    assert!(output.status.success(), "make.py: {}", String::from_utf8_lossy(&output.stderr));
    Ok((scratch, cases))
}

impl Case {
    pub(crate) fn spec(&self) -> ModelSpec {
        let mut spec = ModelSpec::new(&self.directory);
        (spec.max_sequences, spec.kv_cache_bytes) = (16, Some(4 << 20));
        spec.options = vec![("threads".to_owned(), "2".to_owned())];
        spec
    }

    pub(crate) fn load(&self) -> Box<dyn Model> {
        load(&self.spec()).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

pub(crate) fn load(spec: &ModelSpec) -> Result<Box<dyn Model>> {
    jig_backend_ort::backend().load(spec, Arc::new(Silent))
}

pub(crate) fn chunk(sequence: SequenceId, tokens: &[u32], logits: LogitsWanted) -> Chunk<'_> {
    Chunk { sequence, tokens, logits }
}

/// Appends tokens and gives the logits after each of them.
pub(crate) fn all_logits(model: &mut dyn Model, sequence: SequenceId, tokens: &[u32]) -> Vec<Vec<f32>> {
    model.forward(&[chunk(sequence, tokens, LogitsWanted::All)]).expect("a step");
    (0..tokens.len()).map(|row| model.logits(row as u32).expect("a row")).collect()
}
