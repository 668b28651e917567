//! Compiles the kernels to machine code for a GPU by NVRTC, with a cache on disk.
//!
//! The kernels are compiled for the GPU at hand when it is first used. A plugin with machine code for each generation
//! of GPUs would be larger, would not run on later generations, and would need the whole CUDA toolkit to build.

use std::ffi::CString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::raw::c_char;
use std::path::{Path, PathBuf};

use cudarc::nvrtc::{result, sys};
use jig_plugin_api::{Error, Result};

use crate::kernels::Source;

/// The result of compiling a source.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Machine code, as the driver loads it.
    pub cubin: Vec<u8>,
    /// The compiler's log: registers and spills of each kernel, and warnings.
    pub log: String,
}

/// A compute capability (`9.0`): the generation of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    /// `9` of `9.0`.
    pub major: u32,
    /// `0` of `9.0`.
    pub minor: u32,
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Compiles a source. NVRTC must be loaded: see [`crate::libraries::Libraries::find`].
///
/// # Errors
/// `Internal` with the compiler's log.
pub fn compile(source: &Source, capability: Capability) -> Result<Compiled> {
    let failed = |what: &str, error: result::NvrtcError| Error::internal(format!("{}: {what}: {error}", source.file));
    let text = CString::new(source.program()).map_err(|_| Error::internal("a kernel's source holds a NUL"))?;
    let name = CString::new(source.file).map_err(|_| Error::internal("a kernel's name holds a NUL"))?;
    let options = [
        format!("--gpu-architecture=sm_{}{}", capability.major, capability.minor),
        "--std=c++17".to_owned(),
        "--ptxas-options=-v".to_owned(),
    ];
    let program = Program(result::create_program(&text, Some(&name)).map_err(|error| failed("NVRTC", error))?);
    // SAFETY: the program lives until the end of this function.
    let outcome = unsafe { result::compile_program(program.0, &options) };
    // SAFETY: as above.
    let log = unsafe { result::get_program_log(program.0) }.map_err(|error| failed("NVRTC's log", error))?;
    let log: Vec<u8> = log.into_iter().map(|c| c.cast_unsigned()).take_while(|c| *c != 0).collect();
    let log = String::from_utf8_lossy(&log).into_owned();
    outcome.map_err(|error| Error::internal(format!("{} for {capability}: {error}\n{log}", source.file)))?;
    let mut size = 0;
    // SAFETY: the program was compiled; the pointer is to a size.
    let told = unsafe { sys::nvrtcGetCUBINSize(program.0, &mut size) };
    told.result().map_err(|error| failed("the size of its machine code", error))?;
    let mut cubin = vec![0u8; size];
    // SAFETY: there is room for as many bytes as it said.
    let told = unsafe { sys::nvrtcGetCUBIN(program.0, cubin.as_mut_ptr().cast::<c_char>()) };
    told.result().map_err(|error| failed("its machine code", error))?;
    Ok(Compiled { cubin, log })
}

struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: it was made once and is destroyed once. A failure here changes nothing for the caller.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

/// A cache of machine code on disk, keyed by a hash of everything that it depends on.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: Option<PathBuf>,
}

