//! Whose certificates are believed.

use std::path::Path;

use ureq::tls::Certificate;

use super::ClientError;
use crate::adapters::trust;

/// The certificate authorities of which one must have issued a vault's certificate.
#[derive(Default)]
pub struct Authorities(Vec<Certificate<'static>>);

impl Authorities {
    /// Those of a file's PEM text. The path is for the error alone.
    pub fn in_pem(pem: &[u8], file: &Path) -> Result<Self, ClientError> {
        let authorities = trust::of_pem(pem).map_err(|why| unusable(file, why))?;
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
        let certificates = trust::of_the_system().map_err(|why| {
            ClientError::Configuration(format!("{why}: name a file of them with --ca-file"))
        })?;
        Ok(Self(certificates))
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
