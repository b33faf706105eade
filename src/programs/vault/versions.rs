//! Which versions of the SOPS files were served, on their way to the state and from other replicas.
//!
//! Invariant: no read waits for it. What the state does not take is tried again for as long as it
//! takes; what was served is known to this process meanwhile.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::adapters::sops::SopsStore;
use crate::adapters::state::{StateError, StateStore};
use crate::domain::names::Environment;
use crate::domain::versions::VersionMarks;

/// How often other replicas are asked what they have served, and what failed is tried again.
const PERIOD: Duration = Duration::from_secs(10);

/// How long the last write may take when the vault ends.
const LAST: Duration = Duration::from_secs(3);

/// Keeps the versions.
pub(super) struct ServedVersions {
    store: Arc<SopsStore>,
    state: Arc<StateStore>,
    /// What the state has for certain.
    kept: VersionMarks,
    /// Of which environments what the state has is of the future.
    yet_to_come: BTreeSet<Environment>,
    failing: bool,
}

impl ServedVersions {
    /// Those of the store, of which the state has these.
    pub(super) fn new(store: Arc<SopsStore>, state: Arc<StateStore>, kept: VersionMarks) -> Self {
        let mut versions =
            Self { store, state, kept, yet_to_come: BTreeSet::new(), failing: false };
        versions.tell_of_the_future(&versions.kept.clone());
        versions
    }

    /// Keeps what is served, and hears of others, until it is dropped.
    pub(super) async fn run(&mut self) -> Infallible {
        let mut served = self.store.marks();
        served.mark_changed();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_tick = tokio::select! {
                // The store lives as long as this does.
                _ = served.changed() => false,
                _ = ticks.tick() => true,
            };
            let kept = self.keep().await;
            let heard = if is_tick && self.state.is_shared() { self.hear().await } else { Ok(()) };
            self.tell(kept.and(heard));
        }
    }

    /// Keeps what was served last, where it is not kept yet.
    pub(super) async fn finish(&mut self) {
        let kept = timeout(LAST, self.keep()).await.unwrap_or(Err(StateError::Silent));
        self.tell(kept);
    }

    async fn keep(&mut self) -> Result<(), StateError> {
        let served = self.store.marks().borrow().clone();
        for (environment, mark) in served {
            if self.kept.get(&environment) != Some(&mark) {
                self.state.keep_version(&environment, &mark).await?;
                self.kept.insert(environment, mark);
            }
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<(), StateError> {
        let heard = self.state.versions().await?;
        self.tell_of_the_future(&heard);
        self.store.remember(heard);
        Ok(())
    }

    /// Warns of what the store leaves out, and the state takes for the highest.
    fn tell_of_the_future(&mut self, heard: &VersionMarks) {
        let now = Timestamp::now();
        let yet_to_come = heard.iter().filter(|(_, mark)| mark.is_yet_to_come(now));
        let yet_to_come = yet_to_come.map(|(environment, _)| environment.clone()).collect();
        let before = std::mem::replace(&mut self.yet_to_come, yet_to_come);
        for environment in self.yet_to_come.difference(&before) {
            tracing::warn!(%environment, "the state says that a version was served which is yet to come: a clock was wrong, or somebody wrote it there. It does not count, and until that day no newer one is kept: take its line out of the table `versions`");
        }
    }

    fn tell(&mut self, done: Result<(), StateError>) {
        let failed_before = std::mem::replace(&mut self.failing, done.is_err());
        match done {
            Ok(()) if failed_before => tracing::info!("which versions were served is kept again"),
            Err(error) if !failed_before => {
                tracing::warn!(%error, "which versions of the SOPS files were served is not kept, so that after a restart an older one would not be known; it is tried again");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
