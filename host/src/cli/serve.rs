//! `jig serve`: a model behind HTTP, until a signal ends it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::api::ApiArgs;
use super::load::LoadArgs;
use super::{CommandResult, MODEL_FREED_WITHIN};
use crate::engine::EngineHandle;
use crate::http;
use crate::measure::Startup;
use crate::protocol::Service;

#[derive(Args, Clone, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    api: ApiArgs,
    /// The address to listen on; 0.0.0.0 for all
    #[arg(long, env = "JIG_HOST", default_value = "127.0.0.1", help_heading = "Server")]
    host: String,
    /// The port to listen on; 0 for any that is free
    #[arg(long, env = "JIG_PORT", default_value_t = 8000, help_heading = "Server")]
    port: u16,
    /// The private key for HTTPS, a PEM file
    #[arg(long, env = "JIG_SSL_KEYFILE", value_name = "FILE", requires = "ssl_certfile", help_heading = "Server")]
    ssl_keyfile: Option<PathBuf>,
    /// The certificate chain for HTTPS, a PEM file
    #[arg(long, env = "JIG_SSL_CERTFILE", value_name = "FILE", requires = "ssl_keyfile", help_heading = "Server")]
    ssl_certfile: Option<PathBuf>,
    /// A port of its own for /metrics, /health and /version, beside the main one
    #[arg(long, env = "JIG_METRICS_PORT", value_name = "PORT", help_heading = "Server")]
    metrics_port: Option<u16>,
    /// The most connections; idle ones are closed for new ones
    #[arg(long, env = "JIG_MAX_CONNECTIONS", value_name = "N", default_value_t = 4096, help_heading = "Server",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: u32,
    /// How long no step of the engine may end, in seconds, before /health/live says so and the log tells where the threads stand; 0 for
    /// ever
    #[arg(long, env = "JIG_STALL_TIMEOUT", value_name = "SECONDS", default_value_t = 120.0, help_heading = "Server",
          value_parser = seconds)]
    stall_timeout: f64,
    /// What is done then: unhealthy (/health/live is 503) or abort (the process ends)
    #[arg(long, env = "JIG_STALL_ACTION", value_enum, default_value_t = StallArg::Unhealthy, help_heading = "Server")]
    stall_action: StallArg,
    /// Which requests are logged when their answers end: off, errors or all. Probes and /metrics never are
    #[arg(long, env = "JIG_ACCESS_LOG", value_name = "off|errors|all", value_enum, default_value_t = AccessLogArg::All,
          help_heading = "Server", hide_possible_values = true)]
    access_log: AccessLogArg,
    /// Time after SIGTERM in which requests are still taken, in seconds, while /health/ready says 503
    #[arg(long, env = "JIG_SHUTDOWN_DELAY", value_name = "SECONDS", default_value_t = 0, help_heading = "Server")]
    shutdown_delay: u64,
    /// Time that running requests have to finish after SIGTERM and --shutdown-delay, in seconds
    #[arg(long, env = "JIG_DRAIN_TIMEOUT", value_name = "SECONDS", default_value_t = 30, help_heading = "Server")]
    drain_timeout: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AccessLogArg {
    Off,
    Errors,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StallArg {
    Unhealthy,
    Abort,
}

/// A time that is none below zero and no million years.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e9).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds, at least 0, is wanted".to_owned())
}

/// Between two looks at a file of keys.
const KEYS_INTERVAL: Duration = Duration::from_secs(1);
/// Files beside connections: models, pipes, the log.
const OTHER_FILES: u64 = 128;

pub(super) fn run(args: &ServeArgs) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let options = http::ServerOptions {
        host: args.host.clone(),
        port: args.port,
        metrics_port: args.metrics_port,
        tls: args.ssl_keyfile.clone().zip(args.ssl_certfile.clone()),
        shutdown_delay: Duration::from_secs(args.shutdown_delay),
        drain_timeout: Duration::from_secs(args.drain_timeout),
    };
    // Before the model: an address in use is known at once, and probes are answered while it is loaded.
    let server = runtime.block_on(http::Server::bind(options))?;
    let startup = Startup::default();
    let options = args.way_in(server.is_loopback())?;
    watch_keys(&options.keys);
    let state = http::AppState::loading(startup.clone(), options);
    let signals = runtime.block_on(async { Signals::catch() })?;
    let running = runtime.spawn(serve(server, state.clone(), signals));
    let served = args.load(&startup, &state).and_then(|engine| {
        runtime.block_on(running)??;
        Ok(engine)
    });
    // A compilation or a tokenization that nobody waits for may still run, and the end of the program does not wait for it either.
    runtime.shutdown_background();
    if !served?.finish(MODEL_FREED_WITHIN) {
        tracing::warn!("the backend did not free the model within {} s", MODEL_FREED_WITHIN.as_secs());
    }
    Ok(())
}

