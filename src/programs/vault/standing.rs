//! Which sources are not as their files are now, since when, and why: for readiness.
//!
//! What is in use is what the files said before, or nothing.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// What is wrong. Texts hold names and reasons, and no value.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) grants: Source,
    pub(super) clients: Source,
    pub(super) issuers: Source,
    pub(super) signing_keys: Source,
}

/// Whether one source is as its files are.
#[derive(Debug, Default)]
pub(super) struct Source(Mutex<Option<(Timestamp, String)>>);

impl Source {
    /// Writes down what is wrong now; the moment is that of the first of several errors in a row.
    pub(super) fn set(&self, error: Option<String>) {
        let mut stale = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = stale.as_ref().map_or_else(Timestamp::now, |(since, _)| *since);
        *stale = error.map(|error| (since, error));
    }

    /// What is wrong and since when, where something is.
    pub(super) fn text(&self) -> Option<String> {
        let stale = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stale.as_ref().map(|(since, error)| format!("wrong since {since:.0}: {error}"))
    }
}
