//! When the API server was last heard about one kind of objects, and what is wrong since.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a failure that lasts is logged again.
const REMIND: Duration = Duration::from_mins(1);

/// How it stands with one watch.
///
/// An answer, an event and a bookmark are all heard; where nothing is for long, what is in use may
/// be stale.
#[derive(Debug, Default)]
pub struct Contact(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    heard: Option<Instant>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    text: String,
    logged: Instant,
}

impl Contact {
    /// How long ago the API server was last heard; none where it never was.
    pub fn silence(&self) -> Option<Duration> {
        self.with(|state| state.heard.map(|heard| heard.elapsed()))
    }

    /// What is wrong now, where something is.
    pub fn problem(&self) -> Option<String> {
        self.with(|state| state.failure.as_ref().map(|failure| failure.text.clone()))
    }

    pub(super) fn heard(&self) {
        let recovered = self.with(|state| {
            state.heard = Some(Instant::now());
            state.failure.take()
        });
        if let Some(failure) = recovered {
            tracing::info!(was = failure.text, "the API server is heard again");
        }
    }

    /// Writes down a failure; says it loudly where it is another than before, and each minute.
    pub(super) fn failed(&self, text: &str) {
        let loud = self.with(|state| {
            let now = Instant::now();
            let known = state.failure.as_ref().filter(|known| known.text == text);
            let loud = known.is_none_or(|known| now.duration_since(known.logged) >= REMIND);
            let logged = known.filter(|_| !loud).map_or(now, |known| known.logged);
            state.failure = Some(Failure { text: text.to_owned(), logged });
            loud
        });
        if loud {
            tracing::error!(reason = text, "the cluster cannot be watched; it is tried again");
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_holds_until_the_api_server_is_heard() {
        let contact = Contact::default();
        assert!(contact.silence().is_none() && contact.problem().is_none());
        contact.failed("gone");
        assert_eq!(contact.problem().as_deref(), Some("gone"));
        assert!(contact.silence().is_none());
        contact.heard();
        assert!(contact.silence().is_some() && contact.problem().is_none());
    }
}
