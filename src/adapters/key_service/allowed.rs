//! The master keys that the administrator allows, and what the parts of their names may be.
//!
//! A file is written by strangers: it can name an address that would be sent a token, or a path
//! that leaves the engine. So a name that a file has is compared with the list's as a whole, and
//! it is the list's that is used. One part alone may be the file's own: the version of a key of
//! Azure whose entry has none, of letters and digits.
//!
//! Invariant: an [`Allowed`] is made here alone, from a name on the list and, of Azure, such a
//! version.

use std::collections::BTreeSet;
use std::fmt;

use super::grammar::{self, Reason};
use super::name::{KeyName, Kind, KmsName};
use crate::domain::names::Shown;

/// The most characters of a name that a message repeats.
pub(crate) const MAX_SHOWN: usize = 300;

/// The master keys that sops may be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<KeyName>);

/// A master key that is on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed(KeyName);

/// What is asked for a key: keys of one service share its fate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Service(String);

/// What is wrong with an allow-list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {number} of the allowed master keys, \"{entry}\": {reason}")]
pub struct AllowListError {
    /// From 1.
    number: usize,
    entry: Shown,
    reason: Reason,
}

/// A file has a master key that is not on the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file has the master key \"{name}\", which is not among the allowed ones, so that sops is not \
     asked: add it to VANTA_SOPS_ALLOWED_KEYS, or remove it from the file (`sops rotate -i` with \
     `--rm-pgp`, `--rm-kms` and so on)"
)]
pub struct NotAllowed {
    name: Shown,
}

impl AllowList {
    /// Reads entries of the form `KIND:NAME`, divided by commas or white space.
    pub fn parse(text: &str) -> Result<Self, AllowListError> {
        let entries = text.split(|divider: char| divider == ',' || divider.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty()).enumerate();
        let keys = entries.map(|(at, entry)| {
            grammar::entry(entry).map_err(|reason| AllowListError {
                number: at + 1,
                entry: Shown::up_to(entry, MAX_SHOWN),
                reason,
            })
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Whether no key is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kinds of its keys.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.0.iter().map(KeyName::kind).collect()
    }

    /// The addresses of the HashiCorp Vaults, each once.
    pub(super) fn vault_addresses(&self) -> BTreeSet<&str> {
        let addresses = self.0.iter().filter_map(|key| match key {
            KeyName::HcVault { address, .. } => Some(address.as_str()),
            _ => None,
        });
        addresses.collect()
    }

    /// The key of a file, where it is on the list.
    pub fn check(&self, name: &KeyName) -> Result<Allowed, NotAllowed> {
        let normal = name.clone().normal();
        let allowed = self.0.iter().find_map(|entry| covered(entry, &normal));
        let name = || Shown::up_to(&name.to_string(), MAX_SHOWN);
        allowed.map(Allowed).ok_or_else(|| NotAllowed { name: name() })
    }
}

/// The name to use, where an entry covers that of a file.
fn covered(entry: &KeyName, name: &KeyName) -> Option<KeyName> {
    match (entry, name) {
        // An entry without a version covers each of them, and the key is asked for in the file's,
        // which is the one that opens what it wrapped.
        (
            KeyName::AzureKv { url, name: key, version: None },
            KeyName::AzureKv { version: Some(version), .. },
        ) if grammar::is_azure_version(version) => {
            let (url, key, version) = (url.clone(), key.clone(), Some(version.clone()));
            let with_version = KeyName::AzureKv { url, name: key, version };
            (with_version == *name).then_some(with_version)
        }
        _ => (entry == name).then(|| entry.clone()),
    }
}

impl Allowed {
    pub(super) fn name(&self) -> &KeyName {
        &self.0
    }

    /// What is asked for it. It has no part that is a file's own, so that there are no more services
    /// than entries on a list.
    pub(super) fn service(&self) -> Service {
        let kind = self.0.kind().as_str();
        Service(match &self.0 {
            KeyName::Kms(KmsName { arn, role, profile, .. }) => {
                let region = arn.split(':').nth(3).unwrap_or_default();
                let [role, profile] =
                    [role, profile].map(|part| part.as_deref().unwrap_or_default());
                format!("{kind}:{region};{role};{profile}")
            }
            // GnuPG takes memory, and is one however many keys its ring has.
            KeyName::Pgp { .. } | KeyName::GcpKms { .. } => kind.to_owned(),
            KeyName::AzureKv { url: address, .. } | KeyName::HcVault { address, .. } => {
                format!("{kind}:{address}")
            }
            KeyName::Hckms { id } => {
                let region = id.split(':').next().unwrap_or_default();
                format!("{kind}:{region}")
            }
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[path = "allowed_tests.rs"]
mod tests;
