//! What was served of the SOPS files, on its way to the state and from other replicas.
//!
//! Invariant: no read waits for it. What the state does not take is tried again for as long as it
//! takes; what was served is known to this process meanwhile.
//!
//! Where clocks of replicas are apart, one may take for the future what another has served, and put
//! its own version in the place of that in the state. The other hears of it, and keeps its own
//! again; the one leaves that alone, so that the two do not go on so.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::adapters::sops::SopsStore;
use crate::adapters::state::{StateError, StateStore};
use crate::domain::data_keys::{DataKeyCode, DataKeyOwners, MOST_OF_ONE};
use crate::domain::history::History;
use crate::domain::names::Environment;
use crate::domain::versions::VersionMarks;

/// How often other replicas are asked what they have served, and what failed is tried again.
const PERIOD: Duration = Duration::from_secs(10);

/// Of how long ago news is asked for, in milliseconds: clocks of replicas may be so far apart, and a
/// replica may have tried for so long to write it.
const NEWS_OF: i64 = 10 * 60 * 1000;

/// How often all is asked for, and not the news alone.
const ALL_PERIOD: Duration = Duration::from_mins(10);

/// How long the last write may take when the vault ends.
const LAST: Duration = Duration::from_secs(3);

/// Keeps what was served.
pub(super) struct KeptHistory {
    store: Arc<SopsStore>,
    state: Arc<StateStore>,
    /// The versions that the state had last, as far as they were not of the future.
    marks: VersionMarks,
    /// The places that were written to it.
    places: BTreeMap<Environment, String>,
    /// Whose data keys are in the state.
    owners: BTreeMap<DataKeyCode, Environment>,
    /// Of which it has that two had them.
    shared: BTreeSet<DataKeyCode>,
    /// Of which environments what the state has is of the future.
    yet_to_come: BTreeSet<Environment>,
    all_heard: Instant,
    failing: bool,
}

impl KeptHistory {
    /// That of the store, of which the state has this.
    pub(super) fn new(store: Arc<SopsStore>, state: Arc<StateStore>, has: History) -> Self {
        let mut history = Self {
            store,
            state,
            marks: VersionMarks::new(),
            places: has.places.clone(),
            owners: BTreeMap::new(),
            shared: BTreeSet::new(),
            yet_to_come: BTreeSet::new(),
            all_heard: Instant::now(),
            failing: false,
        };
        history.take(has, Timestamp::now());
        history
    }

