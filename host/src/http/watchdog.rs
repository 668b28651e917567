//! Tells when the engine makes no progress, and where its threads stand.

use std::time::Duration;

use super::AppState;
use crate::measure;

/// What is done about an engine that makes no progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StallAction {
    /// `/health/live` says so.
    #[default]
    Unhealthy,
    /// The process ends.
    Abort,
}

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Watches the engine from a thread of its own, which neither the engine nor a connection can block.
pub(super) fn start(state: &AppState) {
    let Some(limit) = state.options().stall_timeout else { return };
    let (state, action) = (state.clone(), state.options().stall_action);
    let watch = move || {
        let mut is_stalled = false;
        loop {
            std::thread::sleep(INTERVAL.min(limit));
            let Some(engine) = state.service().map(|service| service.engine()) else { continue };
            if !engine.is_alive() {
                return;
            }
            let age = engine.step_age();
            match (age > limit, is_stalled) {
                (true, false) => tell(age, engine.place(), action),
                (false, true) => tracing::warn!("the engine goes on"),
                _ => {}
            }
            is_stalled = age > limit;
        }
    };
    if let Err(error) = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch) {
        tracing::error!("the engine can't be watched: {error}");
    }
}

fn tell(age: Duration, place: &str, action: StallAction) {
    tracing::error!("no step of the engine has ended for {:.1} s; its thread: {place}", age.as_secs_f64());
    for thread in measure::threads() {
        tracing::error!("thread {thread}");
    }
    if action == StallAction::Abort {
        tracing::error!("the process ends, as --stall-action says");
        std::process::abort();
    }
}
