//! The log: lines on standard error, of the host and of the plugin alike.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jig_plugin_api::{HostServices, LogLevel};
use tracing_subscriber::EnvFilter;

use super::CommandResult;

/// Starts logging.
pub(super) fn start(level: &str) -> CommandResult {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| format!("--log-level `{level}`: {error}; use error, warn, info, debug or trace"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init()?;
    Ok(())
}

/// What a plugin has of the host: its log lines go to the host's log, its progress to a bar or, where nobody
/// watches, to a line now and then.
#[derive(Debug)]
pub(super) struct PluginServices {
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    stage: String,
    bar: ProgressBar,
    last: Instant,
}

/// How long nothing is said of progress where there is no terminal.
const QUIET: Duration = Duration::from_secs(5);

impl PluginServices {
    pub(super) fn new() -> Self {
        Self { shown: Mutex::new(Shown { stage: String::new(), bar: ProgressBar::hidden(), last: Instant::now() }) }
    }
}

impl HostServices for PluginServices {
    fn log(&self, level: LogLevel, message: &str) {
        match level {
            LogLevel::Error => tracing::error!("{message}"),
            LogLevel::Warn => tracing::warn!("{message}"),
            LogLevel::Info => tracing::info!("{message}"),
            LogLevel::Debug => tracing::debug!("{message}"),
            LogLevel::Trace => tracing::trace!("{message}"),
        }
    }

    fn progress(&self, stage: &str, done: u64, total: u64) {
        let Ok(mut shown) = self.shown.lock() else { return };
        if shown.stage != stage {
            shown.bar.finish_and_clear();
            stage.clone_into(&mut shown.stage);
            shown.last = Instant::now();
            if std::io::stderr().is_terminal() {
                shown.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}") {
                    shown.bar.set_style(style);
                }
                shown.bar.set_message(stage.to_owned());
            }
        }
        shown.bar.set_length(total);
        shown.bar.set_position(done);
        if shown.bar.is_hidden() && shown.last.elapsed() > QUIET {
            shown.last = Instant::now();
            tracing::info!("{stage}: {done} of {total}");
        }
        if done >= total {
            shown.bar.finish_and_clear();
        }
    }
}
