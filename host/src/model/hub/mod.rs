//! Models of the hub: from the cache, or downloaded into it.
//!
//! The cache is the one of Python's huggingface_hub, in the same place and with the same layout, so that neither
//! downloads what the other has. The crate hf-hub keeps to that layout too, but neither checks what it downloads, nor
//! honours offline mode, nor survives a listing that lies, nor tells a gated model from a missing one; hence this client.
//!
//! | module | what it holds |
//! |---|---|
//! | `settings` | the environment variables of huggingface_hub |
//! | `client` | the protocol: listing, metadata, content; redirects, retries, what a status means |
//! | `cache` | the layout on disk: refs, snapshots, blobs, locks |
//! | `download` | one file: resume, checksum, space on the disk |
//! | `session` | one repository of the hub, and what a failure there means for the user |
//! | `progress` | bars on a terminal, else log lines |

mod cache;
mod client;
mod download;
mod progress;
mod session;
mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use cache::Repository;
use client::{Client, Failure, Listing};
use session::{Hub, MAIN};
pub(super) use settings::Settings;

use crate::model::error::ModelError;
use crate::model::files::{
    self, CONFIG, GENAI_CONFIG, INDEX, LEGACY_TOKENIZER, Need, OPTIONAL, SINGLE, TOKENIZER, Weights,
};
use crate::model::source::RepositoryId;

/// A model at one commit, complete on this machine.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) directory: PathBuf,
    pub(super) commit: String,
}

/// Finds what is needed of a model in the cache, or downloads it.
///
/// A branch or tag is looked up on the hub each time, so that a new version is noticed; a commit that is in the cache is
/// not. Where the hub can't be asked, what is in the cache is used, with a warning.
pub(super) fn fetch(
    settings: &Settings,
    id: &RepositoryId,
    revision: Option<&str>,
    need: Need<'_>,
) -> Result<Snapshot, ModelError> {
    if let Some(revision) = revision.filter(|revision| !is_revision(revision)) {
        return Err(ModelError::InvalidRevision { revision: revision.to_owned() });
    }
    let repository = Repository::new(&settings.cache, id);
    let cached = find(&repository, id, revision, need);
    if revision.is_some_and(cache::is_commit)
        && let Ok(snapshot) = cached
    {
        return Ok(snapshot);
    }
    if let Some(variable) = settings.offline {
        return cached.map_err(|reason| ModelError::Offline {
            id: id.to_string(),
            variable,
            reason,
            cache: settings.cache.clone(),
        });
    }
    let client = Client::new(settings)?;
    let hub = Hub { settings, client, repository, id };
    let wanted = revision.unwrap_or(MAIN);
    tracing::info!("asking {} for `{id}`", settings.endpoint);
    let answer = match (hub.client.listing_once(id, wanted), cached) {
        (Err(Failure::RevisionNotFound), _) => Err(Failure::RevisionNotFound),
        (Err(failure), Ok(snapshot)) => {
            let reason = match failure {
                Failure::Unreachable(reason) => format!("can't reach {} ({reason})", settings.endpoint),
                other => hub.explain(other, wanted).to_string(),
            };
            tracing::warn!("using `{id}` from the cache (commit {}): {reason}", snapshot.commit);
            return Ok(snapshot);
        }
        // One that can't be reached at first contact is not there, most likely: it is asked once more, and not for minutes.
        (Err(Failure::Unreachable(reason)), Err(_)) => {
            tracing::warn!("{} can't be reached ({reason}); asking once more", settings.endpoint);
            hub.client.listing_once(id, wanted)
        }
        (Err(failure), Err(_)) if failure.is_transient() => hub.client.listing(id, wanted),
        (answer, _) => answer,
    };
    let listing = answer.map_err(|failure| hub.explain(failure, wanted))?;
    hub.download(listing, revision, need)
}

/// What is in the cache, or why it is not enough.
fn find(
    repository: &Repository,
    id: &RepositoryId,
    revision: Option<&str>,
    need: Need<'_>,
) -> Result<Snapshot, String> {
    let complete = |revision: &str| {
        let commit = repository.commit_of(revision).ok_or_else(|| format!("revision `{revision}` is not there"))?;
        let directory = repository.snapshot(&commit);
        if !directory.is_dir() {
            return Err(format!("revision `{revision}` is not there"));
        }
        files::check(&directory, need).map_err(|error| error.to_string())?;
        Ok(Snapshot { directory, commit })
    };
    let found = complete(revision.unwrap_or(MAIN));
    if found.is_err()
        && revision.is_none()
        && let Some(snapshot) = repository.pull_requests().iter().find_map(|revision| complete(revision).ok())
    {
        tracing::debug!("`{id}`: the cache has a conversion to safetensors");
        return Ok(snapshot);
    }
    found
}

