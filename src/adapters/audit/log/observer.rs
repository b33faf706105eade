//! What the writer of the audit tells of its work, for whoever counts it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What became of one batch of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many lines are on stable storage because of it; none where it failed, and 0 where only
    /// the spool was moved.
    pub lines: Option<usize>,
    /// How long it took.
    pub duration: Duration,
    /// How many files became full with it.
    pub rotated: u64,
    /// How many files were retired.
    pub retired: u64,
    /// How many lines wait in the spool after it.
    pub spooled: usize,
    /// How many bytes the spool has after it.
    pub spool_bytes: u64,
}

/// Somebody who is told. It must not block: nothing is answered meanwhile.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Written) + Send + Sync>>);

impl Observer {
    /// One that does this.
    pub fn new(told: impl Fn(Written) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(super) fn tell(&self, written: Written) {
        if let Some(told) = &self.0 {
            told(written);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no Observer" })
    }
}
