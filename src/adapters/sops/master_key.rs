//! The master keys that a file lists: each wraps the data key, or its group's share of it.

use std::fmt;

use super::error::shown;

/// Keys of which any one opens what the group wraps.
pub(super) struct KeyGroup(pub(super) Vec<MasterKey>);

/// One key that something was wrapped for.
pub(super) enum MasterKey {
    /// Opened in this process.
    Age(AgeKey),
    /// Of every other kind.
    Other(OtherKey),
}

/// What is wrapped for one age recipient.
pub(super) struct AgeKey {
    /// A hint, and no more.
    pub(super) recipient: String,
    /// An ASCII-armored age file.
    pub(super) armored: String,
}

/// A key that is not age's.
pub(super) struct OtherKey {
    pub(super) kind: OtherKind,
}

/// The kinds of keys beside age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherKind {
    /// AWS KMS.
    Kms,
    /// GCP KMS.
    GcpKms,
    /// Huawei Cloud KMS.
    HcKms,
    /// Azure Key Vault.
    AzureKv,
    /// HashiCorp Vault's transit engine.
    HcVault,
    /// An OpenPGP key.
    Pgp,
}

impl OtherKind {
    /// Each kind, in the order in which sops lists a group's keys.
    pub(super) const ALL: [Self; 6] =
        [Self::Kms, Self::GcpKms, Self::HcKms, Self::AzureKv, Self::HcVault, Self::Pgp];

    /// The name of its list in the metadata.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::GcpKms => "gcp_kms",
            Self::HcKms => "hckms",
            Self::AzureKv => "azure_kv",
            Self::HcVault => "hc_vault",
            Self::Pgp => "pgp",
        }
    }
}

impl fmt::Display for OtherKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kms => "AWS KMS",
            Self::GcpKms => "GCP KMS",
            Self::HcKms => "Huawei Cloud KMS",
            Self::AzureKv => "Azure Key Vault",
            Self::HcVault => "HashiCorp Vault",
            Self::Pgp => "PGP",
        })
    }
}

/// Why one master key gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// None of the identities is its recipient's.
    #[error("no identity for {recipient}")]
    NoIdentity {
        /// As the file names it, escaped and cut.
        recipient: String,
    },
    /// Nothing here opens keys of its kind.
    #[error("keys of {0} are not supported")]
    NotSupported(OtherKind),
}

impl AgeKey {
    /// Why it could not be opened.
    pub(super) fn no_identity(&self) -> KeyError {
        KeyError::NoIdentity { recipient: shown(&self.recipient) }
    }
}
