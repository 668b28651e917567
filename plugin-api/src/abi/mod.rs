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
mod plugin;
#[cfg(test)]
mod tests;
mod types;
mod version;

pub use abi_stable::library::LibHeader;

pub use self::backend::{BackendObject, FfiBackend, FfiBackend_TO};
pub use self::extension::{Extension, OwnedExtension};
pub use self::host::{FfiHost, FfiHost_TO, HostObject};
pub use self::model::{FfiModel, FfiModel_TO, ModelObject};
pub use self::plugin::{
    PANIC_ABORT, PANIC_UNWIND, Plugin, PluginModule, PluginModule_Prefix, PluginModuleRef, ROOT_SYMBOL, header,
};
pub use self::types::*;
pub use self::version::AbiVersion;

pub(crate) use self::backend::LoadedBackendObject;
