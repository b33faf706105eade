//! Whose certificates are believed by whoever asks over TLS.

use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// The authorities in a PEM text, or what is wrong with it.
pub fn of_pem(pem: &[u8]) -> Result<Vec<Certificate<'static>>, &'static str> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err("the file is not well-formed PEM"),
        }
    }
    if certificates.is_empty() { Err("the file holds no certificate") } else { Ok(certificates) }
}

/// Those in `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set, as OpenSSL has it, and else
/// those where distributions keep them. Without any, the error says why.
#[cfg(any(feature = "cli", feature = "vault"))]
pub fn of_the_system() -> Result<Vec<Certificate<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("this system has no certificate authorities{why}"));
    }
    // One file of many that cannot be read is no reason to believe nobody.
    let certificates = found.certs.iter();
    Ok(certificates.map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

/// TLS that believes a server whose certificate comes from one of these authorities.
pub fn believing(certificates: Vec<Certificate<'static>>) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}
