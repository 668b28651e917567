//! What crosses the library boundary, and the two adapters on its sides.
//!
//! No author of a plugin and no user of one needs this module: they see [`crate::Backend`] and
//! [`crate::Model`], write `export_backend!` on the one side and call [`crate::load`] on the other.
//!
//! ```text
//! host                                   boundary                          plugin
//! dyn Model  <-  LoadedModel  ->  FfiModel_TO (layout-checked)  ->  ExportedModel  ->  the author's Model
//! dyn HostServices  <-  ExportedHost  <-  FfiHost_TO  <-  LoadedHost  <-  the author's Model
//! ```
//!
//! # How it grows
//!
//! The version of this crate is the version of the ABI. Within a major version it only grows, at these places:
//!
//! * **Methods** are appended to the `Ffi*` traits after the one marked `last_prefix_field`, each with a default
//!   body, which runs where the other side is too old to have the method.
//! * **Fields of the root module** are appended to [`PluginModule`], each with `missing_field(default)` or an
//!   `Option`.
//! * **Fields of data** become a named [`Extension`]; the structs themselves never change. The rule of
//!   extensions: what goes *to* a plugin is a wish, so a plugin refuses one that it does not know; what comes *from*
//!   a plugin is information, so a host ignores one that it does not know. A wish is sent only where it differs
//!   from its default, so that a newer host gets along with an older plugin until somebody asks for
//!   something new.
//! * **Codes** ([`crate::ErrorCode`], [`crate::LogitsWanted`]) are integers.
//!
//! # Panics
//!
//! Unwinding across the boundary would end the process. Every call into a plugin catches a panic on the plugin's side
//! and gives [`crate::ErrorCode::Panic`] with its text; every call into the host catches it on the host's. A plugin built
//! with `panic = "abort"` can't be guarded; it says so in its root module, and the host refuses it.
//!
//! # Ownership
//!
//! What goes to a plugin is borrowed for the call (`RSlice`, `RStr`: token lists and masks are never copied).
//! What comes back is owned (`RVec`, `RString`) and carries the function that frees it, so each side may have an
//! allocator of its own.

// What the macro of abi_stable 0.11 expands to.
#![allow(non_local_definitions)]

mod backend;
mod extension;
mod guard;
mod host;
mod model;
#[cfg(test)]
mod tests;
mod types;

use std::fmt;

use abi_stable::StableAbi;
use abi_stable::library::{CheckTypeLayout, RootModule, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::RResult;

pub use abi_stable::library::LibHeader;

pub use self::backend::{BackendObject, FfiBackend, FfiBackend_TO};
pub use self::extension::{Extension, OwnedExtension};
pub use self::host::{FfiHost, FfiHost_TO, HostObject};
pub use self::model::{FfiModel, FfiModel_TO, ModelObject};
pub use self::types::*;

pub(crate) use self::backend::LoadedBackendObject;

use self::backend::ExportedBackend;

/// The name of the symbol that a plugin exports: a [`LibHeader`].
pub const ROOT_SYMBOL: &str = "jig_backend_root_module";

/// [`PluginModule::panic_strategy`] of a plugin whose panics unwind and can be caught.
pub const PANIC_UNWIND: u32 = 0;
/// [`PluginModule::panic_strategy`] of a plugin whose panics end the process.
pub const PANIC_ABORT: u32 = 1;

/// A result that crosses the boundary.
pub type FfiResult<T> = RResult<T, FfiError>;

/// What a plugin exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
pub struct PluginModule {
    /// What a panic does in the plugin: [`PANIC_UNWIND`] or [`PANIC_ABORT`].
    pub panic_strategy: u32,
    /// Makes a backend.
    #[sabi(last_prefix_field)]
    pub new_backend: extern "C" fn() -> FfiResult<BackendObject>,
    // Fields of later minor versions go here.
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "jig_backend";
    const NAME: &'static str = "jig_backend";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}

/// A version of the ABI: that of this crate when the host or the plugin was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbiVersion {
    /// Versions that differ here do not fit together.
    pub major: u32,
    /// Versions that differ here do.
    pub minor: u32,
}

impl AbiVersion {
    /// The version that this crate has.
    #[must_use]
    pub fn current() -> Self {
        Self::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Self { major: 0, minor: 0 })
    }

    /// Reads `major.minor[.patch...]`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        Some(Self { major: parts.next()?.parse().ok()?, minor: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What `export_backend!` implements for a plugin.
#[doc(hidden)]
pub trait Plugin: 'static {
    /// [`PANIC_UNWIND`] or [`PANIC_ABORT`]; only the plugin's own crate knows.
    const PANIC_STRATEGY: u32;

    /// Makes the backend. May panic.
    fn backend() -> Box<dyn crate::Backend>;
}

/// The value of the exported symbol of a plugin.
#[doc(hidden)]
#[must_use]
pub const fn header<P: Plugin>() -> LibHeader {
    extern "C" fn construct<P: Plugin>() -> RootModuleResult {
        abi_stable::library::__call_root_module_loader(module::<P>)
    }
    fn module<P: Plugin>() -> PluginModuleRef {
        PluginModule { panic_strategy: P::PANIC_STRATEGY, new_backend: new_backend::<P> }.leak_into_prefix()
    }
    extern "C" fn new_backend<P: Plugin>() -> FfiResult<BackendObject> {
        guard::guard("export_backend!", || Ok(ExportedBackend::object(P::backend())))
    }
    // SAFETY: `construct` gives what `module` returns, which is a `PluginModuleRef`.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(construct::<P>, CheckTypeLayout::Yes) }
}

/// Exports a backend from a shared library: `export_backend!(EXPR);`, where `EXPR` is a value that implements
/// [`Backend`](crate::Backend).
///
/// Write it once, at the top of a crate of type `cdylib`. The expression is evaluated each time a host loads the
/// library. A panic in it, or in any call of the backend, becomes an error of that call; for this the
/// plugin must be built with `panic = "unwind"`, which is Cargo's default (a host refuses one that is not).
///
/// The macro exports one symbol, `jig_backend_root_module`. Two crates that use it can't be linked statically
/// into one program; hide it behind a feature where that is wanted.
#[macro_export]
macro_rules! export_backend {
    ($backend:expr $(,)?) => {
        const _: () = {
            struct Plugin;

            impl $crate::abi::Plugin for Plugin {
                const PANIC_STRATEGY: u32 =
                    if cfg!(panic = "unwind") { $crate::abi::PANIC_UNWIND } else { $crate::abi::PANIC_ABORT };

                fn backend() -> ::std::boxed::Box<dyn $crate::Backend> {
                    ::std::boxed::Box::new($backend)
                }
            }

            // SAFETY: the symbol has the name that `$crate::load` looks for, and the type that it expects.
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals)]
            static jig_backend_root_module: $crate::abi::LibHeader = $crate::abi::header::<Plugin>();
        };
    };
}
