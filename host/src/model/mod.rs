//! From `--model` to a local directory: a directory, the hub and its cache, the embedded demo.
//!
//! ```text
//!   --model VALUE ── source ──┬── directory ───────────────────────────┐
//!                             ├── hub id ── hub (cache, or download) ──┼── files (all there?) ── ResolvedModel
//!                             └── demo ──── demo (extracted) ──────────┘
//! ```
//!
//! What comes out is always a directory with `config.json` and the weights (safetensors, unless the backend chooses other files),
//! and a directory with `tokenizer.json`. Nothing here knows architectures: whether a `config.json` can be run is for the backend to say.
//!
//! | module | what it holds |
//! |---|---|
//! | `source` | what a value of `--model` or `--tokenizer` means: directory, hub id, `demo` |
//! | `hub` | the hub's protocol, and the cache that is shared with Python's huggingface_hub |
//! | `files` | which files a model needs, and the check that a directory has them |
//! | `demo` | the model that is embedded in the program |
//! | `legacy` | `tokenizer.json` from the `vocab.json` and `merges.txt` of older models |
//! | `extracted` | directories of Jig's own cache, named by their content |
//! | `environment` | the environment variables, so that tests can set them |
//! | `error` | what can go wrong, and what to do about it |
//!
//! Everything here blocks on files and sockets: call it before the server starts, or from a blocking thread.

mod demo;
mod environment;
mod error;
mod extracted;
mod files;
mod hub;
mod legacy;
mod source;

use std::path::PathBuf;

use environment::Environment;
pub use error::ModelError;
use extracted::Extractor;
pub use files::Choose;
use files::Need;
use source::Source;

/// The model that is served where none is named.
pub const DEFAULT_MODEL: &str = "facebook/opt-125m";

/// What the command line says of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelArgs {
    /// `--model`: a directory, a hub id or `demo`.
    pub model: String,
    /// `--revision`: a branch, a tag or a commit of the hub; `None` for `main`. An error for anything but a hub id.
    pub revision: Option<String>,
    /// `--tokenizer`: a directory, a hub id or `demo`; `None` for the model's own tokenizer.
    pub tokenizer: Option<String>,
}

impl Default for ModelArgs {
    fn default() -> Self {
        Self::new(DEFAULT_MODEL)
    }
}

impl ModelArgs {
    /// A model with its own tokenizer, at its default revision.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), revision: None, tokenizer: None }
    }
}

/// Where a model lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedModel {
    /// Holds `config.json` and the weights.
    pub directory: PathBuf,
    /// Holds `tokenizer.json`; the same directory unless the tokenizer was named, or had to be converted.
    pub tokenizer_directory: PathBuf,
    /// The model as the user named it.
    pub name: String,
    /// The commit of a model of the hub.
    pub commit: Option<String>,
}

/// Finds the model, and downloads what of it is not in the cache.
///
/// Reads `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE` and their relatives with the meaning they
/// have for Python's huggingface_hub.
///
/// # Errors
/// See [`ModelError`]; each says what to do.
pub fn resolve(args: &ModelArgs) -> Result<ResolvedModel, ModelError> {
    Resolver { environment: Environment::of_process() }.resolve(args, None)
}

/// As [`resolve`], with the files that a backend chooses in place of the safetensors.
///
/// # Errors
/// See [`ModelError`]; each says what to do.
pub fn resolve_for(args: &ModelArgs, choose: &Choose<'_>) -> Result<ResolvedModel, ModelError> {
    Resolver { environment: Environment::of_process() }.resolve(args, Some(choose))
}

/// Resolution in a given environment.
struct Resolver {
    environment: Environment,
}

/// A directory that has what was asked for.
struct Place {
    directory: PathBuf,
    commit: Option<String>,
}

