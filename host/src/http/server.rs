//! Listening: from before the model is loaded to the end of the last answer, with its time limits.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, lookup_host};

use super::connections::{Connection, Entered};
use super::guarded::Guarded;
use super::timed::Timed;
use super::tls::Tls;
use super::{AppState, access, routes, watchdog};
use crate::protocol::ApiError;

/// The longest that a client may take for the head of a request, and for the handshake of HTTPS.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The longest that a client may read nothing of what is sent to it.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// How long answers may take to be sent after the engine is done.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// A name or an address.
    pub host: String,
    /// 0 for any that is free.
    pub port: u16,
    /// Private key and certificate, for HTTPS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// A port of its own for `/metrics` and the probes, beside the main one.
    pub metrics_port: Option<u16>,
    /// How long requests are still taken after the end was asked for, while the server says that it is not ready.
    pub shutdown_delay: Duration,
    /// How long running requests may go on after that.
    pub drain_timeout: Duration,
}

/// Why a server can't be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is in use, not allowed, or not this machine's.
    #[error("can't listen on {host}:{port}: {source}; choose another with --host and --port")]
    Listen {
        /// The host as it was given.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// A file for HTTPS is not what it should be.
    #[error("{flag} {}: {reason}", file.display())]
    Tls {
        /// The flag that named the file.
        flag: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A server that has its address and does not answer yet.
pub struct Server {
    listener: TcpListener,
    for_metrics: Option<TcpListener>,
    tls: Option<Tls>,
    shutdown_delay: Duration,
    drain_timeout: Duration,
}

impl Server {
    /// Takes the address and reads the files for HTTPS.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let tls = options.tls.clone().map(|(key, certificate)| Tls::new(key, certificate)).transpose()?;
        let listener = listen(&options.host, options.port).await?;
        let for_metrics = match options.metrics_port {
            Some(port) => Some(listen(&options.host, port).await?),
            None => None,
        };
        let refused = |source| ServerError::Listen { host: options.host.clone(), port: options.port, source };
        let address = listener.local_addr().map_err(refused)?;
        let ServerOptions { shutdown_delay, drain_timeout, .. } = options;
        tracing::info!("listening on {}://{address}", if tls.is_some() { "https" } else { "http" });
        if let Some(address) = for_metrics.as_ref().and_then(|listener| listener.local_addr().ok()) {
            tracing::info!("metrics on http://{address}/metrics");
        }
        Ok(Self { listener, for_metrics, tls, shutdown_delay, drain_timeout })
    }

    /// Whether nobody but this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listener.local_addr().is_ok_and(|address| address.ip().is_loopback())
    }

    /// Answers until `shutdown` is done; then takes no new requests, waits for the running ones and returns. The model may be loaded
    /// meanwhile.
    ///
    /// # Errors
    /// Options that can't be.
    pub async fn run(self, state: AppState, shutdown: impl Future<Output = ()>) -> Result<(), String> {
        let router = routes::router(state.clone())?;
        let graceful = GracefulShutdown::new();
        watchdog::start(&state);
        if let Some(listener) = self.for_metrics {
            let (router, state) = (routes::of_metrics_port(state.clone()), state.clone());
            // It answers to the end of the process.
            tokio::spawn(async move {
                loop {
                    accept(&listener, &router, None, &state, None).await;
                }
            });
        }
        // Connections are accepted until the last request is done, so that clients are told that the server is shutting down.
        let ended = async {
            shutdown.await;
            state.leave();
            let Some(service) = state.service() else { return };
            tokio::time::sleep(self.shutdown_delay).await;
            if !service.drain(self.drain_timeout).await {
                tracing::warn!("some requests were cut off after {} s", self.drain_timeout.as_secs());
            }
        };
        tokio::pin!(ended);
        loop {
            tokio::select! {
                () = accept(&self.listener, &router, self.tls.as_ref(), &state, Some(&graceful)) => {}
                () = &mut ended => break,
            }
        }
        drop(self.listener);
        if tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
            tracing::warn!("some answers were not read by their clients");
        }
        tracing::info!("done");
        Ok(())
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, ServerError> {
    let refused = |source| ServerError::Listen { host: host.to_owned(), port, source };
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(refused)?.collect();
    TcpListener::bind(&addresses[..]).await.map_err(refused)
}

/// Accepts one connection and serves it in a task of its own. Without `graceful` the end of the server does not wait for it.
async fn accept(
    listener: &TcpListener,
    router: &axum::Router,
    tls: Option<&Tls>,
    state: &AppState,
    graceful: Option<&GracefulShutdown>,
) {
    let stream = match listener.accept().await {
        Ok((stream, _)) => stream,
        Err(error) => {
            // Out of file descriptors, most likely: others will be closed.
            tracing::warn!("a connection could not be accepted: {error}");
            return tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let Some(entered) = state.connections().enter() else { return };
    let (router, tls, state) = (router.clone(), tls.map(Tls::acceptor), state.clone());
    let watcher = graceful.map(GracefulShutdown::watcher);
    tokio::spawn(async move {
        // Chunks of a stream are small and must not wait for each other.
        let _ = stream.set_nodelay(true);
        let connection = entered.connection.clone();
        let served = async {
            match tls {
                None => serve(stream, router, state, &entered, watcher).await,
                Some(tls) => match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, router, state, &entered, watcher).await,
                    Ok(Err(error)) => tracing::debug!("no TLS handshake: {error}"),
                    Err(_) => tracing::debug!("no TLS handshake in time"),
                },
            }
        };
        tokio::select! {
            () = served => {}
            () = connection.gives_way() => tracing::debug!("an idle connection gave way to a new one"),
        }
    });
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    state: AppState,
    entered: &Entered,
    watcher: Option<hyper_util::server::graceful::Watcher>,
) {
    let router = TowerToHyperService::new(router);
    let connection = entered.connection.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = connection.begin();
        let refused = refused(&connection, &state, request.uri().path());
        let answer = refused.is_none().then(|| router.call(request));
        async move {
            let response = match (refused, answer) {
                (None, Some(answer)) => answer.await?,
                (refused, _) => refused.unwrap_or_default(),
            };
            Ok::<_, Infallible>(Guarded::answer(response, busy))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(Timed::new(stream, WRITE_TIME)), service);
    let served = match watcher {
        Some(watcher) => watcher.watch(connection).await,
        None => connection.await,
    };
    if let Err(error) = served {
        tracing::debug!("a connection ended: {error}");
    }
}

/// The answer on a connection that is one too many, to all but probes.
fn refused(connection: &Connection, state: &AppState, path: &str) -> Option<Response> {
    if !connection.is_spare || access::is_open(path, &state.options().root_path) {
        return None;
    }
    state.connections().note_refused();
    let message = "the server is busy: it has as many connections as it may have (--max-connections); try again later";
    let mut response = ApiError::unavailable(message).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}
