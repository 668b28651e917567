//! One file: resume, checksum, space on the disk.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;

use indicatif::HumanBytes;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::client::{Content, Failure, Metadata};
use super::progress::Progress;
use super::session::Hub;
use crate::model::error::ModelError;

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

/// Why a transfer ended before the end of the file.
enum Broken {
    /// The hub or the network; it may help to go on from here.
    Transfer(Failure),
    /// The disk.
    Disk(io::Error),
}

impl Hub<'_> {
    /// Makes sure that the content of a file is among the blobs.
    pub(super) fn fetch_blob(&self, commit: &str, file: &str, metadata: &Metadata) -> Result<(), ModelError> {
        let blob = self.repository.blob(&metadata.etag);
        let blobs = self.repository.create_blobs().map_err(ModelError::io(&blob, "create the cache's directory"))?;
        let lock = self.repository.lock(&metadata.etag, file).map_err(ModelError::io(&blob, "lock the download"))?;
        if blob.is_file() {
            return Ok(());
        }
        tracing::debug!("{file} of `{}` at {commit} is blob {}", self.id, metadata.etag);
        let incomplete = self.repository.incomplete(&metadata.etag);
        let mut wrong_before = false;
        while !self.transfer(file, metadata, &incomplete, &blobs)? {
            fs::remove_file(&incomplete).map_err(ModelError::io(&incomplete, "remove the failed download"))?;
            if wrong_before {
                return Err(ModelError::Corrupt { id: self.id.to_string(), file: file.to_owned() });
            }
            tracing::warn!("{file} of `{}` came with a wrong checksum; downloading it once more", self.id);
            wrong_before = true;
        }
        fs::rename(&incomplete, &blob).map_err(ModelError::io(&blob, "move the download into the cache"))?;
        drop(lock);
        Ok(())
    }

    /// Downloads what is missing of a file, however often the connection breaks as long as something comes through.
    /// Returns whether the checksum is right.
    fn transfer(&self, file: &str, metadata: &Metadata, path: &Path, blobs: &Path) -> Result<bool, ModelError> {
        let disk = |error: io::Error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ModelError::disk_full(file.to_owned(), blobs, String::new())
            }
            _ => ModelError::Io { path: path.to_owned(), action: "write the download", error },
        };
        let options = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let mut target = Target::resume(options.map_err(disk)?, metadata).map_err(disk)?;
        check_space(file, blobs, metadata.size, target.position)?;
        let retry = &self.settings.retry;
        let mut progress = Progress::start(self.settings.bars, file, metadata.size, target.position);
        let mut failures = 0;
        while !target.is_complete() {
            let before = target.position;
            let failure = match self.receive(metadata, &mut target, &mut progress) {
                Ok(()) => break,
                Err(Broken::Disk(error)) => return Err(disk(error)),
                Err(Broken::Transfer(failure)) if !failure.is_transient() => {
                    return Err(self.explain_file(failure, file));
                }
                Err(Broken::Transfer(failure)) => failure,
            };
            failures = if target.position > before { 1 } else { failures + 1 };
            if failures >= retry.attempts {
                let (id, file, have) = (self.id.to_string(), file.to_owned(), target.position);
                return Err(match failure {
                    Failure::Unreachable(reason) => {
                        ModelError::Interrupted { id, file, reason, attempts: failures, have }
                    }
                    other => self.explain_file(other, &file),
                });
            }
            let wait = retry.wait(failures, failure.retry_after());
            tracing::warn!(
                "{file} broke off at {}: {failure}; going on in {:.1} s",
                target.position,
                wait.as_secs_f64()
            );
            thread::sleep(wait);
        }
        progress.finish();
        target.file.sync_all().map_err(disk)?;
        Ok(target.has_right_hash(metadata))
    }

    /// Receives from where the target ends to the end of the file.
    fn receive(&self, metadata: &Metadata, target: &mut Target, progress: &mut Progress) -> Result<(), Broken> {
        let Content { start, mut body } =
            self.client.content(&metadata.url, target.position).map_err(Broken::Transfer)?;
        if start != target.position {
            target.restart(metadata).map_err(Broken::Disk)?;
            if start != 0 {
                return Err(Broken::Transfer(Failure::Unreachable("the hub sent another range".to_owned())));
            }
        }
        let mut block = vec![0; BLOCK];
        loop {
            let count = match body.read(&mut block) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Transfer(Failure::Unreachable(error.to_string()))),
            };
            let Some(received) = block.get(..count).filter(|received| !received.is_empty()) else { break };
            let after = target.position + count as u64;
            if metadata.size.is_some_and(|size| after > size) {
                let problem = format!("the content is longer than the {} bytes announced", metadata.size.unwrap_or(0));
                return Err(Broken::Transfer(Failure::Protocol { url: metadata.url.clone(), problem }));
            }
            target.append(received).map_err(Broken::Disk)?;
            progress.set(target.position);
        }
        match metadata.size {
            Some(size) if target.position < size => {
                let reason = format!("the connection ended at {} of {size} bytes", target.position);
                Err(Broken::Transfer(Failure::Unreachable(reason)))
            }
            _ => Ok(()),
        }
    }
}

