//! Writes the audit into a folder: full files are rotated, files in doubt retired.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::batch::Batch;
use super::file::{AuditFile, Folder, WriteError};
use crate::adapters::audit::folder::{CURRENT, Kind, closed, files, first_entry};
use crate::adapters::audit::signing::SigningKey;
use crate::domain::checkpoint::Head;
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
    /// What removals are signed with; nobody believes those that are not.
    key: Option<SigningKey>,
    end: Link,
    /// Absent after a failure, until a new file can be opened.
    file: Option<AuditFile>,
    /// How many bytes all files have.
    size: u64,
    /// What the full files begin with that this writer found, or that became full since.
    full: Vec<u64>,
    /// How many files became full, and how many were retired, by this writer.
    closed: (u64, u64),
}

impl FileWriter {
    pub(super) fn open(
        folder: &Path,
        replica: &str,
        rotation: Rotation,
        key: Option<SigningKey>,
    ) -> io::Result<Self> {
        let (mut writer, cut_off) = Self::open_as_left(folder, replica, rotation)?;
        writer.key = key;
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
        let full = closed(folder.path())?.into_iter().filter(|file| file.kind == Kind::Rotated);
        let full = full.map(|file| file.first).collect();
        let sizes = files(folder.path())?.into_iter().map(|file| fs::metadata(file.path));
        let size = sizes.map(|found| Ok(found?.len())).sum::<io::Result<u64>>()?;
        let (key, file, closed) = (None, Some(file), (0, 0));
        Ok((Self { folder, replica, rotation, key, end, file, size, full, closed }, cut_off))
    }

    /// Removes all lines, which are elsewhere, where the chain ends like this.
    pub(super) fn empty(&mut self, end: &Link) -> io::Result<()> {
        // The oldest first, so that what a crash leaves is the chain's end.
        for stored in files(self.folder.path())? {
            fs::remove_file(stored.path)?;
        }
        self.end = end.clone();
        self.size = 0;
        self.full.clear();
        self.file = Some(AuditFile::open(&self.folder)?);
        Ok(())
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many bytes all files have that were not removed as configured.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many files became full, and how many were retired, since the start.
    pub(super) fn closed(&self) -> (u64, u64) {
        self.closed
    }

    /// The end of the chain.
    pub(super) fn end(&self) -> &Link {
        &self.end
    }

    /// Joins records to the chain, as many of the first as go in one batch, and waits until they are
    /// on stable storage. Gives their lines.
    pub(super) fn write(&mut self, records: &[Record]) -> io::Result<Vec<String>> {
        let batch = Batch::join(&self.replica, &self.end, records);
        self.write_batch(batch)
    }

    /// Writes lines that were joined to the chain elsewhere.
    pub(super) fn write_batch(&mut self, batch: Batch) -> io::Result<Vec<String>> {
        let (lines, rotated) = self.put(batch)?;
        if rotated {
            self.remove_oldest();
        }
        Ok(lines)
    }

    /// Writes lines; gives them, and whether a file became full before.
    fn put(&mut self, batch: Batch) -> io::Result<(Vec<String>, bool)> {
        let text = batch.text();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open_again()?,
        };
        let rotated = file.is_too_full_for(text.len(), self.rotation.most_bytes);
        if rotated {
            let first = file.first();
            file.rotate()?;
            self.full.extend(first);
            self.closed.0 += 1;
            file = AuditFile::open(&self.folder)?;
        }
        match file.write_synced(&text, batch.first) {
            Ok(()) => {
                self.size += text.len() as u64;
                self.end = batch.end;
                self.file = Some(file);
            }
            Err(WriteError::TakenBack(error)) => {
                self.file = Some(file);
                return Err(error);
            }
            Err(WriteError::InDoubt(error)) => {
                // The chain goes on in a new file from the last line that is known to be good.
                self.size += text.len() as u64;
                file.retire()?;
                self.closed.1 += 1;
                return Err(error);
            }
        }
        Ok((batch.lines, rotated))
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
        let files = closed(self.folder.path())?;
        let full = files.iter().enumerate().filter(|(_, file)| file.kind == Kind::Rotated);
        let (places, begins): (Vec<usize>, Vec<u64>) =
            full.map(|(place, file)| (place, file.first)).unzip();
        // Whoever can put files there must not get the vault to sign that it removed others.
        if begins != self.full {
            return Err(io::Error::other("its full files are not those that this vault knows"));
        }
        let excess = places.len().saturating_sub(keep);
        if excess == 0 {
            return Ok(());
        }
        // What was retired before the first that is kept, goes too.
        let end = places.get(excess).copied().unwrap_or(files.len());
        let (current, kept) = (self.folder.path().join(CURRENT), files.get(end));
        let kept = kept.map_or(current.as_path(), |file| &file.path);
        let Some(first) = first_entry(kept)? else { return Ok(()) };
        if begins.get(excess).is_some_and(|begin| *begin != first.sequence) {
            return Err(io::Error::other(format!("{} was changed", kept.display())));
        }
        let last = Link::at(first.sequence.saturating_sub(1), first.previous);
        // First the entry that says so: a beginning that is missing without one was cut.
        let time = Timestamp::now();
        let mut record = Record::new(time, Event::Remove, Outcome::Granted);
        record.reason = Some(format!("{keep} full files are kept"));
        record.removed_through = Some(last.sequence());
        record.removal = self.key.as_ref().map(|key| {
            let (replica, hash) = (self.replica.clone(), last.hash().to_owned());
            key.sign_removal(Head { replica, sequence: last.sequence(), hash, time })
        });
        // Where that makes a file full, there is one more to remove next time, and not now.
        self.put(Batch::join(&self.replica, &self.end, &[record]))?;
        self.full.drain(..excess);
        for file in &files[..end] {
            match fs::remove_file(&file.path) {
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
