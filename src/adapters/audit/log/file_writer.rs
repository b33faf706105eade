//! Writes the audit into a folder: full files are rotated, files in doubt retired.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::batch::Batch;
use super::file::{AuditFile, Folder, WriteError};
use crate::adapters::audit::folder::{Kind, closed, files};
use crate::domain::record::{Event, Link, Outcome, Record};

/// How large files get, and how many full ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// In bytes. A batch that is larger by itself is a file by itself.
    pub most_bytes: u64,
    /// All, where it is not said.
    pub keep: Option<usize>,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { most_bytes: 64 * 1024 * 1024, keep: None }
    }
}

/// The chain of one replica in a folder.
#[derive(Debug)]
pub(super) struct FileWriter {
    folder: Folder,
    replica: String,
    rotation: Rotation,
    end: Link,
    /// Absent after a failure, until a new file can be opened.
    file: Option<AuditFile>,
    /// How many files became full, and how many were retired, by this writer.
    closed: (u64, u64),
}

impl FileWriter {
    pub(super) fn open(folder: &Path, replica: &str, rotation: Rotation) -> io::Result<Self> {
        let (mut writer, cut_off) = Self::open_as_left(folder, replica, rotation)?;
        if cut_off > 0 {
            let mut record = Record::new(Timestamp::now(), Event::Recover, Outcome::Granted);
            record.reason = Some(format!("{cut_off} bytes of an unfinished line were cut off"));
            writer.write(&[record])?;
        }
        writer.remove_oldest();
        Ok(writer)
    }

    /// Opens the folder of what goes elsewhere once it can: an unfinished line is cut off, and
    /// nothing is written.
    pub(super) fn open_spool(folder: &Path, replica: &str, most_bytes: u64) -> io::Result<Self> {
        let rotation = Rotation { most_bytes, keep: None };
        Ok(Self::open_as_left(folder, replica, rotation)?.0)
    }

    /// Opens the folder; gives the bytes of an unfinished line that were cut off too.
    fn open_as_left(folder: &Path, replica: &str, rotation: Rotation) -> io::Result<(Self, u64)> {
        let folder = Folder::lock(folder)?;
        let file = AuditFile::open(&folder)?;
        let (end, cut_off) = (file.end.clone(), file.cut_off);
        let replica = replica.to_owned();
        let file = Some(file);
        Ok((Self { folder, replica, rotation, end, file, closed: (0, 0) }, cut_off))
    }

    /// Removes all lines, which are elsewhere, where the chain ends like this.
    pub(super) fn empty(&mut self, end: &Link) -> io::Result<()> {
        // The oldest first, so that what a crash leaves is the chain's end.
        for stored in files(self.folder.path())? {
            fs::remove_file(stored.path)?;
        }
        self.end = end.clone();
        self.file = Some(AuditFile::open(&self.folder)?);
        Ok(())
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many files became full, and how many were retired, since the start.
    pub(super) fn closed(&self) -> (u64, u64) {
        self.closed
    }

    /// The end of the chain.
    pub(super) fn end(&self) -> &Link {
        &self.end
    }

    /// Joins records to the chain, and waits until they are on stable storage. Gives their lines.
    pub(super) fn write(&mut self, records: &[Record]) -> io::Result<Vec<String>> {
        let batch = Batch::join(&self.replica, &self.end, records);
        self.write_batch(batch)
    }

    /// Writes lines that were joined to the chain elsewhere.
    pub(super) fn write_batch(&mut self, batch: Batch) -> io::Result<Vec<String>> {
        let text = batch.text();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open_again()?,
        };
        let rotated = file.is_too_full_for(text.len(), self.rotation.most_bytes);
        if rotated {
            file.rotate()?;
            self.closed.0 += 1;
            file = AuditFile::open(&self.folder)?;
        }
        match file.write_synced(&text, batch.first) {
            Ok(()) => {
                self.end = batch.end;
                self.file = Some(file);
            }
            Err(WriteError::TakenBack(error)) => {
                self.file = Some(file);
                return Err(error);
            }
            Err(WriteError::InDoubt(error)) => {
                // The chain goes on in a new file from the last line that is known to be good.
                file.retire()?;
                self.closed.1 += 1;
                return Err(error);
            }
        }
        if rotated {
            self.remove_oldest();
        }
        Ok(batch.lines)
    }

    /// Opens a file after one was given up. Where that could not be retired it is still there,
    /// and may hold lines that were never answered on.
    fn open_again(&self) -> io::Result<AuditFile> {
        let file = AuditFile::open(&self.folder)?;
        if file.continues(&self.end) {
            return Ok(file);
        }
        file.retire()?;
        drop(file);
        AuditFile::open(&self.folder)
    }

    /// Removes the oldest files, where only so many are to be kept. What goes wrong is tried again
    /// after the next rotation.
    fn remove_oldest(&mut self) {
        if let Err(error) = self.try_remove_oldest() {
            tracing::warn!(%error, "the audit's oldest files are not removed");
        }
    }

    fn try_remove_oldest(&mut self) -> io::Result<()> {
        let Some(keep) = self.rotation.keep else { return Ok(()) };
        let mut files = closed(self.folder.path())?;
        let full = files.iter().enumerate().filter(|(_, file)| file.kind == Kind::Rotated);
        let full: Vec<usize> = full.map(|(place, _)| place).collect();
        let Some(excess) = full.len().checked_sub(keep).filter(|excess| *excess > 0) else {
            return Ok(());
        };
        // What was retired before a file that goes, goes with it.
        let end = full[excess - 1] + 1;
        let next = files.get(end).map(|file| file.first);
        files.truncate(end);
        let next = next.or_else(|| self.file.as_ref()?.first());
        let Some(through) = next.and_then(|next| next.checked_sub(1)) else { return Ok(()) };
        // First the entry that says so: a beginning that is missing without one was cut.
        let mut record = Record::new(Timestamp::now(), Event::Remove, Outcome::Granted);
        record.reason = Some(format!("{keep} full files are kept"));
        record.removed_through = Some(through);
        self.write(&[record])?;
        for file in files {
            match fs::remove_file(file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "file_writer_tests.rs"]
mod tests;
