//! The files of age identities: each is read again when it changes.
//!
//! Invariant: a file that cannot be read any more, or is not well formed, leaves the identities
//! that it last gave in use; texts name files and lines, and repeat nothing of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::identities::{Identities, IdentityError};
use super::report::IdentitiesRead;
use crate::adapters::files::Fingerprint;

/// What each file of identities has given so far.
#[derive(Default)]
pub(super) struct IdentityFiles(Mutex<Files>);

#[derive(Default)]
struct Files {
    known: BTreeMap<PathBuf, Known>,
    /// How often something that counts has changed.
    changes: u64,
    /// What is to be told of it.
    news: Vec<IdentitiesRead>,
}

struct Known {
    seen: Fingerprint,
    /// Whether the fingerprint tells of every change since.
    settled: bool,
    /// What the file gave when it last gave any.
    good: Option<Arc<Identities>>,
    /// Why it gave none at the last attempt.
    error: Option<IdentityError>,
    /// Of the last time that what is in use was another.
    number: u64,
    /// Whether this look has seen it.
    looked_at: bool,
}

impl IdentityFiles {
    /// Begins a look: each file that is asked for from now on is looked at once.
    pub(super) fn begin(&self) {
        self.lock().known.values_mut().for_each(|known| known.looked_at = false);
    }

    /// Ends it: identities of files that nobody asked for are forgotten. Gives what is to be told.
    pub(super) fn end(&self) -> Vec<IdentitiesRead> {
        let mut files = self.lock();
        files.known.retain(|_, known| known.looked_at);
        std::mem::take(&mut files.news)
    }

    /// A number that changes with what [`Self::of`] gives.
    pub(super) fn number(&self, path: &Path) -> u64 {
        let mut files = self.lock();
        files.look_at(path);
        files.known.get(path).map_or(0, |known| known.number)
    }

    /// The identities of a file.
    pub(super) fn of(&self, path: &Path) -> Result<Arc<Identities>, IdentityError> {
        let mut files = self.lock();
        files.look_at(path);
        match files.known.get(path) {
            Some(Known { good: Some(good), .. }) => Ok(Arc::clone(good)),
            Some(Known { error: Some(error), .. }) => Err(error.clone()),
            _ => Err(IdentityError::Empty),
        }
    }

    /// What is wrong with files whose earlier identities are in use.
    pub(super) fn problems(&self) -> Vec<String> {
        let files = self.lock();
        let known = files.known.values().filter(|known| known.good.is_some());
        known.filter_map(|known| known.error.as_ref().map(ToString::to_string)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// Looks at a file where this look has not yet, and reads it where it may have changed.
    fn look_at(&mut self, path: &Path) {
        let before = self.known.get(path);
        if before.is_some_and(|known| known.looked_at) {
            return;
        }
        let seen = Fingerprint::of(path);
        let unchanged = |known: &Known| {
            let passing = matches!(known.error, Some(IdentityError::Unreadable { .. }));
            known.settled && known.seen == seen && !passing
        };
        if let Some(known) = self.known.get_mut(path).filter(|known| unchanged(known)) {
            known.looked_at = true;
            return;
        }
        // Before it is read: what is written afterwards has another time, or is read again.
        let settled = seen.is_settled(SystemTime::now());
        let read = Identities::read(path);
        self.take(path, read, seen, settled);
    }

    fn take(
        &mut self,
        path: &Path,
        read: Result<Identities, IdentityError>,
        seen: Fingerprint,
        settled: bool,
    ) {
        let before = self.known.remove(path);
        let (good, error) = match (read, before.as_ref().and_then(|before| before.good.clone())) {
            (Ok(now), Some(earlier)) if now.are(&earlier) => (Some(earlier), None),
            (Ok(now), _) => (Some(Arc::new(now)), None),
            (Err(error), earlier) => (earlier, Some(error)),
        };
        let same_error = before.as_ref().is_some_and(|before| before.error == error);
        let same_in_use = before.as_ref().is_some_and(|before| match (&before.good, &good) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (None, None) => same_error,
            _ => false,
        });
        if !(same_error && same_in_use) && before.is_some() {
            let outcome = match (&error, &good) {
                (None, Some(good)) => Some(Ok(good.count())),
                (Some(error), Some(_)) => Some(Err(error.to_string())),
                // Each environment that it opens says so.
                (_, None) => None,
            };
            let path = path.to_owned();
            self.news.extend(outcome.map(|outcome| IdentitiesRead { path, outcome }));
        }
        let number = match before {
            Some(before) if same_in_use => before.number,
            _ => {
                self.changes += 1;
                self.changes
            }
        };
        let known = Known { seen, settled, good, error, number, looked_at: true };
        self.known.insert(path.to_owned(), known);
    }
}
