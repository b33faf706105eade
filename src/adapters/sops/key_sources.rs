//! What opens a file's master keys: age identities in this process, and sops for all others.
//!
//! Invariant: sops is asked only where every key in the file that it would be asked for is on the
//! administrator's list, and never for a file that identities open.

use std::cell::OnceCell;
use std::sync::Arc;

use super::groups::Unwrapped;
use super::identities::Identities;
use super::master_key::{KeyError, MasterKey, OtherKey};
use super::metadata::Metadata;
use crate::adapters::key_service::{Allowed, Ciphertext, DataKeyOf, KeyService};
use crate::domain::names::Environment;

/// The most keys of a file that sops may be asked for: each is a call, and other files wait for it.
pub(super) const MAX_OTHERS: usize = 16;

/// What opens master keys, each kind of which is a key source to sops.
#[derive(Debug, Clone, Copy)]
pub struct KeySources<'a> {
    /// For those of age.
    pub identities: &'a Identities,
    /// For those of all other kinds.
    pub service: Option<ServiceFor<'a>>,
}

/// Sops's key service, and whose file it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ServiceFor<'a> {
    /// What is asked.
    pub service: &'a KeyService,
    /// Its requests are served in turn with those of the others: those of its origin first, a
    /// ConfigMap or in a folder the file itself.
    pub origin: &'a Arc<str>,
    /// And in turn with those of the origin's others.
    pub environment: &'a Environment,
}

impl<'a> From<&'a Identities> for KeySources<'a> {
    fn from(identities: &'a Identities) -> Self {
        Self { identities, service: None }
    }
}

/// What opens the master keys of one file.
pub(super) struct FileKeys<'a> {
    sources: KeySources<'a>,
    file: &'a Metadata,
    /// Whether sops may be asked for any key of the file, once that was looked at: it is the same
    /// for each.
    may_ask: OnceCell<Result<(), KeyError>>,
}

impl<'a> FileKeys<'a> {
    pub(super) fn new(sources: KeySources<'a>, file: &'a Metadata) -> Self {
        Self { sources, file, may_ask: OnceCell::new() }
    }

    /// What one of the file's master keys wraps.
    pub(super) fn open(&self, key: &MasterKey) -> Result<Unwrapped, KeyError> {
        match (key, self.sources.service) {
            (MasterKey::Age(key), _) => self.sources.identities.open(key),
            (MasterKey::Other(key), None) => Err(key.no_service()),
            (MasterKey::Other(key), Some(asked)) => {
                self.may_ask.get_or_init(|| may_ask(asked.service, self.file)).clone()?;
                ask(asked, key)
            }
        }
    }
}

/// Looks at all keys of a file that are not age's, before anything is asked for any of them.
fn may_ask(service: &KeyService, file: &Metadata) -> Result<(), KeyError> {
    let all = file.keys.groups.iter().flat_map(|group| &group.0);
    let others: Vec<&OtherKey> = all
        .filter_map(|key| match key {
            MasterKey::Other(key) => Some(key),
            MasterKey::Age(_) => None,
        })
        .collect();
    if others.len() > MAX_OTHERS {
        return Err(KeyError::TooMany(others.len()));
    }
    for other in others {
        check(service, other)?;
    }
    if file.is_of_first_format {
        return Err(KeyError::TooOld);
    }
    Ok(())
}

fn ask(asked: ServiceFor<'_>, key: &OtherKey) -> Result<Unwrapped, KeyError> {
    let ServiceFor { service, origin, environment } = asked;
    let (allowed, ciphertext) = check(service, key)?;
    let kind = key.name.kind();
    match service.data_key(origin, environment, &allowed, ciphertext) {
        DataKeyOf::Known(bytes) => Ok(bytes),
        DataKeyOf::Awaited => Err(KeyError::Awaited(kind)),
        DataKeyOf::Failed(error) => Err(KeyError::Service { kind, error }),
    }
}

fn check<'a>(
    service: &KeyService,
    key: &'a OtherKey,
) -> Result<(Allowed, Ciphertext<'a>), KeyError> {
    let allowed = service.list().check(&key.name)?;
    let ciphertext = Ciphertext::new(key.wrapped.as_bytes());
    Ok((allowed, ciphertext.ok_or(KeyError::TooLong(key.name.kind()))?))
}
