//! [`HostServices`] across the boundary: here the plugin is the caller.

use std::sync::Arc;

use abi_stable::sabi_trait;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RArc, RStr};

use super::guard;
use crate::{HostServices, LogLevel};

/// [`HostServices`] as it crosses the boundary.
#[sabi_trait]
pub trait FfiHost: Send + Sync {
    /// [`HostServices::log`]; `level` is 0 (error) to 4 (trace), and what is above is trace.
    fn log(&self, level: u32, message: RStr<'_>);

    /// [`HostServices::progress`].
    #[sabi(last_prefix_field)]
    fn progress(&self, stage: RStr<'_>, done: u64, total: u64);

    // Methods of later minor versions go here, each with a default.
}

/// The host's services as a plugin holds them.
pub type HostObject = FfiHost_TO<'static, RArc<()>>;

/// The host's side: hands calls of the plugin to the host, and keeps the host's panics from the plugin.
pub(super) struct ExportedHost(Arc<dyn HostServices>);

impl ExportedHost {
    pub(super) fn object(host: Arc<dyn HostServices>) -> HostObject {
        FfiHost_TO::from_ptr(RArc::new(Self(host)), TD_Opaque)
    }
}

impl FfiHost for ExportedHost {
    fn log(&self, level: u32, message: RStr<'_>) {
        let level = match level {
            0 => LogLevel::Error,
            1 => LogLevel::Warn,
            2 => LogLevel::Info,
            3 => LogLevel::Debug,
            _ => LogLevel::Trace,
        };
        guard::silent(|| self.0.log(level, message.as_str()));
    }

    fn progress(&self, stage: RStr<'_>, done: u64, total: u64) {
        guard::silent(|| self.0.progress(stage.as_str(), done, total));
    }
}

/// The plugin's side: looks like the host.
pub(super) struct LoadedHost(pub(super) HostObject);

impl HostServices for LoadedHost {
    fn log(&self, level: LogLevel, message: &str) {
        let level = match level {
            LogLevel::Error => 0,
            LogLevel::Warn => 1,
            LogLevel::Info => 2,
            LogLevel::Debug => 3,
            LogLevel::Trace => 4,
        };
        self.0.log(level, message.into());
    }

    fn progress(&self, stage: &str, done: u64, total: u64) {
        self.0.progress(stage.into(), done, total);
    }
}
