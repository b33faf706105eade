//! What a SOPS file calls a master key, and what people are told of it.

use std::collections::BTreeMap;
use std::fmt;

/// The kinds of master keys that sops itself has to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// AWS KMS.
    Kms,
    /// OpenPGP, by GnuPG.
    Pgp,
    /// Google Cloud KMS.
    GcpKms,
    /// Azure Key Vault.
    AzureKv,
    /// The transit engine of a HashiCorp Vault.
    HcVault,
    /// Huawei Cloud KMS.
    Hckms,
}

impl Kind {
    /// All of them, in the order in which sops lists a group's keys.
    pub const ALL: [Self; 6] =
        [Self::Kms, Self::GcpKms, Self::Hckms, Self::AzureKv, Self::HcVault, Self::Pgp];

    /// As a file's metadata and an allow-list name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Pgp => "pgp",
            Self::GcpKms => "gcp_kms",
            Self::AzureKv => "azure_kv",
            Self::HcVault => "hc_vault",
            Self::Hckms => "hckms",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kms => "AWS KMS",
            Self::Pgp => "PGP",
            Self::GcpKms => "GCP KMS",
            Self::AzureKv => "Azure Key Vault",
            Self::HcVault => "HashiCorp Vault",
            Self::Hckms => "Huawei Cloud KMS",
        })
    }
}

/// One master key by its name, as a file or an allow-list has it. Nothing of it is secret, and
/// what a file says of it is a stranger's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyName {
    /// A key of AWS KMS.
    Kms(KmsName),
    /// A key in GnuPG's key ring.
    Pgp {
        /// Of hexadecimal digits.
        fingerprint: String,
    },
    /// A key of Google Cloud KMS.
    GcpKms {
        /// `projects/…/locations/…/keyRings/…/cryptoKeys/…`.
        resource: String,
    },
    /// A key of Azure Key Vault.
    AzureKv {
        /// `https://HOST`.
        url: String,
        /// The key's name.
        name: String,
        /// The key's version; none for the newest.
        version: Option<String>,
    },
    /// A key of a transit engine.
    HcVault {
        /// `https://HOST:PORT`.
        address: String,
        /// The engine's path.
        engine: String,
        /// The key's name.
        key: String,
    },
    /// A key of Huawei Cloud KMS.
    Hckms {
        /// `REGION:UUID`.
        id: String,
    },
}

/// A key of AWS KMS, and how it is to be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KmsName {
    /// The key's ARN.
    pub arn: String,
    /// The ARN of the role to take on first.
    pub role: Option<String>,
    /// The encryption context.
    pub context: BTreeMap<String, String>,
    /// The profile of the shared configuration.
    pub profile: Option<String>,
}

impl KeyName {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Kms(_) => Kind::Kms,
            Self::Pgp { .. } => Kind::Pgp,
            Self::GcpKms { .. } => Kind::GcpKms,
            Self::AzureKv { .. } => Kind::AzureKv,
            Self::HcVault { .. } => Kind::HcVault,
            Self::Hckms { .. } => Kind::Hckms,
        }
    }

    /// The name in the one form in which names are compared.
    pub(super) fn normal(mut self) -> Self {
        match &mut self {
            Self::Pgp { fingerprint } => {
                fingerprint.retain(|character| character != ' ');
                fingerprint.make_ascii_uppercase();
            }
            Self::AzureKv { url: address, .. } | Self::HcVault { address, .. } => {
                address.truncate(address.trim_end_matches('/').len());
            }
            Self::Kms(_) | Self::GcpKms { .. } | Self::Hckms { .. } => {}
        }
        self
    }
}

/// As an entry of the allow-list would have it.
impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind().as_str())?;
        match self {
            Self::Kms(KmsName { arn, role, context, profile }) => {
                f.write_str(arn)?;
                for (option, value) in [("role", role), ("profile", profile)] {
                    if let Some(value) = value {
                        write!(f, ";{option}={value}")?;
                    }
                }
                for (name, value) in context {
                    write!(f, ";context.{}={}", Escaped(name), Escaped(value))?;
                }
                Ok(())
            }
            Self::Pgp { fingerprint } => f.write_str(fingerprint),
            Self::GcpKms { resource } => f.write_str(resource),
            Self::AzureKv { url, name, version: None } => write!(f, "{url}/keys/{name}"),
            Self::AzureKv { url, name, version: Some(version) } => {
                write!(f, "{url}/keys/{name}/{version}")
            }
            Self::HcVault { address, engine, key } => {
                write!(f, "{address}/v1/{engine}/keys/{key}")
            }
            Self::Hckms { id } => f.write_str(id),
        }
    }
}

/// Text of an encryption context, with what divides entries and options written as `%XX`.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '%' | ',' | ';' | '=' | ' '..='!' | '\0'..='\u{1f}' => {
                    write!(f, "%{:02X}", u32::from(character))?;
                }
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}
