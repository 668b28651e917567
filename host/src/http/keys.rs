//! The keys of which a request must have one. Only their digests are kept and compared.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};

/// The SHA-256 of a key.
type Digest = [u8; 32];

/// A key of a server: its name for the log, and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    name: String,
    digest: Digest,
}

/// The keys of a server: those of its command line, and those of a file that may change. A clone is of the same keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    fixed: Arc<Vec<Key>>,
    file: Option<Arc<KeyFile>>,
}

#[derive(Debug)]
struct KeyFile {
    path: PathBuf,
    read: RwLock<(Option<SystemTime>, Vec<Key>)>,
}

impl Keys {
    /// Keys of a command line.
    #[must_use]
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self { fixed: Arc::new(keys.into_iter().map(|key| Key::of(None, key)).collect()), file: None }
    }

    /// The same, and those of a file.
    ///
    /// # Errors
    /// A file that can't be read, or a line in it that is no key.
    pub fn with_file(self, path: PathBuf) -> Result<Self, String> {
        let file = KeyFile { path, read: RwLock::default() };
        file.reload()?;
        Ok(Self { file: Some(Arc::new(file)), ..self })
    }

    /// Whether a request needs none: there are none, and no file that may have some.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.fixed.is_empty() && self.file.is_none()
    }

    /// The name of the key that was given, if it is one of these. It takes as long for a wrong one as for a right one: digests are compared, and
    /// all of them.
    pub(super) fn find(&self, given: &[u8]) -> Option<String> {
        let given = sha256(given);
        let mut found = None;
        let mut look = |keys: &[Key]| {
            for key in keys {
                let differing = key.digest.iter().zip(&given).fold(0, |differing, (a, b)| differing | (a ^ b));
                if std::hint::black_box(differing) == 0 {
                    found = Some(key.name.clone());
                }
            }
        };
        look(&self.fixed);
        if let Some(file) = &self.file {
            look(&file.read.read().unwrap_or_else(PoisonError::into_inner).1);
        }
        found
    }

    /// Reads the file again if it has changed. Where it can't be used, the keys stay as they were.
    pub fn reload_if_changed(&self) {
        let Some(file) = &self.file else { return };
        let changed = file.modified();
        if changed.is_none() || changed == file.read.read().unwrap_or_else(PoisonError::into_inner).0 {
            return;
        }
        match file.reload() {
            Ok(count) => tracing::info!("{}: {count} keys", file.path.display()),
            Err(problem) => tracing::error!("{problem}; the keys stay as they were"),
        }
    }
}

impl KeyFile {
    fn modified(&self) -> Option<SystemTime> {
        fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok()
    }

    /// Returns how many there are.
    fn reload(&self) -> Result<usize, String> {
        // Before it is read: a change while it is read is seen the next time.
        let modified = self.modified();
        let wrong = |problem: String| format!("--api-key-file {}: {problem}", self.path.display());
        let text = fs::read_to_string(&self.path).map_err(|error| wrong(error.to_string()))?;
        let keys = parse(&text).map_err(wrong);
        // A file that is wrong is told of once.
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        read.0 = modified;
        read.1 = keys?;
        Ok(read.1.len())
    }
}

/// The keys of a file: one in a line, as it is or as `NAME:SHA256`, the digest in hex. What follows `#` at the beginning of a line is a comment.
fn parse(text: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let hashed = line.split_once(':').and_then(|(name, hex)| Some((name.trim(), from_hex(hex.trim())?)));
        keys.push(match hashed {
            Some((name, digest)) => Key { name: name.to_owned(), digest },
            None if line.contains(char::is_whitespace) => {
                return Err(format!("line {number} has a blank in it; write a key, or NAME:SHA256"));
            }
            None => Key::of(None, line),
        });
    }
    if keys.is_empty() {
        return Err("it has no key".to_owned());
    }
    Ok(keys)
}

impl Key {
    /// Without a name it has the beginning of its digest, which tells nobody the key.
    fn of(name: Option<&str>, key: &str) -> Self {
        let digest = sha256(key.as_bytes());
        let own = || digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: name.map_or_else(own, str::to_owned), digest }
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut all = [0; 32];
    all.copy_from_slice(digest(&SHA256, bytes).as_ref());
    all
}

fn from_hex(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the key "secret".
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn a_key_is_right_where_all_of_it_is() {
        let keys = Keys::new(["one", "second"]);
        for (given, is_right) in
            [("one", true), ("second", true), ("on", false), ("one ", false), ("", false), ("two", false)]
        {
            assert_eq!(keys.find(given.as_bytes()).is_some(), is_right, "{given}");
        }
        assert!(!keys.is_open() && Keys::default().is_open());
    }

    #[test]
    fn a_file_has_keys_and_digests_with_names_and_is_read_again_when_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        fs::write(&path, format!("# people\nplain\n\n team : {SECRET}\n")).unwrap();
        let keys = Keys::new(["fixed"]).with_file(path.clone()).unwrap();
        assert_eq!(keys.find(b"secret").as_deref(), Some("team"));
        assert!(
            keys.find(b"plain").is_some() && keys.find(b"fixed").is_some() && keys.find(SECRET.as_bytes()).is_none()
        );
        let change = |text: &str, age: u64| {
            fs::write(&path, text).unwrap();
            let time = SystemTime::now() + std::time::Duration::from_secs(age);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            keys.reload_if_changed();
        };
        change("other", 10);
        assert!(keys.find(b"other").is_some() && keys.find(b"secret").is_none());
        // A file that is wrong changes nothing.
        for (text, age) in [("", 20), ("a key", 30)] {
            change(text, age);
            assert!(keys.find(b"other").is_some(), "{text}");
        }
    }

    #[test]
    fn a_file_that_can_not_be_used_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        for (text, says) in [(None, "No such file"), (Some("# none"), "no key"), (Some("x\na b"), "line 2")] {
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            let error = Keys::default().with_file(path.clone()).unwrap_err();
            assert!(error.contains("--api-key-file") && error.contains(says), "{error}");
        }
    }
}
