//! `jig serve`: a model behind HTTP, until a signal ends it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::api::ApiArgs;
use super::load::LoadArgs;
use super::{CommandResult, MODEL_FREED_WITHIN};
use crate::http;

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
    /// Time that running requests have to finish after SIGTERM, in seconds
    #[arg(long, env = "JIG_DRAIN_TIMEOUT", value_name = "SECONDS", default_value_t = 30, help_heading = "Server")]
    drain_timeout: u64,
}

pub(super) fn run(args: &ServeArgs) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let options = http::ServerOptions {
        host: args.host.clone(),
        port: args.port,
        tls: args.ssl_keyfile.clone().zip(args.ssl_certfile.clone()),
        drain_timeout: Duration::from_secs(args.drain_timeout),
    };
    // Before the model: an address in use is known at once, not after minutes of loading.
    let server = runtime.block_on(http::Server::bind(options))?;
    let way_in = args.api.http()?;
    let loaded = args.load.load()?;
    // Whether that succeeds or not: what is not there is made when a request asks for it.
    let warming = loaded.compiler.clone();
    let _ = std::thread::Builder::new().name("warm-up".into()).spawn(move || warming.warm_up());
    let engine = loaded.engine.clone();
    let settings = args.api.settings(&loaded.name, &loaded.directory)?;
    let state =
        http::AppState::new(loaded.name, loaded.engine, loaded.preparation, loaded.chat_template, settings, way_in);
    runtime.block_on(server.run(state, shutdown()))?;
    // A compilation or a tokenization that nobody waits for may still run, and the end of the program does not wait for it either.
    runtime.shutdown_background();
    if !engine.finish(MODEL_FREED_WITHIN) {
        tracing::warn!("the backend did not free the model within {} s", MODEL_FREED_WITHIN.as_secs());
    }
    Ok(())
}

/// Waits for SIGTERM or SIGINT; a second one ends the process at once.
async fn shutdown() {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals can't be handled: the server runs until it is killed");
        return std::future::pending().await;
    };
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let name = next().await;
    tracing::info!("{name}: no new requests are taken, running ones finish; a second signal ends at once");
    tokio::spawn(async move {
        next().await;
        std::process::exit(1);
    });
}
