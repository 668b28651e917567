//! Compiles the source of kernels to a shared library for this machine.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The text in front of each source, which defines CUDA's keywords and functions.
pub const PRELUDE: &str = include_str!("emulator.h");

/// This machine's C++ compiler.
///
/// # Errors
/// The compilers that were tried.
pub fn find() -> Result<PathBuf, String> {
    let chosen = std::env::var_os("CXX").map(PathBuf::from);
    let known = ["c++", "g++", "clang++"].map(PathBuf::from);
    let works =
        |compiler: &PathBuf| Command::new(compiler).arg("--version").output().is_ok_and(|out| out.status.success());
    let found = match chosen {
        Some(chosen) => Some(chosen).filter(works),
        None => known.into_iter().find(works),
    };
    found.ok_or_else(|| "no C++ compiler (CXX, c++, g++, clang++)".to_owned())
}

/// Compiles a source into a shared library in `directory`, unless it is there already.
///
/// # Errors
/// The compiler's output; warnings are errors.
pub fn build(directory: &Path, compiler: &Path, name: &str, source: &str) -> Result<PathBuf, String> {
    let program = format!("{PRELUDE}\n{source}");
    let mut hasher = DefaultHasher::new();
    (compiler, &program).hash(&mut hasher);
    let file = directory.join(format!("{name}-{:016x}.so", hasher.finish()));
    if file.is_file() {
        return Ok(file);
    }
    let wrong = |error: std::io::Error| format!("{}: {error}", file.display());
    fs::create_dir_all(directory).map_err(wrong)?;
    let beside = tempfile::tempdir_in(directory).map_err(wrong)?;
    let (source, library) = (beside.path().join(format!("{name}.cpp")), beside.path().join("library.so"));
    fs::write(&source, program).map_err(wrong)?;
    let out = Command::new(compiler)
        .args(["-std=c++17", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Wno-unknown-pragmas"])
        .args(["-o".as_ref(), library.as_os_str(), source.as_os_str()])
        .output()
        .map_err(wrong)?;
    let said = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() || !said.is_empty() {
        return Err(format!("{name}: {said}"));
    }
    // Another process may have been faster; its file is the same.
    fs::rename(library, &file).map_err(wrong)?;
    Ok(file)
}
