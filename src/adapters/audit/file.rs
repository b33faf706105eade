//! One file of the audit, opened where the last run left it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::domain::record::Link;

/// The name of the file that is being written.
const FILE_NAME: &str = "audit.jsonl";

/// How long another vault may take to let go of the file, so that a restart may overlap.
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

/// The file that is being written, and the end of its chain.
#[derive(Debug)]
pub(super) struct AuditFile {
    file: File,
    path: PathBuf,
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
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        lock(&file)?;
        // The name is as durable as the lines: a file that is lost takes its records along.
        File::open(folder)?.sync_all()?;
        let (good, last_line) = last_complete_line(&mut file)?;
        let cut_off = file.metadata()?.len() - good;
        if cut_off > 0 {
            file.set_len(good)?;
            file.sync_all()?;
        }
        let end = match last_line {
            None => Link::start(),
            Some(line) => Link::after(&line).ok_or_else(|| {
                let what = format!("the last line of {} is not an audit entry", path.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            })?,
        };
        Ok(Self { file, path, good, end, cut_off })
    }

    /// Writes whole lines and waits until they are on stable storage.
    pub(super) fn write_synced(&mut self, lines: &str) -> Result<(), WriteError> {
        if let Err(error) = self.file.write_all(lines.as_bytes()) {
            // A full disk, as a rule: what was begun is taken back, and the file is as before.
            return Err(match self.file.set_len(self.good) {
                Ok(()) => WriteError::TakenBack(error),
                Err(_) => WriteError::InDoubt(error),
            });
        }
        self.file.sync_data().map_err(WriteError::InDoubt)?;
        self.good += lines.len() as u64;
        Ok(())
    }

    /// Sets the file aside after a failed write or sync, which leaves what it holds in doubt.
    pub(super) fn retire(&self) -> io::Result<()> {
        let mut number = 1;
        let aside = loop {
            let aside = self.path.with_file_name(format!("audit.retired-{number}.jsonl"));
            if !aside.exists() {
                break aside;
            }
            number += 1;
        };
        fs::rename(&self.path, aside)
    }
}

/// Two writers would each break the other's chain.
fn lock(file: &File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
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

/// The length up to the last newline, and the line that ends there.
fn last_complete_line(file: &mut File) -> io::Result<(u64, Option<String>)> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut good, mut last, mut line) = (0, None, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok((good, last));
        }
        good += read as u64;
        line.pop();
        last = Some(String::from_utf8_lossy(&line).into_owned());
    }
}
