//! What a store remembers of what it served, and hears of what others did.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::super::report::RefreshReport;
use super::SopsStore;
use crate::domain::data_keys::DataKeyCode;
use crate::domain::history::{History, MOST_ENVIRONMENTS, Served};
use crate::domain::names::Environment;

impl SopsStore {
    /// What was served, as far as it is remembered; it changes with what is served.
    pub fn history(&self) -> watch::Receiver<Arc<History>> {
        self.history.subscribe()
    }

    /// Takes in what was served elsewhere.
    pub fn remember(&self, others: History) {
        let now = Timestamp::now();
        self.history.send_if_modified(|history| {
            let mut merged = History::clone(history);
            merged.hear(others, now);
            let changed = **history != merged;
            *history = Arc::new(merged);
            changed
        });
    }

    /// Remembers what is served from now on.
    pub(super) fn add_to_history(
        &self,
        served: &[Served],
        shared: &[(DataKeyCode, Environment)],
        report: &mut RefreshReport,
    ) {
        if served.is_empty() && shared.is_empty() {
            return;
        }
        let (now, mut forgotten) = (Timestamp::now(), BTreeSet::new());
        self.history.send_modify(|history| {
            let history = Arc::make_mut(history);
            let beyond = served.iter().filter(|served| !history.add(served, now));
            forgotten.extend(beyond.map(|served| &served.environment));
            for (code, other) in shared {
                history.data_keys.share(*code, other);
            }
        });
        for loaded in &mut report.loaded {
            if forgotten.contains(&loaded.environment) {
                loaded.warnings.push(format!("is not remembered, as {MOST_ENVIRONMENTS} environments were served before it: an older version that is put back will not be known"));
            }
        }
    }
}
