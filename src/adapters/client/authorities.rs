//! Whose certificates are believed.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, parse_pem};

use super::ClientError;

/// The certificate authorities of which one must have issued a vault's certificate.
#[derive(Default)]
pub struct Authorities(Vec<Certificate<'static>>);

impl Authorities {
    /// Those of a file's PEM text. The path is for the error alone.
    pub fn in_pem(pem: &[u8], file: &Path) -> Result<Self, ClientError> {
        let mut authorities = Vec::new();
        for item in parse_pem(pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => authorities.push(certificate),
                Ok(_) => {}
                Err(_) => return Err(unusable(file, "the file is not well-formed PEM")),
            }
        }
        if authorities.is_empty() {
            return Err(unusable(file, "the file holds no certificate"));
        }
        Ok(Self(authorities))
    }

    /// Those in a file.
    #[cfg(feature = "cli")]
    pub(super) fn in_file(file: &Path) -> Result<Self, ClientError> {
        let pem = std::fs::read(file).map_err(|error| unusable(file, &error.to_string()))?;
        Self::in_pem(&pem, file)
    }

    /// Those in `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set, as OpenSSL has it, and else
    /// those where distributions keep them.
    #[cfg(feature = "cli")]
    pub(super) fn of_the_system() -> Result<Self, ClientError> {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(ClientError::Configuration(format!(
                "this system has no certificate authorities{why}: name a file of them with --ca-file"
            )));
        }
        // One file of many that cannot be read is no reason to believe nobody.
        let certificates = found.certs.iter();
        Ok(Self(
            certificates.map(|certificate| Certificate::from_der(certificate).to_owned()).collect(),
        ))
    }

    pub(super) fn into_certificates(self) -> Vec<Certificate<'static>> {
        self.0
    }
}

fn unusable(file: &Path, why: &str) -> ClientError {
    ClientError::Configuration(format!(
        "the certificate authorities in {} cannot be used: {why}",
        file.display()
    ))
}
