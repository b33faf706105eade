//! The files of an audit's folder: their names, and the order in which the chain runs through them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::lines::{Line, first_line};
use crate::domain::record::Entry;

/// The name of the file that is being written.
pub(super) const CURRENT: &str = "audit.jsonl";

/// How the names of full files begin; the sequence of their first entry follows.
const ROTATED_PREFIX: &str = "audit-";

/// How the names of files begin that were retired after a failed write; a number follows.
const RETIRED_PREFIX: &str = "audit.retired-";

const SUFFIX: &str = ".jsonl";

/// What a file is, in the order of files that begin with the same entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Retired after a failed write, by its number. It may end in lines that nothing goes on from.
    Retired(u64),
    /// Full.
    Rotated,
    /// Being written.
    Current,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredFile {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// The sequence of its first entry; `u64::MAX` where it has none.
    pub(super) first: u64,
}

/// The folder's files, in the order of the chain.
pub(super) fn files(folder: &Path) -> io::Result<Vec<StoredFile>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let number = |prefix| -> Option<u64> {
            name.strip_prefix(prefix)?.strip_suffix(SUFFIX)?.parse().ok()
        };
        let (kind, first) = if name == CURRENT {
            (Kind::Current, first_sequence(&path))
        } else if let Some(number) = number(RETIRED_PREFIX) {
            (Kind::Retired(number), first_sequence(&path))
        } else if let Some(first) = number(ROTATED_PREFIX) {
            (Kind::Rotated, Ok(first))
        } else {
            continue;
        };
        let first = match first {
            Ok(first) => first,
            // It was rotated or removed since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.push(StoredFile { path, kind, first });
    }
    found.sort_by_key(|file| (file.kind == Kind::Current, file.first, file.kind));
    Ok(found)
}

/// The files that are not being written, in the order of the chain.
#[cfg(feature = "vault")]
pub(super) fn closed(folder: &Path) -> io::Result<Vec<StoredFile>> {
    let mut files = files(folder)?;
    files.retain(|file| file.kind != Kind::Current);
    Ok(files)
}

/// Where a full file goes that begins with this entry.
#[cfg(feature = "vault")]
pub(super) fn rotated_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{ROTATED_PREFIX}{first:020}{SUFFIX}"))
}

/// Where a file goes that is retired.
#[cfg(feature = "vault")]
pub(super) fn retired_path(folder: &Path) -> io::Result<PathBuf> {
    let numbers = closed(folder)?.into_iter().filter_map(|file| match file.kind {
        Kind::Retired(number) => Some(number),
        Kind::Rotated | Kind::Current => None,
    });
    let number = numbers.max().unwrap_or_default() + 1;
    Ok(folder.join(format!("{RETIRED_PREFIX}{number}{SUFFIX}")))
}

fn first_sequence(path: &Path) -> io::Result<u64> {
    Ok(first_entry(path)?.map_or(u64::MAX, |entry| entry.sequence))
}

/// The first entry of a file, where its first line is one.
pub(super) fn first_entry(path: &Path) -> io::Result<Option<Entry>> {
    let first = first_line(&mut File::open(path)?)?;
    let first = first.as_ref().and_then(Line::finished);
    Ok(first.and_then(|line| serde_json::from_str(line).ok()))
}
