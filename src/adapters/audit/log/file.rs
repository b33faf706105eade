//! The file of the audit that is being written, opened where the last run left it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::adapters::audit::folder::{CURRENT, closed, retired_path, rotated_path};
use crate::adapters::audit::lines::{Line, first_line, last_complete_line};
use crate::domain::record::{Entry, Link};

/// The name of the file whose lock says that a vault writes in the folder.
const LOCK: &str = "audit.lock";

/// How long another vault may take to let go of the folder, so that a restart may overlap.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Lines could not be written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The file is as it was before.
    TakenBack(io::Error),
    /// After a failed sync the kernel may have dropped the pages: nobody knows what the file
    /// holds, and a second sync would claim success.
    InDoubt(io::Error),
}

/// A folder that this vault alone writes in, for as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Two writers would each break the other's chain.
    pub(super) fn lock(path: &Path) -> io::Result<Self> {
        // A file of its own: those of the audit are renamed, and their locks would go along.
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), _lock: lock }),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_TIMEOUT => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another vault writes to this audit"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The file that is being written, and the end of its chain.
#[derive(Debug)]
pub(super) struct AuditFile {
    file: File,
    folder: PathBuf,
    /// The sequence of the first entry, where there is one.
    first: Option<u64>,
    /// The length up to the last line that was synced.
    good: u64,
    pub(super) end: Link,
    /// The bytes of an unfinished line that were cut off when the file was opened.
    pub(super) cut_off: u64,
}

impl AuditFile {
    /// Opens the folder's file, or makes it.
    ///
    /// An unfinished last line is cut off: it was never synced, so nothing was answered on it.
    pub(super) fn open(folder: &Folder) -> io::Result<Self> {
        let folder = folder.path();
        let path = folder.join(CURRENT);
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        // The name is as durable as the lines: a file that is lost takes its records along.
        File::open(folder)?.sync_all()?;
        let (good, last_line) = last_complete_line(&mut file)?;
        let cut_off = file.metadata()?.len() - good;
        if cut_off > 0 {
            file.set_len(good)?;
            file.sync_all()?;
        }
        let end = match last_line {
            Some(line) => link_after(&line, &path)?,
            // The last run may have ended between closing a file and beginning this one.
            None => last_closed(folder)?.unwrap_or_else(Link::start),
        };
        let first = first_line(&mut file)?;
        let first = first.as_ref().and_then(Line::finished);
        let first = first.and_then(|line| serde_json::from_str::<Entry>(line).ok());
        let first = first.map(|entry| entry.sequence);
        Ok(Self { file, folder: folder.to_owned(), first, good, end, cut_off })
    }

    /// The sequence of the first entry, where there is one.
    pub(super) fn first(&self) -> Option<u64> {
        self.first
    }

    /// Writes whole lines, the first of which has this sequence, and waits until they are on
    /// stable storage.
    pub(super) fn write_synced(&mut self, lines: &str, sequence: u64) -> Result<(), WriteError> {
        if let Err(error) = self.file.write_all(lines.as_bytes()) {
            // A full disk, as a rule: what was begun is taken back, and the file is as before.
            return Err(match self.file.set_len(self.good) {
                Ok(()) => WriteError::TakenBack(error),
                Err(_) => WriteError::InDoubt(error),
            });
        }
        self.file.sync_data().map_err(WriteError::InDoubt)?;
        self.first.get_or_insert(sequence);
        self.good += lines.len() as u64;
        Ok(())
    }

    /// Whether a chain that ends like this can go on in this file.
    pub(super) fn continues(&self, end: &Link) -> bool {
        self.good == 0 || self.end == *end
    }

    /// Whether so many bytes more would make the file larger than it may be. One that is empty
    /// takes anything.
    pub(super) fn is_too_full_for(&self, more: usize, most: u64) -> bool {
        self.first.is_some() && self.good + more as u64 > most
    }

    /// Gives the file the name of a full one. All that it holds is on stable storage; with a crash
    /// right after, the next run begins the new file as this one would.
    pub(super) fn rotate(self) -> io::Result<()> {
        let Some(first) = self.first else { return Ok(()) };
        let target = rotated_path(&self.folder, first);
        if target.try_exists()? {
            let what = format!("{} is there already", target.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        fs::rename(self.folder.join(CURRENT), target)
    }

    /// Retires the file, since what it holds is in doubt.
    pub(super) fn retire(&self) -> io::Result<()> {
        fs::rename(self.folder.join(CURRENT), retired_path(&self.folder)?)
    }
}

/// Where the newest closed file ends.
fn last_closed(folder: &Path) -> io::Result<Option<Link>> {
    for file in closed(folder)?.into_iter().rev() {
        if let (_, Some(line)) = last_complete_line(&mut File::open(&file.path)?)? {
            return link_after(&line, &file.path).map(Some);
        }
    }
    Ok(None)
}

fn link_after(line: &str, path: &Path) -> io::Result<Link> {
    Link::after(line).ok_or_else(|| {
        let what = format!("the last line of {} is not an audit entry", path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}
