//! What can go wrong on the way to a model, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a model can't be had. Each text names the model, file or variable, and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A value that is neither a path nor an id.
    #[error(
        "{flag} `{value}`: {reason}; give a local directory, an id of the hub such as `facebook/opt-125m`, or `demo`"
    )]
    InvalidName {
        /// `--model` or `--tokenizer`.
        flag: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A path that isn't there.
    #[error("the directory {} does not exist; check the path, or give an id of the hub such as `facebook/opt-125m`", path.display())]
    MissingDirectory {
        /// The path.
        path: PathBuf,
    },
    /// A path to a file.
    #[error("{} is a file; give the directory that holds config.json, tokenizer.json and the safetensors", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A revision of something that has none.
    #[error("--revision `{revision}` is only for a model of the hub, and --model `{model}` is not one; leave it out")]
    RevisionWithoutHub {
        /// The model.
        model: String,
        /// The revision.
        revision: String,
    },
    /// A revision that can't be the name of a branch, tag or commit.
    #[error("--revision `{revision}` is not the name of a branch, a tag or a commit")]
    InvalidRevision {
        /// The revision.
        revision: String,
    },
    /// A file that every model needs is missing.
    #[error("{place}: {file} is missing; {remedy}")]
    MissingFile {
        /// The directory or the model's id.
        place: String,
        /// The file.
        file: String,
        /// What to do.
        remedy: String,
    },
    /// No safetensors.
    #[error("{place}: there are no weights as safetensors (found {found}); {remedy}")]
    NoWeights {
        /// The directory or the model's id.
        place: String,
        /// Weights in other formats, or that there are none.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// The backend finds nothing that it can read.
    #[error("{place}: {problem}")]
    Backend {
        /// The directory or the model's id.
        place: String,
        /// What the backend says.
        problem: String,
    },
    /// A file whose content is wrong.
    #[error("{file}: {problem}")]
    InvalidFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The hub has no such model, or does not show it.
    #[error("the model `{id}` was not found on {endpoint}; check its spelling{hint}")]
    NotFound {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
        /// What to do if the model is private.
        hint: &'static str,
    },
    /// The model's owner asks for consent first.
    #[error("the model `{id}` is gated: accept its conditions at {endpoint}/{id}, {hint}")]
    Gated {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
        /// What to do about the token.
        hint: String,
    },
    /// The hub refuses the token.
    #[error("{endpoint} refuses the access token from {source_of_token}; replace it by a valid one, or remove it")]
    BadToken {
        /// The hub.
        endpoint: String,
        /// The variable or file.
        source_of_token: String,
    },
    /// The token is valid but not allowed to read this.
    #[error(
        "{endpoint} does not allow access to `{id}`: {reason}; use an access token (HF_TOKEN) that may read this model"
    )]
    Forbidden {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
        /// What the hub said.
        reason: String,
    },
    /// The model has no such branch, tag or commit.
    #[error("the model `{id}` has no revision `{revision}`; see {endpoint}/{id}/tree/main for its branches and tags")]
    RevisionNotFound {
        /// The model.
        id: String,
        /// The revision.
        revision: String,
        /// The hub.
        endpoint: String,
    },
    /// No network, and not in the cache.
    #[error(
        "can't reach {endpoint} ({reason}), and `{id}` is not in the cache {}; check the network, \
         HTTPS_PROXY and HF_ENDPOINT, or give a local directory", cache.display()
    )]
    Unreachable {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
        /// What failed.
        reason: String,
        /// The cache.
        cache: PathBuf,
    },
    /// Offline by wish, and not in the cache.
    #[error("{variable} is set, and `{id}` is not complete in the cache {}: {reason}; unset it once to download", cache.display())]
    Offline {
        /// The model.
        id: String,
        /// The variable that says so.
        variable: &'static str,
        /// What is missing.
        reason: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The hub answers with an error that doesn't go away.
    #[error("{endpoint} answers with status {status} for `{id}`; {remedy}")]
    Server {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// What to do.
        remedy: &'static str,
    },
    /// An answer that is not the hub's protocol.
    #[error("{url}: {problem}; check that HF_ENDPOINT names a hub, and that no proxy changes its answers")]
    Protocol {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// A download that broke off again and again.
    #[error(
        "the download of {file} of `{id}` broke off {attempts} times, at last: {reason}; start again to resume at {have} bytes"
    )]
    Interrupted {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// What failed last.
        reason: String,
        /// How often it was tried without a byte coming through.
        attempts: u32,
        /// What is on disk now.
        have: u64,
    },
    /// A download with the wrong content.
    #[error(
        "the download of {file} of `{id}` has the wrong checksum, twice; check the network and HF_ENDPOINT, then start again"
    )]
    Corrupt {
        /// The model.
        id: String,
        /// The file.
        file: String,
    },
    /// No space for the download.
    #[error("{}: no space left for {file}{missing}; free some, or set HF_HOME to a larger disk", directory.display())]
    DiskFull {
        /// The file.
        file: String,
        /// Where it was to go.
        directory: PathBuf,
        /// How much is needed, and how much is there, where that is known.
        missing: String,
    },
    /// The file system refuses.
    #[error("{}: can't {action}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// An environment variable that can't be used.
    #[error("{variable}: {problem}")]
    Setting {
        /// The variable.
        variable: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl ModelError {
    /// The disk is full; `missing` says how much is, where that is known.
    pub(super) fn disk_full(file: String, directory: &Path, missing: String) -> Self {
        Self::DiskFull { file, directory: directory.to_owned(), missing }
    }

    pub(super) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, action, error }
    }
}
