//! The layout on disk, which is that of Python's huggingface_hub.
//!
//! ```text
//! CACHE/models--ORG--NAME/refs/REVISION            the commit that a branch or tag was at
//! CACHE/models--ORG--NAME/snapshots/COMMIT/FILE    a link to ../../blobs/ETAG
//! CACHE/models--ORG--NAME/blobs/ETAG               the content
//! CACHE/.locks/models--ORG--NAME/ETAG.lock         held while the content is downloaded
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::model::extracted::{replace, unfinished};
use crate::model::source::RepositoryId;

/// One model in the cache.
pub(super) struct Repository {
    folder: PathBuf,
    locks: PathBuf,
}

/// Whether a revision is a full commit, which never changes.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Repository {
    pub(super) fn new(cache: &Path, id: &RepositoryId) -> Self {
        let name = format!("models--{}", id.as_str().replace('/', "--"));
        Self { folder: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// The directory of a commit; it need not exist.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// What has come of a blob so far. Not the name that huggingface_hub uses: what it leaves need not be a beginning.
    pub(super) fn incomplete(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.jig.incomplete"))
    }

    /// The commit that a revision was at when it was last seen.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let mut text = String::new();
        File::open(self.folder.join("refs").join(revision)).ok()?.take(64).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// The pull requests in the cache as revisions, the newest first.
    pub(super) fn pull_requests(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("refs/refs/pr")).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.into_iter().map(|number| format!("refs/pr/{number}")).collect()
    }

    /// Notes the commit of a revision.
    pub(super) fn set_ref(&self, revision: &str, commit: &str) -> io::Result<()> {
        if is_commit(revision) || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        replace(&path, commit.as_bytes())
    }

    /// Links a blob into a snapshot; copies it where the file system has no links.
    pub(super) fn link(&self, commit: &str, file: &str, etag: &str) -> io::Result<()> {
        let path = self.snapshot(commit).join(file);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        // Made under another name and renamed, so that a link that leads nowhere is replaced, whoever else does the same.
        let link = unfinished(&path)?;
        let up = "../".repeat(2 + file.matches('/').count());
        symlink(Path::new(&up).join("blobs").join(etag), &link)
            .or_else(|_| fs::copy(self.blob(etag), &link).map(|_| ()))?;
        fs::rename(&link, &path)
    }

    /// Waits for the lock of a blob, which huggingface_hub takes too. It is held until the file is dropped; `None` where
    /// the file system has no locks.
    pub(super) fn lock(&self, etag: &str, file: &str) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.locks)?;
        let path = self.locks.join(format!("{etag}.lock"));
        let lock = File::options().create(true).truncate(false).write(true).open(path)?;
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => tracing::info!("waiting for another process that downloads {file}"),
            Err(TryLockError::Error(_)) => {}
        }
        match lock.lock() {
            Ok(()) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn create_blobs(&self) -> io::Result<PathBuf> {
        let blobs = self.folder.join("blobs");
        fs::create_dir_all(&blobs)?;
        Ok(blobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn repository(cache: &Path) -> Repository {
        Repository::new(cache, &RepositoryId::parse("org/name").unwrap())
    }

    #[test]
    fn a_revision_leads_to_its_commit() {
        let cache = tempfile::tempdir().unwrap();
        let repository = repository(cache.path());
        assert_eq!(repository.commit_of("main"), None);
        repository.set_ref("main", COMMIT).unwrap();
        repository.set_ref("refs/pr/3", COMMIT).unwrap();
        assert_eq!(repository.commit_of("main").as_deref(), Some(COMMIT));
        assert_eq!(repository.commit_of(COMMIT).as_deref(), Some(COMMIT));
        assert_eq!(fs::read_to_string(cache.path().join("models--org--name/refs/main")).unwrap(), COMMIT);
        assert_eq!(repository.pull_requests(), ["refs/pr/3"]);
    }

    #[test]
    fn a_ref_that_is_no_commit_leads_nowhere() {
        let cache = tempfile::tempdir().unwrap();
        let refs = cache.path().join("models--org--name/refs");
        fs::create_dir_all(&refs).unwrap();
        for content in ["", "../../..", "0123", &"z".repeat(40), &"a".repeat(1000)] {
            fs::write(refs.join("main"), content).unwrap();
            assert_eq!(repository(cache.path()).commit_of("main"), None, "{content}");
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_replaced() {
        let cache = tempfile::tempdir().unwrap();
        let repository = repository(cache.path());
        fs::write(repository.create_blobs().unwrap().join("e2"), "content").unwrap();
        for etag in ["e1", "e2"] {
            repository.link(COMMIT, "config.json", etag).unwrap();
        }
        let path = repository.snapshot(COMMIT).join("config.json");
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("../../blobs/e2"));
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let cache = tempfile::tempdir().unwrap();
        let repository = repository(cache.path());
        let held = repository.lock("e1", "f").unwrap().unwrap();
        let second = File::open(cache.path().join(".locks/models--org--name/e1.lock")).unwrap();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        second.try_lock().unwrap();
    }
}
