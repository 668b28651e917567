//! Progress of one download: a bar on a terminal, else a log line now and then.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Between two log lines.
const INTERVAL: Duration = Duration::from_secs(10);

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { file: String, size: Option<u64>, position: u64, last: Instant },
}

impl Progress {
    pub(super) fn start(bars: bool, file: &str, size: Option<u64>, position: u64) -> Self {
        if bars {
            let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
            let style = "{msg:30!} [{bar:30}] {bytes:>11} of {total_bytes:<11} {bytes_per_sec:>12} {eta:>4}";
            // The template is a constant; were it wrong, the bar would have indicatif's own style.
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(file.to_owned());
            bar.set_position(position);
            bar.reset_eta();
            return Self::Bar(bar);
        }
        let total = size.map_or_else(String::new, |size| format!(" ({})", HumanBytes(size)));
        match position {
            0 => tracing::info!("downloading {file}{total}"),
            _ => tracing::info!("resuming {file}{total} at {}", HumanBytes(position)),
        }
        Self::Lines { file: file.to_owned(), size, position, last: Instant::now() }
    }

    /// Says how much of the file is there.
    pub(super) fn set(&mut self, now_at: u64) {
        match self {
            Self::Bar(bar) => bar.set_position(now_at),
            Self::Lines { file, size, position, last } => {
                *position = now_at;
                if last.elapsed() >= INTERVAL {
                    *last = Instant::now();
                    let total = size.map_or_else(String::new, |size| format!(" of {}", HumanBytes(size)));
                    tracing::info!("downloading {file}: {}{total}", HumanBytes(*position));
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        match self {
            Self::Bar(bar) => bar.finish(),
            Self::Lines { file, position, .. } => tracing::info!("downloaded {file} ({})", HumanBytes(*position)),
        }
    }
}
