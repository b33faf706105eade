//! Where an environment's file is: in a folder, or in a ConfigMap that was given.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::FileError;
use super::format::Format;
use super::limits::MAX_FILE_BYTES;
use super::refusal::Refusal;
use crate::adapters::files::{Fingerprint, ReadError, read_bounded};

/// A key of a ConfigMap, which is the name of a file: `{environment}.enc.yaml` and so on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigMapKey {
    /// The ConfigMap's name.
    pub config_map: String,
    /// The key below `data` or `binaryData`.
    pub key: String,
}

impl fmt::Display for ConfigMapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, key {}", config_map_origin(&self.config_map), self.key)
    }
}

/// What people are told of a ConfigMap that files are from.
pub fn config_map_origin(name: &str) -> String {
    format!("ConfigMap {name}")
}

/// The files of ConfigMaps, all that there are.
pub type ConfigMapFiles = BTreeMap<ConfigMapKey, Arc<[u8]>>;

/// One file of an environment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What people are told of where it is.
    pub(super) name: String,
    /// Its ConfigMap (`ConfigMap prod`), with whose others it takes turns; in a folder its name.
    pub(super) origin: Arc<str>,
    pub(super) format: Format,
    pub(super) place: Place,
    /// Where its signature would be, where one is asked for.
    pub(super) signature: Option<Place>,
}

/// Where a file's bytes are.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    File { path: PathBuf, fingerprint: Fingerprint },
    Given(Arc<[u8]>),
}

impl Source {
    /// What is seen of it and its signature without reading them; given ones are there already.
    pub(super) fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        let places = [Some(&self.place), self.signature.as_ref()];
        places.into_iter().flatten().filter_map(|place| match place {
            Place::File { fingerprint, .. } => Some(fingerprint),
            Place::Given(_) => None,
        })
    }

    /// Its bytes.
    pub(super) fn read(&self) -> Result<Cow<'_, [u8]>, Refusal> {
        self.place.read(MAX_FILE_BYTES).map_err(|error| match error {
            ReadError::Io(error) => Refusal::passing(format!("the file cannot be read: {error}")),
            ReadError::TooLong { .. } => {
                Refusal::lasting(FileError::TooLong { limit: MAX_FILE_BYTES })
            }
            error => Refusal::lasting(error),
        })
    }
}

impl Place {
    pub(super) fn at(path: PathBuf) -> Self {
        Self::File { fingerprint: Fingerprint::of(&path), path }
    }

    /// The bytes that are there, so many at the most.
    pub(super) fn read(&self, limit: usize) -> Result<Cow<'_, [u8]>, ReadError> {
        match self {
            Self::Given(bytes) if bytes.len() > limit => {
                Err(ReadError::TooLong { limit: limit as u64 })
            }
            Self::Given(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::File { path, .. } => read_bounded(path, limit as u64).map(Cow::Owned),
        }
    }
}
