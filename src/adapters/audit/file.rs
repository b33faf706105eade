//! One file of the audit, opened where the last run left it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::domain::record::Link;

/// The name of the file that is being written.
const FILE_NAME: &str = "audit.jsonl";

/// How the names of files begin that were set aside; a number follows.
const RETIRED_PREFIX: &str = "audit.retired-";

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
            Some(line) => link_after(&line, &path)?,
            // The last run may have ended between setting a file aside and beginning this one.
            None => last_retired(folder)?.unwrap_or_else(Link::start),
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

    /// Whether a chain that ends like this can go on in this file.
    pub(super) fn continues(&self, end: &Link) -> bool {
        self.good == 0 || self.end == *end
    }

    /// Sets the file aside, since what it holds is in doubt.
    pub(super) fn retire(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let number = retired(folder)?.last().map_or(1, |(number, _)| number + 1);
        fs::rename(&self.path, folder.join(format!("{RETIRED_PREFIX}{number}.jsonl")))
    }
}

/// The files that were set aside, by their numbers.
fn retired(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix(RETIRED_PREFIX)?.strip_suffix(".jsonl"))
            .and_then(|number| number.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// Where the newest file that was set aside ends.
fn last_retired(folder: &Path) -> io::Result<Option<Link>> {
    for (_, path) in retired(folder)?.into_iter().rev() {
        if let (_, Some(line)) = last_complete_line(&mut File::open(&path)?)? {
            return link_after(&line, &path).map(Some);
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

/// The length up to the last newline, and the line that ends there; only the end is read.
fn last_complete_line(file: &mut File) -> io::Result<(u64, Option<String>)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut window = 64 * 1024;
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes)?;
        let is_newline = |byte: &u8| *byte == b'\n';
        let last = bytes.iter().rposition(is_newline);
        let before = last.and_then(|last| bytes[..last].iter().rposition(is_newline));
        match (last, before) {
            (None, _) if from == 0 => return Ok((0, None)),
            (Some(last), before) if before.is_some() || from == 0 => {
                let begin = before.map_or(0, |before| before + 1);
                let line = String::from_utf8_lossy(&bytes[begin..last]).into_owned();
                return Ok((from + last as u64 + 1, Some(line)));
            }
            _ => window *= 4,
        }
    }
}
