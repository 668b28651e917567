//! What a plugin exports, and the macro that exports it.

use abi_stable::StableAbi;
use abi_stable::library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;

use super::backend::{BackendObject, ExportedBackend};
use super::guard::guard;
use super::types::FfiResult;

/// The name of the symbol that a plugin exports: a [`LibHeader`].
pub const ROOT_SYMBOL: &str = "jig_backend_root_module";

/// [`PluginModule::panic_strategy`] of a plugin whose panics unwind and can be caught.
pub const PANIC_UNWIND: u32 = 0;
/// [`PluginModule::panic_strategy`] of a plugin whose panics end the process.
pub const PANIC_ABORT: u32 = 1;

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
        guard("export_backend!", || Ok(ExportedBackend::object(P::backend())))
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
