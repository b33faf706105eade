//! The files of a folder: which belong to which environment, and whether they have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::OFlag;

use super::error::FileError;
use super::limits::MAX_FILE_BYTES;
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;

/// For so long after a change a file may change again without its times' showing it: clocks of
/// file systems are coarse, and some count in seconds.
const SETTLING: Duration = Duration::from_secs(2);

/// What the file at a path is, symbolic links followed; whatever changes the content changes it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Fingerprint {
    There { device: u64, inode: u64, length: u64, modified: (i64, i64), changed: (i64, i64) },
    Unreadable(io::ErrorKind),
}

impl Fingerprint {
    pub(super) fn of(path: &Path) -> Self {
        fs::metadata(path)
            .map_or_else(|error| Self::Unreadable(error.kind()), |found| Self::from(&found))
    }

    /// Whether enough time has gone by since the last change to rely on the times.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let Self::There { modified, changed, .. } = self else { return true };
        let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let last = modified.0.max(changed.0);
        u64::try_from(last).is_ok_and(|last| {
            now.checked_sub(SETTLING).is_some_and(|settled| last < settled.as_secs())
        })
    }
}

impl From<&Metadata> for Fingerprint {
    fn from(found: &Metadata) -> Self {
        Self::There {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

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
        let Some(environment) = stem.strip_suffix(".enc") else { continue };
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

/// Reads a file through one handle, so that what is read is one version of it.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    let unreadable =
        |error: io::Error| Refusal::passing(format!("the file cannot be read: {error}"));
    // Without O_NONBLOCK, a pipe by that name would stop everything until somebody wrote to it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(Refusal::lasting("it is not a regular file"));
    }
    if found.len() > MAX_FILE_BYTES as u64 {
        return Err(Refusal::lasting(FileError::TooLong { limit: MAX_FILE_BYTES }));
    }
    let mut bytes = Vec::new();
    // A file may grow while it is read; what is over the bound is refused when it is opened.
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_settled_some_time_after_its_last_change() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let fingerprint = Fingerprint::There {
            device: 0,
            inode: 0,
            length: 0,
            modified: (90, 0),
            changed: (100, 0),
        };
        assert!(!fingerprint.is_settled(at(50)));
        assert!(!fingerprint.is_settled(at(101)));
        assert!(fingerprint.is_settled(at(103)));
    }
}
