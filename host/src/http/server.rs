//! Listening, connections, time limits, draining.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::{AppState, routes, tls};

/// The most connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// The longest that a client may take for the head of a request, and for the handshake of HTTPS.
const HEAD_TIME: Duration = Duration::from_secs(30);
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
    /// How long running requests may go on after the end was asked for.
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
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    drain_timeout: Duration,
}

impl Server {
    /// Takes the address and reads the files for HTTPS.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let tls = options.tls.as_ref().map(|(key, certificate)| tls::acceptor(key, certificate)).transpose()?;
        let refused = |source| ServerError::Listen { host: options.host.clone(), port: options.port, source };
        let addresses: Vec<SocketAddr> =
            lookup_host((options.host.as_str(), options.port)).await.map_err(refused)?.collect();
        let listener = TcpListener::bind(&addresses[..]).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, tls, drain_timeout: options.drain_timeout })
    }

    /// `http://127.0.0.1:8000`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// Answers until `shutdown` is done; then takes no new requests, waits for the running ones and returns.
    ///
    /// # Errors
    /// Options that can't be.
    pub async fn run(self, state: AppState, shutdown: impl Future<Output = ()>) -> Result<(), String> {
        let url = self.url();
        let router = routes::router(state.clone())?;
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        tracing::info!("listening on {url}");
        // Connections are accepted until the last request is done, so that clients are told that the server is shutting down.
        let ended = async {
            shutdown.await;
            if !state.service().drain(self.drain_timeout).await {
                tracing::warn!("some requests were cut off after {} s", self.drain_timeout.as_secs());
            }
        };
        tokio::pin!(ended);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &connections) => accepted,
                () = &mut ended => break,
            };
            let (stream, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: others will be closed.
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (router, tls, watcher) = (router.clone(), self.tls.clone(), graceful.watcher());
            tokio::spawn(async move {
                let _permit = permit;
                // Chunks of a stream are small and must not wait for each other.
                let _ = stream.set_nodelay(true);
                match tls {
                    None => serve(stream, router, watcher).await,
                    Some(tls) => match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
                        Ok(Ok(stream)) => serve(stream, router, watcher).await,
                        Ok(Err(error)) => tracing::debug!("no TLS handshake: {error}"),
                        Err(_) => tracing::debug!("no TLS handshake in time"),
                    },
                }
            });
        }
        drop(self.listener);
        if tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
            tracing::warn!("some answers were not read by their clients");
        }
        tracing::info!("done");
        Ok(())
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended: {error}");
    }
}
