//! HTTPS from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::ServerError;

/// Reads a private key and the certificates that go with it.
pub(super) fn acceptor(key_file: &Path, certificate_file: &Path) -> Result<TlsAcceptor, ServerError> {
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