impl Resolver {
    fn resolve(&self, args: &ModelArgs, choose: Option<&Choose<'_>>) -> Result<ResolvedModel, ModelError> {
        let source = Source::parse(&args.model, "--model")?;
        if let Some(revision) = &args.revision
            && !matches!(source, Source::Hub(_))
        {
            let (model, revision) = (args.model.clone(), revision.clone());
            return Err(ModelError::RevisionWithoutHub { model, revision });
        }
        let need = Need { model: true, choose, tokenizer: args.tokenizer.is_none() };
        let model = self.locate(&source, args.revision.as_deref(), need)?;
        let tokenizer = match &args.tokenizer {
            None => model.directory.clone(),
            Some(value) => {
                let tokenizer = Source::parse(value, "--tokenizer")?;
                // The tokenizer of the same repository is that of the same revision.
                let revision = args.revision.as_deref().filter(|_| tokenizer == source);
                self.locate(&tokenizer, revision, Need { model: false, choose: None, tokenizer: true })?.directory
            }
        };
        Ok(ResolvedModel {
            tokenizer_directory: legacy::with_tokenizer_json(&tokenizer, &self.extractor())?,
            directory: model.directory,
            name: args.model.clone(),
            commit: model.commit,
        })
    }

    fn locate(&self, source: &Source, revision: Option<&str>, need: Need<'_>) -> Result<Place, ModelError> {
        match source {
            Source::Demo => Ok(Place { directory: demo::extract(&self.extractor())?, commit: None }),
            Source::Directory(directory) => {
                files::check(directory, need)?;
                Ok(Place { directory: directory.clone(), commit: None })
            }
            Source::Hub(id) => {
                let settings = hub::Settings::read(&self.environment)?;
                let snapshot = hub::fetch(&settings, id, revision, need)?;
                Ok(Place { directory: snapshot.directory, commit: Some(snapshot.commit) })
            }
        }
    }

    fn extractor(&self) -> Extractor {
        Extractor::new(&self.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(directory: &std::path::Path) -> Resolver {
        Resolver { environment: Environment::of_pairs([("HOME", directory.to_str().unwrap())]) }
    }

    #[test]
    fn a_directory_with_all_files_is_its_own_answer() {
        let home = tempfile::tempdir().unwrap();
        let directory = files::tests::model_directory();
        let name = directory.path().to_str().unwrap().to_owned();
        let model = resolver(home.path()).resolve(&ModelArgs::new(name.clone()), None).unwrap();
        assert_eq!(model.directory, directory.path());
        assert_eq!(model.tokenizer_directory, directory.path());
        assert_eq!((model.name, model.commit), (name, None));
    }

    #[test]
    fn a_named_tokenizer_replaces_the_models_own() {
        let home = tempfile::tempdir().unwrap();
        let (model, tokenizer) = (files::tests::model_directory(), tempfile::tempdir().unwrap());
        std::fs::remove_file(model.path().join("tokenizer.json")).unwrap();
        std::fs::write(tokenizer.path().join("tokenizer.json"), "{}").unwrap();
        let mut args = ModelArgs::new(model.path().to_str().unwrap());
        let alone = resolver(home.path()).resolve(&args, None).unwrap_err().to_string();
        assert!(alone.contains("tokenizer.json"), "{alone}");
        args.tokenizer = Some(tokenizer.path().to_str().unwrap().to_owned());
        let resolved = resolver(home.path()).resolve(&args, None).unwrap();
        assert_eq!(resolved.directory, model.path());
        assert_eq!(resolved.tokenizer_directory, tokenizer.path());
    }

    #[test]
    fn a_revision_of_a_directory_or_of_the_demo_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for model in [home.path().to_str().unwrap(), "demo"] {
            let args = ModelArgs { revision: Some("main".to_owned()), ..ModelArgs::new(model) };
            let error = resolver(home.path()).resolve(&args, None).unwrap_err().to_string();
            assert!(error.contains("--revision"), "{error}");
        }
    }

    #[test]
    fn the_demo_resolves_to_a_directory_with_all_files() {
        let home = tempfile::tempdir().unwrap();
        let model = resolver(home.path()).resolve(&ModelArgs::new("demo"), None).unwrap();
        files::check(&model.directory, Need { model: true, choose: None, tokenizer: true }).unwrap();
        assert!(model.directory.starts_with(home.path()));
    }
}
