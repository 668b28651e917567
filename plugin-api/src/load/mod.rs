//! Loads a plugin from a shared library, on the host's side.
//!
//! [`backend`] opens a file, makes sure that it is a Jig plugin whose ABI agrees with this one, and hands back a
//! [`Backend`]. Libraries are never unloaded: threads and destructors of a plugin may outlive any use of it.

mod elf;

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{AbiInstabilityErrors, check_layout_compatibility};
use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::abi::{AbiVersion, LoadedBackendObject, PANIC_UNWIND, PluginModuleRef, ROOT_SYMBOL};
use crate::{Backend, Error};

/// A backend from a file. It dereferences to [`Backend`].
#[derive(Clone)]
pub struct LoadedBackend {
    backend: Arc<dyn Backend>,
    abi_version: AbiVersion,
    file: PathBuf,
}

impl LoadedBackend {
    /// The backend.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    /// The version of the ABI that the plugin was built for.
    #[must_use]
    pub fn abi_version(&self) -> AbiVersion {
        self.abi_version
    }

    /// The file that was loaded, as it was given to [`backend`].
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Deref for LoadedBackend {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        &*self.backend
    }
}

impl fmt::Debug for LoadedBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedBackend").field("file", &self.file).field("abi_version", &self.abi_version).finish()
    }
}

/// Why a file could not be loaded as a plugin. Its text names the file, what was found, what was expected and
/// what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file, as it was given to [`backend`].
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with the file of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file is missing or can't be read; the text is the system's.
    Unreadable(String),
    /// The path is a directory or something else that holds no bytes.
    NotAFile,
    /// The file is not a shared library for this machine; the text says what it is.
    NotALibrary(String),
    /// A library that the plugin needs is not found.
    MissingLibrary(String),
    /// A library that the plugin needs is there, but lacks a symbol or a version; the text is the loader's.
    MissingSymbol(String),
    /// A shared library that exports no root module of Jig.
    NotAPlugin,
    /// Built with a version of the underlying ABI library that does not fit; the text says which.
    ForeignFormat(String),
    /// A plugin for another major version of the ABI. The text is the plugin's version.
    OtherVersion(String),
    /// A plugin of a fitting version whose types have another layout.
    OtherLayout {
        /// The place and the difference: type, what was expected, what was found.
        difference: String,
        /// The version that the plugin claims.
        version: AbiVersion,
    },
    /// Built so that a panic ends the process.
    AbortsOnPanic,
    /// The plugin was loaded and failed to make its backend.
    Failed(Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = AbiVersion::current();
        write!(f, "{}: ", self.file.display())?;
        match &self.problem {
            Problem::Unreadable(reason) => write!(f, "can't be read: {reason}; check the path of the plugin"),
            Problem::NotAFile => f.write_str("is not a file; expected the shared library (.so) of a backend plugin"),
            Problem::NotALibrary(found) => {
                write!(f, "is not a shared library: {found}; expected the whole .so file of a backend plugin")
            }
            Problem::MissingLibrary(library) => write!(
                f,
                "needs the library `{library}`, which is not found; install it, or name its directory in LD_LIBRARY_PATH"
            ),
            Problem::MissingSymbol(detail) => write!(
                f,
                "does not fit the libraries of this system: {detail}; install the versions that the plugin was built \
                 for, or build the plugin on this system"
            ),
            Problem::NotAPlugin => write!(
                f,
                "is a shared library, but not a Jig backend plugin: it does not export `{ROOT_SYMBOL}`; a plugin calls \
                 `jig_plugin_api::export_backend!`"
            ),
            Problem::ForeignFormat(found) => write!(
                f,
                "was built with another version of abi_stable: {found}; build the plugin with jig-plugin-api {host}"
            ),
            Problem::OtherVersion(found) => write!(
                f,
                "was built for plugin ABI {found}, and this host has {host}; use a plugin built with jig-plugin-api \
                 {}.x, or the host that fits the plugin",
                host.major
            ),
            Problem::OtherLayout { difference, version } => write!(
                f,
                "claims plugin ABI {version}, but its types differ from those of this host ({host}): {difference}; build \
                 the plugin again with an unchanged jig-plugin-api {}.x",
                host.major
            ),
            Problem::AbortsOnPanic => f.write_str(
                "was built with panic = \"abort\", so that a bug in it would end the whole server; build it with \
                 panic = \"unwind\", which is Cargo's default",
            ),
            Problem::Failed(error) => write!(f, "was loaded, but could not start: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Loads the plugin in `file`.
///
/// Loading runs code of the file: load only what you trust. The same file may be loaded more than once; each
/// time gives a backend of its own.
///
/// # Errors
/// See [`Problem`].
pub fn backend(file: &Path) -> Result<LoadedBackend, LoadError> {
    let fail = |problem| LoadError { file: file.to_owned(), problem };
    let header = header(file).map_err(fail)?;
    let abi_version = check_version(header).map_err(fail)?;
    let module = checked_module(header, abi_version).map_err(fail)?;
    if module.panic_strategy() != PANIC_UNWIND {
        return Err(fail(Problem::AbortsOnPanic));
    }
    let object = module.new_backend()().into_result().map_err(|error| fail(Problem::Failed(error.into())))?;
    Ok(LoadedBackend { backend: Arc::new(LoadedBackendObject(object)), abi_version, file: file.to_owned() })
}

/// Opens the library and finds the header that every plugin exports.
fn header(file: &Path) -> Result<&'static LibHeader, Problem> {
    // The dynamic loader would look for a name without a slash in the system's directories.
    let path = fs::canonicalize(file).map_err(|error| Problem::Unreadable(error.to_string()))?;
    check_magic(&path)?;
    // SAFETY: running the initialisers of the library is what the caller asks for.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| loader_problem(&path, &loader_text(&error)))?;
    // Even if it is no plugin, its initialisers have run and may have started threads: never unload it.
    let library = Box::leak(Box::new(library));
    // SAFETY: the symbol, if it is there, was made by `export_backend!`: a `LibHeader`, which begins with the
    // `AbiHeader` that the reference is to. `upgrade` checks its magic number.
    let symbol = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL.as_bytes()) };
    let header: AbiHeaderRef = *symbol.map_err(|_| Problem::NotAPlugin)?;
    header.upgrade().map_err(|error| match error {
        LibraryError::InvalidAbiHeader(found) => Problem::ForeignFormat(format!(
            "layout format {}.{}, expected {}.{}",
            found.abi_major,
            found.abi_minor,
            abi_stable::library::AbiHeader::VALUE.abi_major,
            abi_stable::library::AbiHeader::VALUE.abi_minor,
        )),
        other => Problem::ForeignFormat(shorten(&other.to_string())),
    })
}