impl Cache {
    /// A cache in a directory, or one that keeps nothing.
    #[must_use]
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self { directory }
    }

    /// Its directory, if it keeps anything.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The user's: `$XDG_CACHE_HOME/jig/cuda`, else `~/.cache/jig/cuda`.
    #[must_use]
    pub fn users() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || Some(variable("HOME")?.join(".cache"));
        Self::new(variable("XDG_CACHE_HOME").or_else(home).map(|cache| cache.join("jig/cuda")))
    }

    /// Machine code from the cache, or else from the compiler, after which the cache has it. `compiler` is the
    /// compiler's version. Failures to read or write the cache are ignored.
    ///
    /// # Errors
    /// Those of the compiler.
    pub fn get(
        &self,
        source: &Source,
        capability: Capability,
        compiler: &str,
        compile: impl FnOnce() -> Result<Compiled>,
    ) -> Result<Vec<u8>> {
        let program = source.program();
        let mut hasher = DefaultHasher::new();
        (&program, capability, compiler).hash(&mut hasher);
        let name = format!("{}-{capability}-{:016x}.cubin", source.file, hasher.finish());
        let file = self.directory.as_ref().map(|directory| directory.join(name));
        // The file starts with the whole key, since the hash of its name may collide, and ends with its length, so that
        // a truncated file is rejected.
        let key = format!("{capability}\n{compiler}\n{program}\n");
        if let Some(cubin) = file.as_ref().and_then(|file| read(file, key.as_bytes())) {
            return Ok(cubin);
        }
        let cubin = compile()?.cubin;
        if let Some(file) = &file {
            // Without the file, the next start compiles again.
            let _ = write(file, key.as_bytes(), &cubin);
        }
        Ok(cubin)
    }
}

fn read(file: &Path, key: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = fs::read(file).ok()?;
    let body = bytes.len().checked_sub(8)?;
    let length = u64::from_le_bytes(bytes[body..].try_into().ok()?);
    let fits = bytes.starts_with(key) && usize::try_from(length).ok()? == body - key.len();
    fits.then(|| {
        bytes.truncate(body);
        bytes.split_off(key.len())
    })
}

/// Writes a file next to the final one and renames it, so that no other process reads half of it.
fn write(file: &Path, key: &[u8], cubin: &[u8]) -> std::io::Result<()> {
    let Some(directory) = file.parent() else { return Ok(()) };
    fs::create_dir_all(directory)?;
    let beside = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = fs::File::create(&beside)?;
    let written = out.write_all(key).and_then(|()| out.write_all(cubin));
    let written = written.and_then(|()| out.write_all(&(cubin.len() as u64).to_le_bytes()));
    written.and_then(|()| fs::rename(&beside, file)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::SOURCES;

    const NINE: Capability = Capability { major: 9, minor: 0 };

    fn code(cubin: &[u8]) -> Result<Compiled> {
        Ok(Compiled { cubin: cubin.to_vec(), log: String::new() })
    }

    #[test]
    fn what_was_compiled_once_comes_from_disk() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(directory.path().join("new")));
        let fail = || Err(Error::internal("compiled again"));
        assert_eq!(cache.get(&SOURCES[0], NINE, "13.2", || code(b"abc")).unwrap(), b"abc");
        assert_eq!(cache.get(&SOURCES[0], NINE, "13.2", fail).unwrap(), b"abc");
        // Another source, GPU or compiler is something else.
        assert!(cache.get(&SOURCES[1], NINE, "13.2", fail).is_err());
        assert!(cache.get(&SOURCES[0], Capability { major: 8, minor: 0 }, "13.2", fail).is_err());
        assert!(cache.get(&SOURCES[0], NINE, "13.3", fail).is_err());
    }

    #[test]
    fn a_damaged_file_is_compiled_again_and_no_directory_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(directory.path().to_owned()));
        assert_eq!(cache.get(&SOURCES[0], NINE, "13.2", || code(b"abcdef")).unwrap(), b"abcdef");
        let file = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&file).unwrap();
        for length in [0, 7, bytes.len() - 1] {
            fs::write(&file, &bytes[..length]).unwrap();
            assert_eq!(cache.get(&SOURCES[0], NINE, "13.2", || code(b"new")).unwrap(), b"new", "{length} bytes");
        }
        let none = Cache::new(Some(file.join("not-a-directory")));
        assert_eq!(none.get(&SOURCES[0], NINE, "13.2", || code(b"abc")).unwrap(), b"abc");
        assert_eq!(Cache::new(None).get(&SOURCES[0], NINE, "13.2", || code(b"abc")).unwrap(), b"abc");
    }
}
