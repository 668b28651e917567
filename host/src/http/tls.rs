//! HTTPS from PEM files, which are read again when they change: certificates are replaced under running servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::ServerError;

/// Between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(1);

/// A private key and the certificates that go with it.
pub(super) struct Tls {
    key: PathBuf,
    certificate: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// When the files were written that it was read from, or that could not be used.
    written: Written,
    looked: Instant,
}

/// When two files were written.
type Written = [Option<SystemTime>; 2];

impl Tls {
    /// Reads the files.
    pub(super) fn new(key: PathBuf, certificate: PathBuf) -> Result<Self, ServerError> {
        let written = written(&key, &certificate);
        let acceptor = acceptor(&key, &certificate)?;
        Ok(Self { key, certificate, current: Mutex::new(Current { acceptor, written, looked: Instant::now() }) })
    }

    /// What is to shake hands with the next client. Files that have changed and can't be used are told of, and those before stay in use: the other
    /// file may be about to follow.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() < INTERVAL {
            return current.acceptor.clone();
        }
        current.looked = Instant::now();
        let written = written(&self.key, &self.certificate);
        if written != current.written {
            current.written = written;
            match acceptor(&self.key, &self.certificate) {
                Ok(acceptor) => {
                    tracing::info!("{}: a new certificate is in use", self.certificate.display());
                    current.acceptor = acceptor;
                }
                Err(problem) => tracing::warn!("{problem}; the certificate before stays in use"),
            }
        }
        current.acceptor.clone()
    }
}

fn written(key: &Path, certificate: &Path) -> Written {
    [key, certificate].map(|file| fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
}

/// Reads a private key and the certificates that go with it.
fn acceptor(key_file: &Path, certificate_file: &Path) -> Result<TlsAcceptor, ServerError> {
    let wrong = |flag, file: &Path, reason: String| ServerError::Tls { flag, file: PathBuf::from(file), reason };
    let of_certificate = |reason: String| wrong("--ssl-certfile", certificate_file, reason);
    let certificates = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_certificate(error.to_string()))?;
    if certificates.is_empty() {
        return Err(of_certificate("it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| wrong("--ssl-keyfile", key_file, format!("no private key in it: {error}")))?;
    // Named, since a provider that is found by itself must be the only one in the program.
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| of_certificate(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| of_certificate(format!("it does not go with the key of --ssl-keyfile: {error}")))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
