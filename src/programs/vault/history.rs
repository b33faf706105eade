//! What was served of the SOPS files, on its way to the state and from other replicas.
//!
//! Invariant: no read waits for it. What the state does not take is tried again for as long as it
//! takes; what was served is known to this process meanwhile.
//!
//! Where clocks of replicas are apart, one may take for the future what another has served, and put
//! its own version in the place of that in the state. The other hears of it, and keeps its own
//! again; the one leaves that alone, so that the two do not go on so.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::adapters::sops::SopsStore;
use crate::adapters::state::{StateError, StateStore};
use crate::domain::history::History;
use crate::domain::names::Environment;

/// How often other replicas are asked what they have served, and what failed is tried again.
const PERIOD: Duration = Duration::from_secs(10);

/// How often it is written down which environments are still served, and forgotten what was served
/// last long ago.
const TOUCH_PERIOD: Duration = Duration::from_hours(24);

/// How long the last write may take when the vault ends.
const LAST: Duration = Duration::from_secs(3);

/// Keeps what was served.
pub(super) struct KeptHistory {
    store: Arc<SopsStore>,
    state: Arc<StateStore>,
    /// What the state had last, as far as it was not of the future.
    kept: History,
    /// Of which environments what the state has is of the future.
    yet_to_come: BTreeSet<Environment>,
    failing: bool,
}

impl KeptHistory {
    /// That of the store, of which the state has this.
    pub(super) fn new(store: Arc<SopsStore>, state: Arc<StateStore>, has: History) -> Self {
        let (kept, yet_to_come) = (History::default(), BTreeSet::new());
        let mut history = Self { store, state, kept, yet_to_come, failing: false };
        history.take(has, Timestamp::now());
        history
    }

