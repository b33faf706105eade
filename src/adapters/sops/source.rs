//! The files of a folder: which belong to which environment, and whether they have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::FileError;
use super::limits::MAX_FILE_BYTES;
use crate::adapters::files::{Fingerprint, ReadError, read_bounded};
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;

/// One file of an environment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) extension: String,
    pub(super) fingerprint: Fingerprint,
}

impl Source {
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What a folder holds.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) sources: BTreeMap<Environment, Vec<Source>>,
    pub(super) ignored: BTreeSet<String>,
}

/// Lists the files named `{environment}.enc.{yaml,json,env,ini}`.
pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((stem, extension)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
            continue;
        };
        let Some(environment) = stem.strip_suffix(".enc") else {
            // Such a file is meant for VANTA; what else is in the folder, a README say, is not.
            if matches!(extension, "yaml" | "yml" | "json") {
                let name = format!("{stem}.{extension}");
                listing.ignored.insert(format!(
                    "{name:?}: a file of secrets is named {{environment}}.enc.yaml or .enc.json"
                ));
            }
            continue;
        };
        if !matches!(extension, "yaml" | "json" | "env" | "ini") {
            let name = format!("{stem}.{extension}");
            listing.ignored.insert(format!("{name:?}: it has to end in .enc.yaml or .enc.json"));
            continue;
        }
        match environment.parse::<Environment>() {
            Ok(environment) => {
                let path = entry.path();
                let fingerprint = Fingerprint::of(&path);
                let source = Source { path, extension: extension.to_owned(), fingerprint };
                listing.sources.entry(environment).or_default().push(source);
            }
            Err(error) => {
                listing.ignored.insert(error.to_string());
            }
        }
    }
    // The order of a folder means nothing and may change.
    for sources in listing.sources.values_mut() {
        sources.sort_by(|one, other| one.path.cmp(&other.path));
    }
    Ok(listing)
}

/// Why an environment cannot be loaded.
pub(super) struct Refusal {
    pub(super) reason: String,
    /// What callers are told of it.
    pub(super) fault: FileFault,
    /// Whether it may pass without a change of any file, such as a lack of file descriptors.
    pub(super) passing: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes them as they are")]
impl Refusal {
    pub(super) fn lasting(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), fault: FileFault::Refused, passing: false }
    }

    pub(super) fn of_file(error: FileError) -> Self {
        Self { fault: error.fault(), ..Self::lasting(error) }
    }

    pub(super) fn passing(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), fault: FileFault::Refused, passing: true }
    }
}

/// Reads the file of an environment.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    read_bounded(path, MAX_FILE_BYTES as u64).map_err(|error| match error {
        ReadError::Io(error) => Refusal::passing(format!("the file cannot be read: {error}")),
        ReadError::TooLong { .. } => Refusal::lasting(FileError::TooLong { limit: MAX_FILE_BYTES }),
        error => Refusal::lasting(error),
    })
}
