//! What opens a file's master keys: age identities in this process, and sops for all others.
//!
//! Invariant: sops is asked only where every key in the file that it would be asked for is on the
//! administrator's list, and never for a file that identities open.

use super::groups::Unwrapped;
use super::identities::Identities;
use super::master_key::{KeyError, MasterKey, OtherKey};
use super::metadata::Metadata;
use crate::adapters::key_service::{Allowed, DataKeyOf, KeyService, MAX_CIPHERTEXT};

/// The most keys of a file that sops may be asked for: each may be a call.
const MAX_OTHERS: usize = 100;

/// What opens master keys, each kind of which is a key source to sops.
#[derive(Debug, Clone, Copy)]
pub struct KeySources<'a> {
    /// For those of age.
    pub identities: &'a Identities,
    /// For those of all other kinds.
    pub service: Option<&'a KeyService>,
}

impl<'a> From<&'a Identities> for KeySources<'a> {
    fn from(identities: &'a Identities) -> Self {
        Self { identities, service: None }
    }
}

impl KeySources<'_> {
    /// What one of the file's master keys wraps.
    pub(super) fn open(&self, key: &MasterKey, file: &Metadata) -> Result<Unwrapped, KeyError> {
        match (key, self.service) {
            (MasterKey::Age(key), _) => self.identities.open(key),
            (MasterKey::Other(key), None) => Err(KeyError::NoService(key.name.kind())),
            (MasterKey::Other(key), Some(service)) => ask(service, key, file),
        }
    }
}

fn ask(service: &KeyService, key: &OtherKey, file: &Metadata) -> Result<Unwrapped, KeyError> {
    let all = file.keys.groups.iter().flat_map(|group| &group.0);
    let others = || {
        all.clone().filter_map(|key| match key {
            MasterKey::Other(key) => Some(key),
            MasterKey::Age(_) => None,
        })
    };
    if others().count() > MAX_OTHERS {
        return Err(KeyError::TooMany);
    }
    // Before anything is asked for any of them.
    for other in others() {
        check(service, other)?;
    }
    if file.is_of_first_format {
        return Err(KeyError::TooOld);
    }
    let allowed = check(service, key)?;
    let kind = key.name.kind();
    match service.data_key(&allowed, key.wrapped.as_bytes()) {
        DataKeyOf::Known(bytes) => Ok(bytes),
        DataKeyOf::Awaited => Err(KeyError::Awaited(kind)),
        DataKeyOf::Failed(error) => Err(KeyError::Service { kind, error }),
    }
}

fn check(service: &KeyService, key: &OtherKey) -> Result<Allowed, KeyError> {
    let allowed = service.list().check(&key.name)?;
    if key.wrapped.len() > MAX_CIPHERTEXT {
        return Err(KeyError::TooLong(key.name.kind()));
    }
    Ok(allowed)
}