/// Whether the file is a whole shared library for this machine, as far as its headers tell: the dynamic loader trusts them.
fn check_magic(path: &Path) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| Problem::Unreadable(error.to_string());
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Problem::NotAFile);
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    (&file).take(4).read_to_end(&mut magic).map_err(unreadable)?;
    match &magic[..] {
        [] => Err(Problem::NotALibrary("the file is empty".to_owned())),
        b"\x7fELF" => match elf::problem(&file).map_err(unreadable)? {
            Some(problem) => Err(Problem::NotALibrary(problem)),
            None => Ok(()),
        },
        _ if cfg!(target_os = "linux") => Err(Problem::NotALibrary("it does not begin as an ELF file does".to_owned())),
        _ => Ok(()),
    }
}

/// The text of the dynamic loader.
fn loader_text(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// Classifies the texts of glibc's and musl's loaders by remedy.
fn loader_problem(path: &Path, text: &str) -> Problem {
    let text = text.trim();
    if let Some((library, _)) = text.split_once(": cannot open shared object file")
        && Path::new(library) != path
    {
        return Problem::MissingLibrary(library.to_owned());
    }
    if let Some(rest) = text.strip_prefix("Error loading shared library ")
        && let Some((library, _)) = rest.split_once(':')
    {
        return Problem::MissingLibrary(library.to_owned());
    }
    // The message begins with the path, which the error names already.
    let detail = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(text);
    if ["undefined symbol", "symbol not found", "' not found"].iter().any(|phrase| detail.contains(phrase)) {
        return Problem::MissingSymbol(shorten(detail));
    }
    Problem::NotALibrary(shorten(detail))
}

/// The plugin's version, if this host can use it.
fn check_version(header: &LibHeader) -> Result<AbiVersion, Problem> {
    let text = header.version_strings().version.as_str();
    AbiVersion::parse(text)
        .filter(|version| version.major == AbiVersion::current().major)
        .ok_or_else(|| Problem::OtherVersion(shorten(text)))
}

/// Checks that the types of both sides fit, and takes the root module.
///
/// The layout checker asks whether the second layout has everything of the first. A newer plugin is checked in this
/// direction. An older one is checked the other way round: the host must have everything of the plugin, and has a
/// default for what the plugin lacks.
fn checked_module(header: &'static LibHeader, version: AbiVersion) -> Result<PluginModuleRef, Problem> {
    let host = <PluginModuleRef as StableAbi>::LAYOUT;
    let Some(plugin) = header.layout() else {
        let difference = "it describes none of its types".to_owned();
        return Err(Problem::OtherLayout { difference, version });
    };
    let checked = if version >= AbiVersion::current() {
        check_layout_compatibility(host, plugin)
    } else {
        check_layout_compatibility(plugin, host)
    };
    checked.map_err(|errors| Problem::OtherLayout { difference: difference(&errors), version })?;
    // SAFETY: the layouts were compared just now: each field of the smaller one is in the larger one, at the same
    // place and of the same type, and fields that may be missing are reached only through checked accessors.
    let module = unsafe { header.unchecked_layout::<PluginModuleRef>() };
    module.map_err(|error| Problem::Failed(Error::internal(shorten(&error.to_string()))))
}

/// The innermost difference, in a line or two: the full report is tens of kilobytes.
fn difference(errors: &AbiInstabilityErrors) -> String {
    let Some(last) = errors.errors.last() else {
        return "the layouts differ".to_owned();
    };
    let place = last.stack_trace.last().map(|place| shorten(&place.expected.to_string()));
    // The report of one error, without the errors around it and the layouts of its types.
    let report = last.to_string();
    let what = report.rfind("\nError:").map_or("the layouts differ", |start| &report[start..]);
    match place {
        Some(place) => format!("in `{place}`: {}", shorten(what)),
        None => shorten(what),
    }
}

/// One line of at most 300 characters.
fn shorten(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(300) {
        line.truncate(end);
        line.push_str(" ...");
    }
    line
}