    /// Keeps what is served, and hears of others, until it is dropped.
    pub(super) async fn run(&mut self) -> Infallible {
        let mut served = self.store.history();
        served.mark_changed();
        let ticks_of = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut ticks, mut touches) = (ticks_of(PERIOD), ticks_of(TOUCH_PERIOD));
        loop {
            let done = tokio::select! {
                // The store lives as long as this does.
                _ = served.changed() => self.keep().await,
                _ = ticks.tick() => {
                    let heard = if self.state.is_shared() { self.hear().await } else { Ok(()) };
                    heard.and(self.keep().await)
                }
                _ = touches.tick() => self.touch().await,
            };
            self.tell(done);
        }
    }

    /// Keeps what was served last, where it is not kept yet.
    pub(super) async fn finish(&mut self) {
        let kept = timeout(LAST, self.keep()).await.unwrap_or(Err(StateError::Silent));
        self.tell(kept);
    }

    async fn keep(&mut self) -> Result<(), StateError> {
        let served = Arc::clone(&self.store.history().borrow());
        let now = Timestamp::now();
        for (environment, mark) in &served.marks {
            if self.kept.marks.get(environment).is_none_or(|kept| mark.replaces(kept, now)) {
                self.state.keep_version(environment, mark, now).await?;
                self.kept.marks.insert(environment.clone(), *mark);
            }
        }
        for (environment, place) in &served.places {
            if self.kept.places.get(environment) != Some(place) {
                self.state.keep_place(environment, place).await?;
                self.kept.places.insert(environment.clone(), place.clone());
            }
        }
        for (environment, code) in served.data_keys.iter() {
            if self.kept.data_keys.owner(code) != Some(environment) {
                self.state.keep_data_key(environment, code, now).await?;
                self.kept.data_keys.assign(environment, code);
            }
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<(), StateError> {
        let heard = self.state.history().await?;
        self.store.remember(heard.clone());
        self.take(heard, Timestamp::now());
        Ok(())
    }

    /// Has the state remember what is served, and forget what was served last long ago.
    async fn touch(&self) -> Result<(), StateError> {
        let now = Timestamp::now();
        for status in self.store.status() {
            if status.keys.is_some() {
                self.state.touch_history(&status.environment, now).await?;
            }
        }
        self.state.forget_old_history().await
    }

    /// Takes in what the state has, and warns of what the store leaves out of it.
    fn take(&mut self, heard: History, now: Timestamp) {
        let mut yet_to_come = BTreeSet::new();
        for (environment, mark) in heard.marks {
            if mark.is_yet_to_come(now) {
                yet_to_come.insert(environment);
            } else {
                self.kept.marks.insert(environment, mark);
            }
        }
        self.kept.data_keys = heard.data_keys;
        self.kept.places = heard.places;
        let before = std::mem::replace(&mut self.yet_to_come, yet_to_come);
        for environment in self.yet_to_come.difference(&before) {
            tracing::warn!(%environment, "the state says that a version was served which is yet to come: a clock was wrong, or somebody wrote it there. It does not count, and the next version that is served takes its place");
        }
    }

    fn tell(&mut self, done: Result<(), StateError>) {
        let failed_before = std::mem::replace(&mut self.failing, done.is_err());
        match done {
            Ok(()) if failed_before => tracing::info!("what was served is kept again"),
            Err(error) if !failed_before => {
                tracing::warn!(%error, "what was served of the SOPS files is not kept, so that after a restart an older version, or whose a data key is, would not be known; it is tried again");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::SignedDuration;

    use super::*;
    use crate::adapters::sops::{Authorship, Leave, SharedIdentities, StoreOptions};
    use crate::adapters::state::StateSource;
    use crate::domain::versions::{VersionMark, VersionMarks};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn environment() -> Environment {
        "prod".parse().unwrap()
    }

    fn mark(last_modified: Timestamp) -> VersionMark {
        VersionMark {
            last_modified: last_modified.round(jiff::Unit::Second).unwrap(),
            digest: [1; 32],
        }
    }

    async fn state(folder: &Path) -> Arc<StateStore> {
        let source = StateSource::Folder(folder.to_owned());
        Arc::new(StateStore::open(&source).await.unwrap())
    }

    /// A replica that has served this version.
    async fn replica(state: &Arc<StateStore>, folder: &Path, served: VersionMark) -> KeptHistory {
        let options = StoreOptions {
            folder: Some(folder.to_owned()),
            shared: SharedIdentities::None,
            identities_folder: None,
            leave: Leave::default(),
            authorship: Authorship::default(),
            settling: Duration::ZERO,
            key_service: None,
        };
        let marks = VersionMarks::from([(environment(), served)]);
        let history = History { marks, ..History::default() };
        let (store, _) = SopsStore::open_again(options, history);
        let before = state.history().await.unwrap();
        KeptHistory::new(Arc::new(store), Arc::clone(state), before)
    }

    async fn has(state: &StateStore) -> VersionMark {
        state.history().await.unwrap().marks[&environment()]
    }

    #[tokio::test]
    async fn a_version_of_the_future_leaves_its_place_to_what_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path()).await;
        let now = Timestamp::now();
        let (future, served) = (mark(now + HOUR), mark(now - HOUR));
        state.keep_version(&environment(), &future, now + HOUR).await.unwrap();
        let mut replica = replica(&state, folder.path(), served).await;
        replica.keep().await.unwrap();
        assert_eq!(has(&state).await, served);
    }

    #[tokio::test]
    async fn what_a_replica_whose_clock_is_behind_put_away_is_kept_again_and_then_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path()).await;
        let now = Timestamp::now();
        let (older, newer) = (mark(now - HOUR), mark(now));
        let mut replica = replica(&state, folder.path(), newer).await;
        replica.keep().await.unwrap();
        // By its clock, the newer one is of the future.
        state.keep_version(&environment(), &older, now - HOUR).await.unwrap();
        assert_eq!(has(&state).await, older);
        replica.hear().await.unwrap();
        replica.keep().await.unwrap();
        assert_eq!(has(&state).await, newer);

        // And by ours, this one is.
        let ahead = mark(now + HOUR);
        state.keep_version(&environment(), &ahead, now + HOUR).await.unwrap();
        for _ in 0..2 {
            replica.hear().await.unwrap();
            replica.keep().await.unwrap();
            assert_eq!(has(&state).await, ahead);
        }
    }

    #[tokio::test]
    async fn two_replicas_that_served_other_contents_of_one_second_do_not_go_on_writing() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path()).await;
        let ours = mark(Timestamp::now() - HOUR);
        let theirs = VersionMark { digest: [2; 32], ..ours };
        state.keep_version(&environment(), &theirs, Timestamp::now()).await.unwrap();
        let replica = replica(&state, folder.path(), ours).await;
        assert!(!ours.replaces(&replica.kept.marks[&environment()], Timestamp::now()));
    }
}