/// Whether a text can be the name of a branch, a tag or a commit; also safe as a path below `refs`.
fn is_revision(revision: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.');
    revision.len() <= 255
        && revision.split('/').all(part)
        && !revision.contains("..")
        && !revision.contains(|c: char| c.is_control() || c.is_whitespace() || "\\:?*[~^".contains(c))
}

impl Hub<'_> {
    fn download(&self, listing: Listing, revision: Option<&str>, need: Need<'_>) -> Result<Snapshot, ModelError> {
        let place = format!("the model `{}`", self.id);
        let chosen = need.chosen(&place, &listing.files)?;
        let (listing, used) = match chosen {
            None => self.with_safetensors(listing, revision, need)?,
            Some(_) => (listing, revision.unwrap_or(MAIN).to_owned()),
        };
        let has = |file: &str| listing.files.iter().any(|name| name == file);
        let names = || listing.files.iter().map(String::as_str);
        let mut wanted: Vec<&str> = OPTIONAL.into_iter().filter(|file| has(file)).collect();
        wanted.extend(names().filter(|name| files::is_chat_template(name)));
        if need.tokenizer {
            match (has(TOKENIZER), files::has_tokenizer(names())) {
                (true, _) => wanted.push(TOKENIZER),
                (false, true) => {
                    wanted.extend(LEGACY_TOKENIZER);
                    wanted.extend(["added_tokens.json"].into_iter().filter(|file| has(file)));
                }
                (false, false) => return Err(files::missing_tokenizer(&place)),
            }
        }
        if let Some(chosen) = &chosen {
            wanted.extend(Some(GENAI_CONFIG).filter(|file| has(file)));
            // The backend's first file, the model itself, comes last: where it is, all that it needs is too.
            wanted.extend(chosen.iter().rev().map(String::as_str));
        } else if need.model {
            if !has(CONFIG) {
                return Err(files::missing_config(&place));
            }
            match files::weights(names()) {
                None => return Err(files::no_weights(&place, names())),
                Some(Weights::Single) => wanted.push(SINGLE),
                Some(Weights::Sharded) => wanted.push(INDEX),
            }
        }
        for file in &wanted {
            self.file(&listing.commit, file)?;
        }
        let directory = self.repository.snapshot(&listing.commit);
        if wanted.contains(&INDEX) {
            for file in files::shards(&directory.join(INDEX))? {
                if !has(&file) {
                    let remedy = format!("{INDEX} names it; tell the model's owner, or try another --revision");
                    return Err(ModelError::MissingFile { place, file, remedy });
                }
                self.file(&listing.commit, &file)?;
            }
        }
        files::check(&directory, need)?;
        if let Err(error) = self.repository.set_ref(&used, &listing.commit) {
            // A cache that is complete may be read only; then the ref stays as it is.
            tracing::debug!("{}: can't note the commit of `{used}`: {error}", directory.display());
        }
        Ok(Snapshot { directory, commit: listing.commit })
    }

    /// Older models have only `.bin` files on `main`, and the hub's own bot has proposed a conversion; transformers takes
    /// that, and so does this. It returns the listing to use and the revision it is of.
    fn with_safetensors(
        &self,
        listing: Listing,
        revision: Option<&str>,
        need: Need<'_>,
    ) -> Result<(Listing, String), ModelError> {
        let names = || listing.files.iter().map(String::as_str);
        let only_pickled = files::weights(names()).is_none() && names().any(|name| name.ends_with(".bin"));
        if need.model && revision.is_none() && only_pickled {
            let explain = |failure| self.explain(failure, MAIN);
            if let Some(converted) = self.client.conversion(self.id).map_err(explain)? {
                let other = self.client.listing(self.id, &converted).map_err(explain)?;
                if files::weights(other.files.iter().map(String::as_str)).is_some() {
                    tracing::info!(
                        "`{}` has no safetensors on {MAIN}; using their conversion by the hub, {converted}",
                        self.id
                    );
                    return Ok((other, converted));
                }
            }
        }
        Ok((listing, revision.unwrap_or(MAIN).to_owned()))
    }

    /// Makes sure that a file of a commit is in the snapshot.
    fn file(&self, commit: &str, file: &str) -> Result<(), ModelError> {
        if self.repository.snapshot(commit).join(file).is_file() {
            return Ok(());
        }
        let metadata =
            self.client.metadata(self.id, commit, file).map_err(|failure| self.explain_file(failure, file))?;
        self.fetch_blob(commit, file, &metadata)?;
        let path = self.repository.snapshot(commit).join(file);
        self.repository
            .link(commit, file, &metadata.etag)
            .map_err(ModelError::io(path, "link the file into the snapshot"))
    }
}
