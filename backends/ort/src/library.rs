//! Finds ONNX Runtime, and checks its version before anything else calls it.
//!
//! If a library is named (`--backend-option library=FILE`, else `ORT_DYLIB_PATH`), it is used, or loading fails.
//! Otherwise the first usable one is taken: beside the plugin; the Python package of the active environment; the
//! system's directories.

use std::env;
use std::ffi::CStr;
use std::fs;
use std::os::raw::c_char;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jig_plugin_api::{Error, ErrorCode, Result, search};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use ort::environment::Environment;

/// The variable that names the library, as in every program that uses the crate `ort`.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// The lowest minor version of ONNX Runtime 1.x: that of the API that this plugin is built for.
const LEAST_MINOR: u32 = ort::MINOR_VERSION;
const SYSTEM: [&str; 6] = [
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/opt/onnxruntime/lib",
];

/// A library that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Its version string (`1.32.0`).
    pub(crate) version: String,
}

/// Finds the library to use. `named` is the backend option.
///
/// # Errors
/// `DeviceUnavailable` with all places that were searched and the line that installs it.
pub(crate) fn find(named: Option<&Path>) -> Result<Found> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = named.map(|path| ("the option `library`", path.to_owned()));
    if let Some((by, path)) = named.or_else(|| Some((VARIABLE, variable?))) {
        return check(&path).map_err(|problem| unavailable(format!("{by} names {}: {problem}", path.display())));
    }
    let (mut bad, mut places) = (Vec::new(), Vec::new());
    for (place, directories) in places_to_search() {
        for candidate in directories.iter().flat_map(|directory| libraries(directory)) {
            match check(&candidate) {
                Ok(found) => return Ok(found),
                Err(problem) => bad.push(format!("\n  {}: {problem}", candidate.display())),
            }
        }
        places.push(place);
    }
    let install = "install it with `pip install onnxruntime` (onnxruntime-gpu for CUDA) in the active environment, or name the \
                   file libonnxruntime.so";
    Err(unavailable(format!(
        "ONNX Runtime 1.{LEAST_MINOR} or newer was not found; {install} in {VARIABLE} or --backend-option library=FILE. \
         Searched: {}{}",
        places.join(", "),
        bad.concat()
    )))
}

fn unavailable(message: String) -> Error {
    Error::new(ErrorCode::DeviceUnavailable, message)
}

/// The environment of ONNX Runtime, created from the library at the first call. A process can have only one.
///
/// # Errors
/// If the library can't be started, or another one is already in use.
pub(crate) fn start(found: &Found) -> Result<Environment> {
    static STARTED: Mutex<Option<(Found, Environment)>> = Mutex::new(None);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((first, environment)) = &*started {
        if first.path != found.path {
            let (first, other) = (first.path.display(), found.path.display());
            return Err(unavailable(format!("this process uses {first} already, and can't use {other} as well")));
        }
        return Ok(environment.clone());
    }
    let failed = |reason: String| unavailable(format!("{}: {reason}", found.path.display()));
    let builder = ort::init_from(&found.path).map_err(|error| failed(error.to_string()))?;
    let environment = builder.with_telemetry(false).build().map_err(|error| failed(error.to_string()))?;
    *started = Some((found.clone(), environment.clone()));
    Ok(environment)
}

/// Opens a library and asks for its version.
fn check(path: &Path) -> std::result::Result<Found, String> {
    // The loader would search for a name without a slash elsewhere.
    let path = fs::canonicalize(path).map_err(|error| error.to_string())?;
    if path.is_dir() {
        return Err("is a directory; name the file libonnxruntime.so".to_owned());
    }
    // SAFETY: running the initialisers of a library that is named as ONNX Runtime is what is asked for.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        format!("can't be loaded: {reason}")
    })?;
    let version = version(&library);
    // It may have started threads: never unload it.
    std::mem::forget(library);
    let version = version.ok_or("is not ONNX Runtime: it has no `OrtGetApiBase`")?;
    if !is_new_enough(&version) {
        return Err(format!("is ONNX Runtime {version}, and 1.{LEAST_MINOR} or newer is needed"));
    }
    Ok(Found { path, version })
}