    /// Keeps what is served, and hears of others, until it is dropped.
    pub(super) async fn run(&mut self) -> Infallible {
        let mut served = self.store.history();
        served.mark_changed();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_tick = tokio::select! {
                // The store lives as long as this does.
                _ = served.changed() => false,
                _ = ticks.tick() => true,
            };
            let heard = if is_tick && self.state.is_shared() { self.hear().await } else { Ok(()) };
            let kept = self.keep().await;
            self.tell(heard.and(kept));
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
            if self.marks.get(environment).is_none_or(|kept| mark.replaces(kept, now)) {
                self.state.keep_version(environment, mark, now).await?;
                self.marks.insert(environment.clone(), *mark);
            }
        }
        for (environment, place) in &served.places {
            if self.places.get(environment) != Some(place)
                && self.state.keep_place(environment, place).await?
            {
                self.places.insert(environment.clone(), place.clone());
            }
        }
        for (environment, key) in served.data_keys.iter() {
            if self.owners.get(&key.code) != Some(environment) {
                self.state.keep_data_key(environment, key).await?;
                self.owners.insert(key.code, environment.clone());
                self.forget_beyond(environment, &served.data_keys).await?;
            }
        }
        for (code, other) in served.data_keys.shared() {
            if let Some(owner) = served.data_keys.owner(code)
                && !self.shared.contains(&code)
            {
                self.state.keep_shared_data_key(code, [owner, other]).await?;
                self.shared.insert(code);
            }
        }
        Ok(())
    }

    /// Forgets what the state has of an environment's data keys and is remembered no more.
    async fn forget_beyond(
        &mut self,
        environment: &Environment,
        remembered: &DataKeyOwners,
    ) -> Result<(), StateError> {
        if remembered.of(environment).len() < MOST_OF_ONE {
            return Ok(());
        }
        let beyond = self
            .owners
            .iter()
            .filter(|(code, of)| *of == environment && remembered.owner(**code).is_none());
        let beyond: Vec<DataKeyCode> = beyond.map(|(code, _)| *code).collect();
        for code in beyond {
            self.state.forget_data_key(environment, code).await?;
            self.owners.remove(&code);
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<(), StateError> {
        let (asked, now) = (Instant::now(), Timestamp::now());
        let all = self.all_heard.elapsed() >= ALL_PERIOD;
        let heard = if all {
            self.state.history().await?
        } else {
            self.state.history_since(now.as_millisecond().saturating_sub(NEWS_OF)).await?
        };
        if all {
            self.all_heard = asked;
            self.owners.clear();
            self.shared.clear();
        }
        self.store.remember(heard.clone());
        self.take(heard, now);
        Ok(())
    }

    /// Takes in what the state has, and warns of what the store leaves out of it.
    fn take(&mut self, heard: History, now: Timestamp) {
        let mut yet_to_come = BTreeSet::new();
        for (environment, mark) in heard.marks {
            if mark.is_yet_to_come(now) {
                yet_to_come.insert(environment);
            } else {
                self.marks.insert(environment, mark);
            }
        }
        let owners = heard.data_keys.iter().map(|(of, key)| (key.code, of.clone()));
        self.owners.extend(owners);
        self.shared.extend(heard.data_keys.shared().map(|(code, _)| code));
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
    use crate::domain::data_keys::OwnDataKey;
    use crate::domain::versions::VersionMark;

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
    async fn whose_a_data_key_is_and_where_a_file_was_are_kept_and_heard_of() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path()).await;
        let ours = mark(Timestamp::now() - HOUR);
        let mut here = replica(&state, folder.path(), ours).await;
        let key = |number: usize, since: usize| OwnDataKey {
            code: DataKeyCode([u8::try_from(number).unwrap(); 32]),
            since: i64::try_from(since).unwrap(),
        };
        let mut served = History::clone(&here.store.history().borrow());
        served.data_keys.add(&environment(), key(0, 0));
        served.places.insert(environment(), "prod.enc.yaml".to_owned());
        here.store.remember(served.clone());
        here.keep().await.unwrap();
        let has = state.history().await.unwrap();
        assert_eq!((&has.data_keys, &has.places), (&served.data_keys, &served.places));

        // Another one says whose it is, and where its own file is.
        let dev: Environment = "dev".parse().unwrap();
        let first = key(0, 0).code;
        state.forget_data_key(&environment(), first).await.unwrap();
        state.keep_data_key(&dev, key(0, 0)).await.unwrap();
        state.keep_place(&environment(), "prod.enc.json").await.unwrap();
        here.all_heard = Instant::now() - ALL_PERIOD;
        here.hear().await.unwrap();
        here.keep().await.unwrap();
        assert_eq!(here.store.history().borrow().data_keys.owner(first), Some(&dev));
        let has = state.history().await.unwrap();
        assert_eq!(has.data_keys.owner(first), Some(&dev));
        assert_eq!(has.places[&environment()], "prod.enc.json", "two do not write it in turn");

        // Of those that are too many, the state forgets the same one.
        let mut many = History::default();
        for number in 1..=MOST_OF_ONE + 1 {
            many.data_keys.add(&environment(), key(number, number));
            here.store.remember(many.clone());
            here.keep().await.unwrap();
        }
        let kept = state.history().await.unwrap().data_keys;
        assert_eq!(kept.of(&environment()).len(), MOST_OF_ONE);
        assert_eq!(
            kept.of(&environment()),
            here.store.history().borrow().data_keys.of(&environment())
        );
    }

    #[tokio::test]
    async fn two_replicas_that_served_other_contents_of_one_second_do_not_go_on_writing() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path()).await;
        let ours = mark(Timestamp::now() - HOUR);
        let theirs = VersionMark { digest: [2; 32], ..ours };
        state.keep_version(&environment(), &theirs, Timestamp::now()).await.unwrap();
        let replica = replica(&state, folder.path(), ours).await;
        assert!(!ours.replaces(&replica.marks[&environment()], Timestamp::now()));
    }
}
