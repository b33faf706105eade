//! Where an environment's file is: in a folder, or in a ConfigMap that was given.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::authorship::signature_name;
use super::error::FileError;
use super::format::Format;
use super::limits::MAX_FILE_BYTES;
use super::refusal::Refusal;
use crate::adapters::files::{Fingerprint, ReadError, read_bounded};
use crate::domain::names::Environment;

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
        write!(f, "ConfigMap {}, key {}", self.config_map, self.key)
    }
}

/// How the files' names end, as people are told.
const ENDINGS: &str = ".enc.yaml, .enc.json, .enc.env, .enc.ini or .enc.bin";

/// The files of ConfigMaps, all that there are.
pub type ConfigMapFiles = BTreeMap<ConfigMapKey, Arc<[u8]>>;

/// One file of an environment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What people are told of where it is.
    pub(super) name: String,
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
        let too_long = || Refusal::lasting(FileError::TooLong { limit: MAX_FILE_BYTES });
        match &self.place {
            Place::Given(bytes) if bytes.len() > MAX_FILE_BYTES => Err(too_long()),
            Place::Given(bytes) => Ok(Cow::Borrowed(bytes)),
            Place::File { path, .. } => match read_bounded(path, MAX_FILE_BYTES as u64) {
                Ok(bytes) => Ok(Cow::Owned(bytes)),
                Err(ReadError::Io(error)) => {
                    Err(Refusal::passing(format!("the file cannot be read: {error}")))
                }
                Err(ReadError::TooLong { .. }) => Err(too_long()),
                Err(error) => Err(Refusal::lasting(error)),
            },
        }
    }
}

impl Place {
    fn at(path: PathBuf) -> Self {
        Self::File { fingerprint: Fingerprint::of(&path), path }
    }
}

/// What files there are.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) sources: BTreeMap<Environment, Vec<Source>>,
    pub(super) ignored: BTreeSet<String>,
    /// Whether signatures are looked for.
    pub(super) signed: bool,
}

impl Listing {
    /// Adds the files of a folder.
    pub(super) fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut found = BTreeMap::new();
        // In an order of their own: that of a folder means nothing and may change.
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str() {
                found.insert(name.to_owned(), entry.path());
            }
        }
        for (name, path) in found {
            if let Some((environment, format)) = self.environment_of(&name, "") {
                let signature =
                    self.signed.then(|| Place::at(path.with_file_name(signature_name(&name))));
                let source = Source { name, format, place: Place::at(path), signature };
                self.sources.entry(environment).or_default().push(source);
            }
        }
        Ok(())
    }

    /// Adds the files of ConfigMaps.
    pub(super) fn add_given(&mut self, files: &ConfigMapFiles) {
        for (name, bytes) in files {
            let config_map = format!("ConfigMap {}: ", name.config_map);
            if let Some((environment, format)) = self.environment_of(&name.key, &config_map) {
                let place = Place::Given(Arc::clone(bytes));
                let beside = ConfigMapKey { key: signature_name(&name.key), ..name.clone() };
                let beside = files.get(&beside).filter(|_| self.signed);
                let signature = beside.map(|bytes| Place::Given(Arc::clone(bytes)));
                let source = Source { name: name.to_string(), format, place, signature };
                self.sources.entry(environment).or_default().push(source);
            }
        }
    }

    /// The environment and the format of a file that is named
    /// `{environment}.enc.{yaml,json,env,ini,bin}`. `whence` precedes what is said of another one.
    fn environment_of(&mut self, name: &str, whence: &str) -> Option<(Environment, Format)> {
        let (stem, extension) = name.rsplit_once('.')?;
        let Some(environment) = stem.strip_suffix(".enc") else {
            // Such a file is meant for VANTA; what else is there, a README say, is not.
            if matches!(extension, "yaml" | "yml" | "json" | "env" | "ini") {
                self.ignored.insert(format!(
                    "{whence}{name:?}: a file of secrets is named {{environment}}{ENDINGS}"
                ));
            }
            return None;
        };
        let mut formats = Format::ALL.into_iter();
        let Some(format) = formats.find(|format| format.extension() == extension) else {
            self.ignored.insert(format!("{whence}{name:?}: it has to end in {ENDINGS}"));
            return None;
        };
        match environment.parse() {
            Ok(environment) => Some((environment, format)),
            Err(error) => {
                self.ignored.insert(format!("{whence}{error}"));
                None
            }
        }
    }
}
