//! From flags to a loaded model: resolve, find the backend, load, and read the tokenizer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use jig_guides::Compiler;
use jig_plugin_api::{Model, ModelSpec};

use super::schemas::SchemasArgs;
use super::services::PluginServices;
use super::template::TemplateArgs;
use crate::backend::{self, SearchPath};
use crate::engine::{Engine, EngineConfig, EngineHandle};
use crate::measure::Startup;
use crate::model::{self, ModelArgs};
use crate::prepare::Preparation;
use crate::prompt::ChatTemplate;
use crate::tokenizer::Tokenizer;

/// Where to look for backends.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backend")]
pub(super) struct BackendDirArgs {
    /// Directory with libjig_backend_NAME.so files, searched first; then backends/ beside the program, then the
    /// program's own directory
    #[arg(long, env = "JIG_BACKEND_DIR", value_name = "DIR")]
    pub(super) backend_dir: Option<PathBuf>,
}

impl BackendDirArgs {
    pub(super) fn search_path(&self) -> SearchPath {
        SearchPath::new(self.backend_dir.clone())
    }
}

/// Which model, and what it runs on.
#[derive(Args, Clone, Debug)]
pub(super) struct LoadArgs {
    /// A directory, a model of the Hugging Face hub as ORG/NAME, or `demo`, the small embedded one
    #[arg(long, env = "JIG_MODEL", default_value = "facebook/opt-125m", help_heading = "Model")]
    pub(super) model: String,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, env = "JIG_REVISION", help_heading = "Model")]
    revision: Option<String>,
    /// Tokenizer to use instead of the model's own: a directory or a model of the hub
    #[arg(long, env = "JIG_TOKENIZER", value_name = "DIR|ORG/NAME", help_heading = "Model")]
    tokenizer: Option<String>,
    /// The type of the weights: auto (as stored), f32, f16 or bf16; for ONNX models the variant, such as fp16, q4 or int8
    #[arg(long, env = "JIG_DTYPE", value_name = "TYPE", default_value = "auto", help_heading = "Model")]
    dtype: String,
    /// Maximum sequence length, prompt and output together, in tokens [default: the model's limit]
    #[arg(long, env = "JIG_MAX_MODEL_LEN", value_name = "TOKENS", help_heading = "Model",
          value_parser = clap::value_parser!(u32).range(1..))]
    max_model_len: Option<u32>,

    /// The backend: a name, or the path of a .so file; `jig backends` lists them
    #[arg(long, env = "JIG_BACKEND", value_name = "NAME|FILE", default_value = "cpu", help_heading = "Backend")]
    pub(super) backend: String,
    #[command(flatten)]
    pub(super) backend_dir: BackendDirArgs,
    /// An option of the backend; may be given more than once, in the variable separated by commas
    #[arg(long, env = "JIG_BACKEND_OPTION", value_name = "KEY=VALUE", value_delimiter = ',', help_heading = "Backend",
          value_parser = key_value)]
    backend_option: Vec<(String, String)>,
    /// The file libonnxruntime.so, for the backend `ort`: short for --backend-option library=FILE
    #[arg(long, env = "JIG_ORT_LIBRARY", value_name = "FILE", help_heading = "Backend")]
    ort_library: Option<String>,
    /// Fraction of the GPU's memory that may be used, for the backend `cuda`: short for
    /// --backend-option gpu-memory-utilization=SHARE
    #[arg(long, env = "JIG_GPU_MEMORY_UTILIZATION", value_name = "SHARE", help_heading = "Backend")]
    gpu_memory_utilization: Option<String>,
    /// The device: auto, or a name that `jig backends` shows
    #[arg(long, env = "JIG_DEVICE", default_value = "auto", help_heading = "Backend")]
    device: String,

    /// Maximum number of outputs generated concurrently
    #[arg(long, env = "JIG_MAX_NUM_SEQS", value_name = "N", default_value_t = 64, help_heading = "Scheduling",
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_num_seqs: u32,
    /// Maximum number of tokens in one step, over all requests
    #[arg(long, env = "JIG_MAX_NUM_BATCHED_TOKENS", value_name = "TOKENS", default_value_t = 2048,
          help_heading = "Scheduling", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    max_num_batched_tokens: u32,
    /// Maximum number of waiting requests; one more is answered with 429
    #[arg(long, env = "JIG_MAX_QUEUE", value_name = "N", default_value_t = 1024, help_heading = "Scheduling",
          value_parser = clap::value_parser!(u32).range(1..))]
    max_queue: u32,
    /// Maximum number of outputs of one request (`n`); one that asks for more is refused
    #[arg(long, env = "JIG_MAX_N", value_name = "N", default_value_t = 64, help_heading = "Scheduling",
          value_parser = clap::value_parser!(u32).range(1..=16384))]
    max_n: u32,
    /// Memory that answers may take until their clients have them, of all requests together, in MiB. If they take more, the request
    /// with the largest answer fails with 503
    #[arg(long, env = "JIG_MAX_ANSWER_MEMORY", value_name = "MIB", default_value_t = 1024, help_heading = "Scheduling",
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    max_answer_memory: u32,
    /// Seed for requests without one
    #[arg(long, env = "JIG_SEED", default_value_t = 0, help_heading = "Scheduling")]
    seed: u64,
    #[command(flatten)]
    schemas: SchemasArgs,
    #[command(flatten)]
    template: TemplateArgs,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form KEY=VALUE"))?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// A model that is ready to be asked.
