//! What a plugin has of the host: the log, and somebody who shows its progress.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jig_plugin_api::{HostServices, LogLevel};

use crate::measure::Startup;

/// What a plugin has of the host: its log lines go to the host's log, its progress to a bar or, where nobody
/// watches, to a line now and then.
#[derive(Debug)]
pub(super) struct PluginServices {
    startup: Startup,
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
    pub(super) fn new(startup: Startup) -> Self {
        Self {
            startup,
            shown: Mutex::new(Shown { stage: String::new(), bar: ProgressBar::hidden(), last: Instant::now() }),
        }
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
        self.startup.begin(stage);
        self.startup.progress(done, total);
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
