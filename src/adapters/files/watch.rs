//! When a source has to be read again.
//!
//! Invariant: what was seen of a source counts as read only once it was read well; a failure is
//! tried again until it passes.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::Fingerprint;

/// How long after a lasting failure it is tried again, where no file changes before.
const RETRY: Duration = Duration::from_secs(2);

/// What was seen of the files of one source, and what became of reading them.
#[derive(Debug, Default)]
pub struct Watch {
    /// Of the last attempt.
    seen: Option<Seen>,
    failure: Option<Failure>,
}

/// The files as they were before they were read.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    fingerprints: Vec<Fingerprint>,
    settled: bool,
}

#[derive(Debug)]
struct Failure {
    text: String,
    passing: bool,
    at: Instant,
}

impl Watch {
    /// Looks at the files: what was seen, where they have to be read.
    pub fn look<'a>(&self, paths: impl IntoIterator<Item = &'a Path>) -> Option<Seen> {
        let fingerprints: Vec<Fingerprint> = paths.into_iter().map(Fingerprint::of).collect();
        let now = SystemTime::now();
        let settled = fingerprints.iter().all(|fingerprint| fingerprint.is_settled(now));
        let same = self.seen.as_ref().is_some_and(|seen| seen.fingerprints == fingerprints);
        let known = same && self.seen.as_ref().is_some_and(|seen| seen.settled);
        let due = match &self.failure {
            Some(failure) => !same || failure.passing || failure.at.elapsed() >= RETRY,
            None => !known,
        };
        due.then_some(Seen { fingerprints, settled })
    }

    /// The files were read well. Says whether that is news: they had changed, or failed before.
    pub fn succeeded(&mut self, seen: Seen) -> bool {
        let changed =
            self.seen.as_ref().is_none_or(|before| before.fingerprints != seen.fingerprints);
        self.seen = Some(seen);
        self.failure.take().is_some() || changed
    }

    /// The files could not be read; one that may pass by itself is tried again at once. Says
    /// whether that is news: the text is another than before.
    pub fn failed(&mut self, seen: Seen, text: String, passing: bool) -> bool {
        let news = self.failure.as_ref().is_none_or(|failure| failure.text != text);
        self.seen = Some(seen);
        self.failure = Some(Failure { text, passing, at: Instant::now() });
        news
    }

    /// Why the files could not be read at the last attempt, where they could not.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_and_is_news_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let mut watch = Watch::default();
        let seen = watch.look([file.as_path()]).unwrap();
        assert!(watch.failed(seen, "no file".to_owned(), true));
        let seen = watch.look([file.as_path()]).unwrap();
        assert!(!watch.failed(seen, "no file".to_owned(), true));
        let seen = watch.look([file.as_path()]).unwrap();
        assert!(watch.failed(seen, "nonsense".to_owned(), false));
        assert!(watch.look([file.as_path()]).is_none());
        std::fs::write(&file, "x").unwrap();
        let seen = watch.look([file.as_path()]).unwrap();
        assert!(watch.succeeded(seen));
        assert_eq!(watch.failure(), None);
    }

    #[test]
    fn a_file_that_was_just_written_is_read_until_its_times_can_be_relied_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let mut watch = Watch::default();
        let seen = watch.look([file.as_path()]).unwrap();
        assert!(watch.succeeded(seen));
        let seen = watch.look([file.as_path()]).unwrap();
        assert!(!watch.succeeded(seen));
    }
}
