//! The serving certificate, from files that may change at any time.

use std::path::PathBuf;
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::adapters::files::{ReadError, read_bounded};

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// A file is not PEM of the kind that it should be.
    #[error("{path} cannot be read as PEM: {source}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why; the library names no content.
        source: pem::Error,
    },
    /// Certificate and key do not fit each other or the library.
    #[error("the certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The longest file of certificates or keys that is read, in bytes.
const MAX_PEM_LEN: u64 = 1024 * 1024;

/// Where the serving certificate and its key are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and its chain, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads both files.
    pub fn load(&self) -> Result<RustlsConfig, TlsError> {
        Ok(RustlsConfig::from_config(self.server_config()?))
    }

    /// Reads both files again; new connections get what they hold. On an error the old
    /// certificate goes on.
    pub fn reload(&self, config: &RustlsConfig) -> Result<(), TlsError> {
        config.reload_from_config(self.server_config()?);
        Ok(())
    }

    /// When the certificate ends, in epoch seconds, where that can be read.
    #[cfg(feature = "vault")]
    pub fn ends_at(&self) -> Option<i64> {
        let text = read_bounded(&self.certificate, MAX_PEM_LEN).ok()?;
        let first = CertificateDer::pem_slice_iter(&text).next()?.ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&first).ok()?;
        Some(certificate.validity().not_after.timestamp())
    }

    fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let read = |path: &PathBuf| {
            let text = read_bounded(path, MAX_PEM_LEN).map(Zeroizing::new);
            text.map_err(|source| TlsError::Read { path: path.clone(), source })
        };
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        server_config(&certificate, &key).map_err(|error| match error {
            PemError::Certificate(source) => {
                TlsError::Pem { path: self.certificate.clone(), source }
            }
            PemError::Key(source) => TlsError::Pem { path: self.key.clone(), source },
            PemError::Unusable(error) => TlsError::Unusable(error),
        })
    }
}

/// Why a certificate and key that are at hand cannot be served. The libraries name no content.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The certificates are not PEM.
    #[error("the certificate cannot be read as PEM: {0}")]
    Certificate(pem::Error),
    /// The key is not PEM.
    #[error("the key cannot be read as PEM: {0}")]
    Key(pem::Error),
    /// They do not fit each other or the library.
    #[error("the certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What serves a certificate with its chain, and its key, both in PEM.
pub fn server_config(certificate: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, PemError> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(PemError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(PemError::Key)?;
    let mut config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
