//! What the host does for a plugin.
//!
//! A plugin has its own copy of the standard library, so its globals (panic hook, `tracing` subscribers, thread names)
//! are not the host's. Its log lines and progress go through these calls.

/// How loud a log line is, from `Error` (always shown) to `Trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is wrong, and work continues.
    Warn,
    /// Events for an operator.
    Info,
    /// Details for a developer.
    Debug,
    /// Everything.
    Trace,
}

/// What a plugin may ask of the host, from any thread, for as long as the model lives.
pub trait HostServices: Send + Sync {
    /// Writes a line to the host's log.
    fn log(&self, level: LogLevel, message: &str);

    /// Reports the progress of loading: `done` of `total` bytes (or steps) of `stage`. `total` is 0 if unknown.
    fn progress(&self, stage: &str, done: u64, total: u64);
}

/// Host services that discard everything, for tests and tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl HostServices for Silent {
    fn log(&self, _level: LogLevel, _message: &str) {}
    fn progress(&self, _stage: &str, _done: u64, _total: u64) {}
}