pub(super) struct Loaded {
    pub(super) name: String,
    /// The name of the backend.
    pub(super) backend: String,
    /// Where its files are.
    pub(super) directory: PathBuf,
    pub(super) engine: EngineHandle,
    pub(super) preparation: Preparation,
    pub(super) compiler: Arc<Compiler>,
    /// `None` where the model has no chat template and none was named.
    pub(super) chat_template: Option<Arc<ChatTemplate>>,
}

impl LoadArgs {
    /// The memory that answers may take.
    pub(super) fn max_answer_bytes(&self) -> usize {
        (self.max_answer_memory as usize) << 20
    }

    /// Resolves, loads and starts what the flags name.
    /// `startup` is told how far that is.
    pub(super) fn load(&self, startup: &Startup) -> Result<Loaded, Box<dyn std::error::Error + Send + Sync>> {
        startup.begin("backend");
        let documents = self.schemas.documents()?;
        let backend = backend::load(&self.backend, &self.backend_dir.search_path())?;
        let described = backend.describe();
        let short = [("library", &self.ort_library), ("gpu-memory-utilization", &self.gpu_memory_utilization)];
        let short = short.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        let options: Vec<_> = self.backend_option.iter().cloned().chain(short).collect();
        // Without options, that is: one of them may be what it lacks (the path of a library).
        if let Some(problem) = described.problem.filter(|_| options.is_empty()) {
            return Err(format!("the backend `{}` can't run here: {problem}", described.name).into());
        }
        startup.begin("files");
        let args =
            ModelArgs { model: self.model.clone(), revision: self.revision.clone(), tokenizer: self.tokenizer.clone() };
        let resolved = model::resolve_for(&args, &|names: &[String]| {
            backend.model_files(names, &self.dtype).map_err(|error| error.message)
        })?;
        startup.begin("tokenizer");
        // Before the weights: it is quick to read, and quick to be wrong.
        let tokenizer = Tokenizer::load_for_model(&resolved.tokenizer_directory, &resolved.directory)?;
        let chat_template = self.template.load(&resolved, &tokenizer)?;
        startup.begin("weights");
        let start = Instant::now();
        let spec = ModelSpec {
            device: self.device.clone(),
            dtype: self.dtype.clone(),
            max_model_len: self.max_model_len,
            max_sequences: self.max_num_seqs,
            max_batch_tokens: self.max_num_batched_tokens,
            options,
            ..ModelSpec::new(&resolved.directory)
        };
        let model = backend.load(&spec, Arc::new(PluginServices::new(startup.clone())))?;
        log_model(&resolved.name, &described.name, &described.version, &*model, start);
        startup.begin("vocabulary");
        let vocabulary = tokenizer.vocabulary(model.info().vocab_size as usize)?;
        let config = EngineConfig {
            max_num_seqs: self.max_num_seqs as usize,
            max_num_batched_tokens: self.max_num_batched_tokens as usize,
            max_queue: self.max_queue as usize,
            max_n: self.max_n,
            max_answer_bytes: self.max_answer_bytes(),
            max_model_len: self.max_model_len,
            seed: self.seed,
        };
        let engine = Engine::start(model, tokenizer.clone(), config);
        let compiler = Compiler::new(Arc::new(vocabulary), self.schemas.limits()).with_documents(documents);
        let compiler = Arc::new(compiler);
        let max_model_len = engine.info().max_model_len;
        let preparation = Preparation::new(tokenizer, compiler.clone(), max_model_len, self.schemas.compile_timeout());
        let backend = described.name;
        Ok(Loaded {
            name: resolved.name,
            backend,
            directory: resolved.directory,
            engine,
            preparation,
            compiler,
            chat_template,
        })
    }
}

fn log_model(name: &str, backend: &str, version: &str, model: &dyn Model, start: Instant) {
    let (info, memory) = (model.info(), model.memory());
    let mega = |bytes: u64| bytes as f64 / 1e6;
    tracing::info!(
        "{name}: {} ({:.1} M parameters, {}) on {} by the backend {backend} {version}, loaded in {:.2} s",
        info.architecture,
        info.parameters as f64 / 1e6,
        info.dtype,
        info.device,
        start.elapsed().as_secs_f64(),
    );
    tracing::info!(
        "sequences of up to {} tokens; weights take {:.0} MB, the KV cache up to {:.0} MB ({} tokens)",
        info.max_model_len,
        mega(memory.weight_bytes),
        mega(memory.kv_capacity_bytes),
        u64::from(memory.total_blocks) * u64::from(memory.block_tokens),
    );
}
