//! The backend that is linked into the program.

use std::sync::Arc;

use jig_plugin_api::Backend;

/// The name of the embedded backend.
pub(super) const NAME: &str = "cpu";

/// The CPU backend.
pub(super) fn backend() -> Arc<dyn Backend> {
    Arc::from(jig_backend_cpu::backend())
}
