//! The certificates of the system, and those who have to know of them: Secrets that hold them, the
//! webhook configuration, and a ConfigMap in each namespace.
//!
//! Invariant: a Secret is written only over the version that was read, so that of several replicas
//! one wins and the others read again.

mod certificate;
mod issue;
mod remove;
mod secrets;
mod spread;
mod stored;
mod webhook;

pub use certificate::{Certificate, bundle};
pub use remove::remove_all;
pub use secrets::{SecretData, Secrets, StoredSecret, Written};
pub use spread::{Bundle, Spread, SpreadReport};
pub use stored::{
    Authority, Signer, authority_data, certificate_and_key, read_served, with_bundle,
};
pub use webhook::{Filled, fill_bundle};

/// What is wrong with a certificate or a key. No text holds any of its content.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is none.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// It cannot be read.
    #[error("it cannot be read as a certificate in PEM")]
    Unreadable,
    /// The private key cannot be read.
    #[error("the private key cannot be read as PKCS#8 in PEM")]
    KeyUnreadable,
    /// The certificate may not sign others.
    #[error("the certificate is no authority's: it may not sign others")]
    NotAnAuthority,
    /// The private key is not the certificate's.
    #[error("the private key is another's than the certificate's")]
    OtherKey,
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Issue(#[from] rcgen::Error),
}