/// Serves to the end. Where that comes while the model is loaded, it is the end of the process: nothing can stop a backend that loads.
async fn serve(server: http::Server, state: http::AppState, signals: Signals) -> Result<(), String> {
    let served = server.run(state.clone(), shutdown(signals)).await;
    if state.is_loading() {
        tracing::info!("ended while the model was being loaded");
        std::process::exit(0);
    }
    served
}

impl ServeArgs {
    fn way_in(&self, is_loopback: bool) -> Result<http::HttpOptions, Box<dyn std::error::Error + Send + Sync>> {
        let options = self.api.http()?;
        let is_open = options.keys.is_open();
        if is_open && !is_loopback {
            tracing::warn!(
                "everybody who can reach {} may ask: no keys are wanted (--api-key, --api-key-file)",
                self.host
            );
        }
        Ok(http::HttpOptions {
            hosts: if is_open && is_loopback { self.api.hosts()? } else { http::Hosts::Any },
            access_log: match self.access_log {
                AccessLogArg::Off => http::AccessLog::Off,
                AccessLogArg::Errors => http::AccessLog::Errors,
                AccessLogArg::All => http::AccessLog::All,
            },
            max_answers_bytes: self.load.max_answer_bytes(),
            max_connections: connections(self.max_connections as usize),
            stall_timeout: (self.stall_timeout > 0.0).then(|| Duration::from_secs_f64(self.stall_timeout)),
            stall_action: match self.stall_action {
                StallArg::Unhealthy => http::StallAction::Unhealthy,
                StallArg::Abort => http::StallAction::Abort,
            },
            ..options
        })
    }

    /// Loads the model and has it served.
    fn load(
        &self,
        startup: &Startup,
        state: &http::AppState,
    ) -> Result<EngineHandle, Box<dyn std::error::Error + Send + Sync>> {
        let loaded = self.load.load(startup)?;
        let settings = self.api.settings(&loaded.name, &loaded.directory)?;
        // Whether that succeeds or not: what is not there is made when a request asks for it.
        let warming = loaded.compiler.clone();
        let _ = std::thread::Builder::new().name("warm-up".into()).spawn(move || warming.warm_up());
        let engine = loaded.engine.clone();
        let service = Service::new(loaded.name, loaded.engine, loaded.preparation, settings);
        state.serve(service.with_chat_template(loaded.chat_template), &loaded.backend);
        tracing::info!("ready after {:.2} s", startup.age().as_secs_f64());
        Ok(engine)
    }
}

/// Reads a file of keys again when it has changed, as long as the process runs.
fn watch_keys(keys: &http::Keys) {
    let keys = keys.clone();
    if keys.is_open() {
        return;
    }
    let watch = move || {
        loop {
            std::thread::sleep(KEYS_INTERVAL);
            keys.reload_if_changed();
        }
    };
    if let Err(error) = std::thread::Builder::new().name("keys".into()).spawn(watch) {
        tracing::error!("changes of --api-key-file are not seen: {error}");
    }
}

/// As many connections as were asked for, or as the system has files for. The system's own limit for each process is raised where it may be.
fn connections(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let needed = wanted as u64 + OTHER_FILES;
    let enough = |current: Option<u64>| current.is_none_or(|current| current >= needed);
    if enough(limit.current) {
        return wanted;
    }
    let raised = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }) {
        Ok(()) => raised,
        Err(_) => limit.current.unwrap_or(needed),
    };
    let possible = usize::try_from(raised.saturating_sub(OTHER_FILES)).unwrap_or(wanted).clamp(1, wanted);
    if possible < wanted {
        tracing::warn!("at most {possible} connections: the system allows {raised} open files (ulimit -n)");
    }
    possible
}

/// The signals that ask for the end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them from now on.
    fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for a signal; a second one ends the process at once.
async fn shutdown(mut signals: Signals) {
    let name = signals.next().await;
    tracing::info!("{name}: the server ends, running requests finish; a second signal ends at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(1);
    });
}