/// A file that grows, and the hash of what is in it.
struct Target {
    file: File,
    position: u64,
    size: Option<u64>,
    hash: Option<Context>,
}

impl Target {
    /// Goes on with what an earlier attempt has left.
    fn resume(mut file: File, metadata: &Metadata) -> io::Result<Self> {
        let mut hash = new_hash(metadata);
        let mut block = vec![0; BLOCK];
        let mut position = 0;
        file.seek(SeekFrom::Start(0))?;
        loop {
            let count = file.read(&mut block)?;
            let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { break };
            if let Some(hash) = &mut hash {
                hash.update(read);
            }
            position += count as u64;
        }
        let mut target = Self { file, position, size: metadata.size, hash };
        // Without a size nobody could tell a whole file from a beginning.
        if metadata.size.is_none_or(|size| position > size) {
            target.restart(metadata)?;
        }
        Ok(target)
    }

    fn restart(&mut self, metadata: &Metadata) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.position, self.hash) = (0, new_hash(metadata));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.size == Some(self.position)
    }

    fn has_right_hash(&self, metadata: &Metadata) -> bool {
        let Some(hash) = self.hash.clone() else { return true };
        let digits: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        digits == metadata.etag
    }
}

/// The hash that the ETag is: SHA-256 of the content for large files, and for small ones the SHA-1 of a git blob, which
/// begins with its size. `None` where it is neither, as some mirrors have it.
fn new_hash(metadata: &Metadata) -> Option<Context> {
    if !metadata.etag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    match (metadata.etag.len(), metadata.size) {
        (64, _) => Some(Context::new(&SHA256)),
        (40, Some(size)) => {
            let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            context.update(format!("blob {size}\0").as_bytes());
            Some(context)
        }
        _ => None,
    }
}

/// Makes sure that what is missing of a file fits on the disk, where the system says how much that is.
fn check_space(file: &str, directory: &Path, size: Option<u64>, have: u64) -> Result<(), ModelError> {
    let missing = size.unwrap_or(0).saturating_sub(have);
    match rustix::fs::statvfs(directory) {
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < missing => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!(": {} are needed, and {} are free", HumanBytes(missing), HumanBytes(free));
            Err(ModelError::disk_full(file.to_owned(), directory, text))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(etag: &str, size: Option<u64>) -> Metadata {
        Metadata { url: String::new(), etag: etag.to_owned(), size }
    }

    fn target(content: &[u8], metadata: &Metadata) -> Target {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Target::resume(file, metadata).unwrap()
    }

    #[test]
    fn the_etag_of_a_small_file_is_the_hash_of_a_git_blob() {
        // git hash-object of a file with "hello\n".
        let metadata = metadata("ce013625030ba8dba906f756967f9e9ca394464a", Some(6));
        assert!(target(b"hello\n", &metadata).has_right_hash(&metadata));
        assert!(!target(b"hellO\n", &metadata).has_right_hash(&metadata));
    }

    #[test]
    fn the_etag_of_a_large_file_is_the_sha_256_of_its_content() {
        // sha256sum of a file with "hello\n".
        let metadata = metadata("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", Some(6));
        let mut resumed = target(b"hel", &metadata);
        assert!(!resumed.is_complete());
        resumed.append(b"lo\n").unwrap();
        assert!(resumed.is_complete() && resumed.has_right_hash(&metadata));
    }

    #[test]
    fn what_is_too_long_or_of_unknown_size_is_begun_anew() {
        assert_eq!(target(b"hello\n", &metadata("e", Some(5))).position, 0);
        assert_eq!(target(b"hello\n", &metadata("e", None)).position, 0);
        assert_eq!(target(b"hello\n", &metadata("e", Some(7))).position, 6);
    }

    #[test]
    fn a_file_that_can_not_fit_is_refused_before_it_is_begun() {
        let directory = tempfile::tempdir().unwrap();
        let error = check_space("model.safetensors", directory.path(), Some(u64::MAX), 0).unwrap_err().to_string();
        assert!(error.contains("model.safetensors") && error.contains("free") && error.contains("HF_HOME"), "{error}");
        check_space("model.safetensors", directory.path(), Some(1), 0).unwrap();
    }
}