fn version(library: &Library) -> Option<String> {
    type Base = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: the symbol of this name has this type in every version of ONNX Runtime; nothing else exports it.
    let base = unsafe { library.get::<Base>(b"OrtGetApiBase") }.ok()?;
    // SAFETY: it takes nothing and gives a pointer to static data, or null.
    let base = unsafe { base().as_ref() }?;
    // SAFETY: it gives a static C string, or null.
    let text: *const c_char = unsafe { (base.GetVersionString)() };
    if text.is_null() {
        return None;
    }
    // SAFETY: it is not null, and ends with NUL.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    major == 1 && minor >= LEAST_MINOR
}

/// The places to search, with their names for errors and their directories.
fn places_to_search() -> Vec<(String, Vec<PathBuf>)> {
    let plugin = own_file().and_then(|file| Some(file.parent()?.to_owned()));
    let beside = plugin.as_ref().map_or_else(|| "beside the plugin".to_owned(), |at| format!("{}", at.display()));
    let system = env::var_os("LD_LIBRARY_PATH").map(|value| env::split_paths(&value).collect::<Vec<_>>());
    let system = system.unwrap_or_default().into_iter().chain(SYSTEM.map(PathBuf::from)).collect();
    vec![
        (beside, plugin.into_iter().collect()),
        ("the package onnxruntime of the active Python environment".to_owned(), python_packages()),
        ("LD_LIBRARY_PATH and the system's directories".to_owned(), system),
    ]
}

/// The file of this plugin: the system knows which file this code was loaded from.
fn own_file() -> Option<PathBuf> {
    let here = own_file as fn() -> Option<PathBuf> as usize;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let range = usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?;
        range.contains(&here).then(|| line.find('/').map(|at| PathBuf::from(&line[at..])))?
    })
}

/// Directories of the Python package `onnxruntime`; `onnxruntime-gpu` has the same ones.
fn python_packages() -> Vec<PathBuf> {
    let capi = search::python_packages().into_iter().map(|packages| packages.join("onnxruntime/capi"));
    capi.filter(|capi| capi.is_dir()).collect()
}

/// The libraries in a directory; the plain name first, then the newest version.
fn libraries(directory: &Path) -> Vec<PathBuf> {
    let is_library = |name: &str| {
        let rest = name.strip_prefix("libonnxruntime.so");
        rest.is_some_and(|rest| rest.chars().all(|c| c == '.' || c.is_ascii_digit()))
    };
    let mut found = search::entries(directory, is_library);
    found.sort_by_key(|path| {
        let name = path.to_string_lossy().into_owned();
        let numbers = name.rsplit_once(".so").map(|(_, version)| version.to_owned()).unwrap_or_default();
        let numbers: Vec<i64> = numbers.split('.').filter_map(|part| part.parse().ok()).collect();
        (!numbers.is_empty(), numbers.into_iter().map(|number| -number).collect::<Vec<_>>())
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_new_enough(&format!("1.{LEAST_MINOR}.0")) && is_new_enough("1.100.2"));
        assert!(!is_new_enough("1.9.0") && !is_new_enough("2.30.0") && !is_new_enough("") && !is_new_enough("one.two"));
    }

    #[test]
    fn of_several_files_the_plain_name_and_then_the_newest_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let names =
            ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.30.1", "libonnxruntime.so", "libonnxruntime_x.so", "a"];
        for name in names {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let found = libraries(directory.path());
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(found, [names[2], names[1], names[0]]);
    }

    #[test]
    fn a_named_file_that_is_no_runtime_is_an_error_that_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("libonnxruntime.so");
        fs::write(&text, "not a library").unwrap();
        for (path, says) in [
            (text.as_path(), "can't be loaded"),
            (Path::new("/nonexistent/x.so"), "No such file"),
            (directory.path(), "directory"),
        ] {
            let error = find(Some(path)).unwrap_err();
            assert_eq!(error.code, ErrorCode::DeviceUnavailable);
            assert!(error.message.contains(says) && error.message.contains(path.to_str().unwrap()), "{error}");
        }
    }
}
