//! Directories of Jig's own cache, named by their content.
//!
//! Backends map files from a path, so what is embedded in the program or made from other files must lie on a disk. The
//! name of such a directory holds the hash of its content, each file is put there in one step, and each is compared
//! with what it should be on every start. So any number of processes may extract at once, and a file that was cut short
//! or changed is replaced.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest::{Context, SHA256};

use super::environment::Environment;
use super::error::ModelError;

/// Extracts files into the user's cache, or into a private temporary directory where that can't be written.
pub(super) struct Extractor {
    /// `XDG_CACHE_HOME/jig`; `None` without a home.
    cache: Option<PathBuf>,
    /// In the temporary directory; shared with other users, so it is used only if it is this user's alone.
    fallback: PathBuf,
}

/// A file to extract: name and content.
pub(super) type Embedded<'a> = (&'a str, &'a [u8]);

impl Extractor {
    pub(super) fn new(environment: &Environment) -> Self {
        let temporary = environment.path("TMPDIR").unwrap_or_else(|| "/tmp".into());
        let user = rustix::process::geteuid().as_raw();
        Self {
            cache: environment.cache_home().map(|cache| cache.join("jig")),
            fallback: temporary.join(format!("jig-{user}")),
        }
    }

    /// Makes sure that a directory with exactly these files exists, and says where.
    pub(super) fn extract(&self, name: &str, files: &[Embedded<'_>]) -> Result<PathBuf, ModelError> {
        let name = format!("{name}-{}", content_hash(files));
        if let Some(cache) = &self.cache {
            let directory = cache.join(&name);
            let written = fs::create_dir_all(&directory).and_then(|()| fill(&directory, files));
            match written {
                Ok(()) => return Ok(directory),
                Err(error) => {
                    let fallback = self.fallback.display();
                    tracing::info!("can't write to {} ({error}); using {fallback}", directory.display());
                }
            }
        }
        let directory = self.fallback.join(&name);
        let written = private_directory(&self.fallback).and_then(|()| private_directory(&directory));
        written.and_then(|()| fill(&directory, files)).map_err(|error| {
            let file = name.clone();
            match error.kind() {
                io::ErrorKind::StorageFull => ModelError::disk_full(file, &self.fallback, String::new()),
                _ => {
                    ModelError::Io { path: directory.clone(), action: "write files there (set XDG_CACHE_HOME)", error }
                }
            }
        })?;
        Ok(directory)
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of names, lengths and contents.
fn content_hash(files: &[Embedded<'_>]) -> String {
    let mut context = Context::new(&SHA256);
    for (name, content) in files {
        context.update(&(name.len() as u64).to_le_bytes());
        context.update(name.as_bytes());
        context.update(&(content.len() as u64).to_le_bytes());
        context.update(content);
    }
    context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Creates a directory that only this user can enter, or makes sure that the one that is there is such.
fn private_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
        let problem = format!("{} is not a directory of this user alone", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(())
}

/// Puts the files into the directory where they are not there yet, and removes what does not belong there.
fn fill(directory: &Path, files: &[Embedded<'_>]) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let known = files.iter().any(|(name, _)| path.file_name() == Some(OsStr::new(name)));
        // A hidden file may be one that another process is about to rename. Any other would change which model is loaded.
        if !known && !hidden {
            tracing::warn!("removing {}, which does not belong there", path.display());
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }?;
        }
    }
    for (name, content) in files {
        let path = directory.join(name);
        if !holds(&path, content) {
            replace(&path, content)?;
        }
    }
    Ok(())
}

/// Whether a file has exactly this content.
fn holds(path: &Path, content: &[u8]) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == content.len() as u64) {
        return false;
    }
    let mut block = [0; 64 << 10];
    let mut rest = content;
    loop {
        match file.read(&mut block) {
            Ok(0) => return rest.is_empty(),
            Ok(count) => match (block.get(..count), rest.split_at_checked(count)) {
                (Some(read), Some((expected, after))) if read == expected => rest = after,
                _ => return false,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// Replaces a file in one step, so that nobody ever sees half of it.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path)?;
    let mut file = File::create_new(&unfinished)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What failed matters more than that the remains could not be removed.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// A hidden name beside `path` that no other process or thread has.
pub(super) fn unfinished(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().and_then(OsStr::to_str).ok_or(io::ErrorKind::InvalidInput)?;
    let time = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Ok(path.with_file_name(format!(".{name}.{process}-{count}-{time}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const FILES: [Embedded<'static>; 2] = [("a.json", b"{}"), ("b.bin", &[7; 200_000])];

    fn extractor(root: &Path) -> Extractor {
        Extractor { cache: Some(root.join("cache/jig")), fallback: root.join("jig-1") }
    }

    fn assert_complete(directory: &Path) {
        for (name, content) in FILES {
            assert_eq!(fs::read(directory.join(name)).unwrap(), content);
        }
        assert_eq!(fs::read_dir(directory).unwrap().count(), FILES.len());
    }

    #[test]
    fn files_are_extracted_once_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let first = extractor(root.path()).extract("x", &FILES).unwrap();
        assert_complete(&first);
        let inode = fs::metadata(first.join("b.bin")).unwrap().ino();
        assert_eq!(extractor(root.path()).extract("x", &FILES).unwrap(), first);
        assert_eq!(fs::metadata(first.join("b.bin")).unwrap().ino(), inode);
    }

    #[test]
    fn other_content_has_another_directory() {
        let root = tempfile::tempdir().unwrap();
        let first = extractor(root.path()).extract("x", &FILES).unwrap();
        let second = extractor(root.path()).extract("x", &[("a.json", b"{ }")]).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn partial_changed_and_foreign_files_are_put_right() {
        let root = tempfile::tempdir().unwrap();
        let directory = extractor(root.path()).extract("x", &FILES).unwrap();
        fs::write(directory.join("a.json"), "[]").unwrap();
        fs::write(directory.join("b.bin"), [7; 100_000]).unwrap();
        fs::write(directory.join("model.safetensors.index.json"), "{}").unwrap();
        fs::create_dir(directory.join("folder")).unwrap();
        assert_eq!(extractor(root.path()).extract("x", &FILES).unwrap(), directory);
        assert_complete(&directory);
    }

    #[test]
    fn a_cache_that_can_not_be_written_gives_way_to_a_private_directory() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cache"), "a file where the directory should be").unwrap();
        let directory = extractor(root.path()).extract("x", &FILES).unwrap();
        assert!(directory.starts_with(root.path().join("jig-1")));
        assert_complete(&directory);
        assert_eq!(fs::metadata(root.path().join("jig-1")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_temporary_directory_that_others_can_enter_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let extractor = Extractor { cache: None, ..extractor(root.path()) };
        fs::create_dir(root.path().join("jig-1")).unwrap();
        fs::set_permissions(root.path().join("jig-1"), fs::Permissions::from_mode(0o777)).unwrap();
        let error = extractor.extract("x", &FILES).unwrap_err().to_string();
        assert!(error.contains("not a directory of this user alone") && error.contains("XDG_CACHE_HOME"), "{error}");
    }

    #[test]
    fn many_processes_may_extract_at_once() {
        let root = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(extractor(root.path()).extract("x", &FILES).is_ok()));
            }
        });
        assert_complete(&extractor(root.path()).extract("x", &FILES).unwrap());
    }
}
