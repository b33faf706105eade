//! Entries that are asked for, out of a folder's files.
//!
//! Invariant: a page takes as much memory and work as is said here, however large the audit is.

use std::fs::File;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::error::QueryError;
use crate::adapters::audit::folder::{StoredFile, files};
use crate::adapters::audit::lines::{Backward, Forward, partition_point};
use crate::domain::record::{Entry, Link};
use crate::domain::record_filter::{Filter, Order};

/// How many bytes are looked at for one page; the next page goes on from there.
const MOST_SCANNED: usize = 64 * 1024 * 1024;

/// How many bytes of lines a page holds, beside its last line.
pub(super) const MOST_GIVEN: usize = 4 * 1024 * 1024;

/// How far the times of entries may be out of order: they are written after they are decided, and
/// clocks are set.
const DISORDER: SignedDuration = SignedDuration::from_hours(1);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which entries.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// How many at the most.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<u64>,
}

/// Some of the lines that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The lines, exactly as they were written.
    pub lines: Vec<String>,
    /// Where the next page begins; none where there can be nothing more. A page may hold fewer
    /// lines than were asked for, none even, and yet not be the last.
    pub next: Option<u64>,
    /// Where the page ends, whether or not there is more: a follower goes on from here.
    pub last: Option<u64>,
}

/// Reads what a vault writes into a folder.
pub(super) struct FolderReader {
    folder: PathBuf,
    head: watch::Receiver<Link>,
}

impl FolderReader {
    pub(super) fn new(folder: PathBuf, head: watch::Receiver<Link>) -> Self {
        Self { folder, head }
    }

    /// A page. Whoever asks for it keeps its place until it is read, also when it goes away.
    pub(super) async fn query(
        &self,
        query: Query,
        place: OwnedSemaphorePermit,
    ) -> Result<Page, QueryError> {
        let (folder, through) = (self.folder.clone(), self.head.borrow().sequence());
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            let files = files(&folder)?;
            match query.order {
                Order::Newest => newest(&files, &query, through),
                Order::Oldest => oldest(&files, &query, through),
            }
        });
        Ok(read.await??)
    }
}

/// What a page holds so far.
struct Pages<'a> {
    query: &'a Query,
    page: Page,
    scanned: usize,
    given: usize,
}

impl<'a> Pages<'a> {
    fn new(query: &'a Query) -> Self {
        let page = Page { lines: Vec::new(), next: None, last: query.cursor };
        Self { query, page, scanned: 0, given: 0 }
    }

    /// Takes a line; gives whether the page is full with it.
    fn take(&mut self, line: String, entry: &Entry) -> bool {
        self.scanned += line.len();
        self.page.last = Some(entry.sequence);
        if self.query.filter.matches(entry) {
            self.given += line.len();
            self.page.lines.push(line);
        }
        let full = self.page.lines.len() >= self.query.limit
            || self.scanned >= MOST_SCANNED
            || self.given >= MOST_GIVEN;
        if full {
            self.page.next = self.page.last;
        }
        full
    }
}

/// The sequence that the file after this one begins with: what a retired file holds of that and
/// later is no part of the chain.
fn end_of(files: &[StoredFile], at: usize) -> u64 {
    files[at + 1..].iter().map(|file| file.first).min().unwrap_or(u64::MAX)
}

fn newest(files: &[StoredFile], query: &Query, through: u64) -> std::io::Result<Page> {
    let mut pages = Pages::new(query);
    let before = query.cursor.unwrap_or(u64::MAX).min(through.saturating_add(1));
    let until = query.filter.until.map(later);
    let since = query.filter.since.map(earlier);
    for at in (0..files.len()).rev() {
        let before = before.min(end_of(files, at));
        if files[at].first >= before {
            continue;
        }
        let mut file = File::open(&files[at].path)?;
        let end = partition_point(&mut file, |line| {
            parse(line).is_none_or(|entry| {
                entry.sequence < before && until.is_none_or(|until| entry.record.time < until)
            })
        })?;
        for line in Backward::new(file, end) {
            let line = line?;
            let Some(entry) = parse(&line) else { continue };
            if since.is_some_and(|since| entry.record.time < since) {
                return Ok(pages.page);
            }
            if pages.take(line, &entry) {
                return Ok(pages.page);
            }
        }
    }
    Ok(pages.page)
}

/// The lines of files from the oldest on, up to the one of a sequence.
pub(super) fn oldest(files: &[StoredFile], query: &Query, through: u64) -> std::io::Result<Page> {
    let mut pages = Pages::new(query);
    let after = query.cursor.unwrap_or(0);
    let until = query.filter.until.map(later);
    let since = query.filter.since.map(earlier);
    for (at, stored) in files.iter().enumerate() {
        let end = end_of(files, at).min(through.saturating_add(1));
        if end <= after.saturating_add(1) {
            continue;
        }
        let mut file = File::open(&stored.path)?;
        let begin = partition_point(&mut file, |line| {
            parse(line).is_none_or(|entry| {
                entry.sequence <= after || since.is_some_and(|since| entry.record.time < since)
            })
        })?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(begin))?;
        for line in Forward::new(file) {
            let line = line?;
            let Some(line) = line.finished() else { break };
            let Some(entry) = parse(line) else { continue };
            if entry.sequence >= end {
                break;
            }
            if until.is_some_and(|until| entry.record.time >= until) {
                return Ok(pages.page);
            }
            if pages.take(line.to_owned(), &entry) {
                return Ok(pages.page);
            }
        }
    }
    Ok(pages.page)
}

fn parse(line: &str) -> Option<Entry> {
    serde_json::from_str(line).ok()
}

fn earlier(time: Timestamp) -> Timestamp {
    time.checked_sub(DISORDER).unwrap_or(Timestamp::MIN)
}

fn later(time: Timestamp) -> Timestamp {
    time.checked_add(DISORDER).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
