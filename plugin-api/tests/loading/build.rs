//! Builds plugins and hosts of other versions: the crate's own sources, copied and changed in a few places.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A replacement of text that occurs just once in a file of the crate.
pub(crate) type Change = (&'static str, &'static str, &'static str);

/// A scratch directory that outlives the run, so that nothing is built twice.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// An empty directory that stands for a model's.
pub(crate) fn model_directory() -> PathBuf {
    scratch("model")
}

/// One at a time: the variants share a target directory, where each overwrites what the last one built.
static BUILDING: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sources of the crate with some changes: the folder of a workspace of one crate.
///
/// The crate's folder has a name of its own, because Cargo tells crates in one target directory apart by their path
/// within the workspace.
pub(crate) struct Variant {
    workspace: PathBuf,
    folder: String,
}

impl Variant {
    pub(crate) fn new(name: &str, changes: &[Change]) -> Self {
        let variant = Self { workspace: scratch("variants").join(name), folder: format!("plugin-api-{name}") };
        let _alone = alone();
        variant.write_sources(changes);
        variant
    }

    /// Builds the example plugin as `NAME.so`.
    pub(crate) fn plugin(&self, name: &str, rustc_flags: &[&str]) -> PathBuf {
        self.build("echo", rustc_flags, "libecho.so", &format!("{name}.so"))
    }

    /// Builds the host `probe`.
    pub(crate) fn probe(&self) -> PathBuf {
        self.build("probe", &[], "probe", "probe")
    }

    /// A workspace of one crate, with the lock file and the versions of the real one.
    fn write_sources(&self, changes: &[Change]) {
        let root = &self.workspace;
        let folder = root.join(&self.folder);
        let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = crate_root.parent().unwrap();
        let manifest = fs::read_to_string(workspace.join("Cargo.toml")).unwrap();
        let manifest = manifest.split("[profile").next().unwrap();
        let members = manifest.lines().find(|line| line.starts_with("members")).unwrap();
        write_if_changed(
            &root.join("Cargo.toml"),
            &manifest.replace(members, &format!("members = [\"{}\"]", self.folder)),
        );
        if !root.join("Cargo.lock").exists() {
            fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
        }

        let mut files = vec![PathBuf::from("Cargo.toml"), PathBuf::from("examples/echo.rs")];
        list(crate_root, Path::new("src"), &mut files);
        let mut unused: Vec<&Change> = changes.iter().collect();
        for file in files {
            let mut text = fs::read_to_string(crate_root.join(&file)).unwrap();
            if file.ends_with("Cargo.toml") {
                // Examples would build the dependencies of the tests.
                let (before, after) = text.split_once("[dev-dependencies]").unwrap();
                let after = &after[after.find("\n[").unwrap()..];
                text = format!("{before}{after}\n[[example]]\nname = \"probe\"\n");
            }
            text = apply(text, &file, &mut unused);
            write_if_changed(&folder.join(file), &text);
        }
        let probe = fs::read_to_string(crate_root.join("tests/loading/probe.rs")).unwrap();
        let file = Path::new("examples/probe.rs");
        write_if_changed(&folder.join(file), &apply(probe, file, &mut unused));
        assert!(unused.is_empty(), "changes to files that are not there: {unused:?}");
    }

    fn build(&self, example: &str, rustc_flags: &[&str], artifact: &str, name: &str) -> PathBuf {
        let _alone = alone();
        cargo(&self.workspace.join(&self.folder), &["rustc", "--example", example], rustc_flags);
        // The next variant overwrites it in the target directory.
        let built = self.workspace.join(name);
        let artifact = scratch("variants").join("target/debug/examples").join(artifact);
        // A library that is loaded already must not be written over.
        if fs::read(&artifact).unwrap() != fs::read(&built).unwrap_or_default() {
            let fresh = built.with_extension("fresh");
            fs::copy(&artifact, &fresh).unwrap();
            fs::rename(&fresh, &built).unwrap();
        }
        built
    }
}

fn apply(mut text: String, file: &Path, unused: &mut Vec<&Change>) -> String {
    unused.retain(|(path, from, to)| {
        let here = file == Path::new(path);
        if here {
            assert_eq!(text.matches(from).count(), 1, "{path} does not hold just once: {from}");
            text = text.replace(from, to);
        }
        !here
    });
    text
}

fn list(crate_root: &Path, directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(crate_root.join(directory)).unwrap() {
        let entry = entry.unwrap();
        let path = directory.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { list(crate_root, &path, files) } else { files.push(path) }
    }
}

fn write_if_changed(file: &Path, text: &str) {
    if fs::read_to_string(file).ok().as_deref() != Some(text) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

/// Runs Cargo without the network, with one target directory for all variants, so that they share what they
/// depend on.
fn cargo(folder: &Path, arguments: &[&str], rustc_flags: &[&str]) {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(scratch("variants").join("target"))
        .arg("--")
        .args(rustc_flags)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs rustc on one file of source text.
pub(crate) fn rustc(directory: &Path, crate_name: &str, source: &str, flags: &[&str]) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let file = directory.join(format!("{crate_name}.rs"));
    fs::write(&file, source).unwrap();
    let library = directory.join(format!("lib{crate_name}.so"));
    let output = Command::new("rustc")
        .args(["--crate-type", "cdylib", "--edition", "2024", "-o"])
        .arg(&library)
        .arg(&file)
        .args(flags)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
