//! The state as the programs use it.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::database::{Database, StateError, fetch, write};
use super::facts::Facts;
use super::view::View;
use super::{CheckpointQuery, StateSource, checkpoints, history, revocations};
use crate::domain::checkpoint::Checkpoint;
use crate::domain::claims::{Claims, TokenId};
use crate::domain::data_keys::{DataKeyCode, OwnDataKey};
use crate::domain::history::History;
use crate::domain::identity::Subject;
use crate::domain::names::Environment;
use crate::domain::ports::{Answer, StaleRevocations, TokenStore, TokenStoreError, UseTaken};
use crate::domain::revocation::{
    CLOCKS_APART_SECONDS, IssuedToken, Revocation, Revocations, SubjectStanding,
};
use crate::domain::versions::VersionMark;

/// The name of the file.
const FILE_NAME: &str = "state.db";

/// How often a replica asks for the revocations of the others.
const HEARING_PERIOD: Duration = Duration::from_secs(1);

/// How often it asks for all of them, and not for the news alone.
const ALL_PERIOD: Duration = Duration::from_mins(1);

/// How often what has ended is swept from the state.
const SWEEP_PERIOD: Duration = Duration::from_mins(1);

/// How often the audit's heads of a day ago are.
const HEADS_PERIOD: Duration = Duration::from_hours(1);

/// How the state stands at one moment.
pub struct StateCheck {
    /// What is wrong, where something is.
    pub problem: Option<String>,
    /// Whether tokens can be served at all.
    pub serves: bool,
}

/// The state of a vault: of one replica in a file, of several in a database that they share.
pub struct StateStore {
    database: Database,
    facts: Facts,
    view: View,
}

impl StateStore {
    /// Opens the state, or makes it, and brings its schema up to date.
    pub async fn open(source: &StateSource) -> Result<Self, StateError> {
        let database = match source {
            StateSource::Folder(folder) => Database::open_file(&folder.join(FILE_NAME)).await?,
            StateSource::Postgres(url) => Database::connect(url.expose_secret()).await?,
        };
        let facts = Facts::read_or_make(&database).await?;
        let asked = Instant::now();
        let mut known = Revocations::default();
        for revocation in revocations::all(&database).await? {
            known.add(revocation);
        }
        let view = View::new(known, database.is_shared().then_some(asked));
        Ok(Self { database, facts, view })
    }

    /// When the state began, in epoch seconds.
    pub fn created_at(&self) -> i64 {
        self.facts.created_at
    }

    /// The key of the HMAC that makes revisions: the same for the life of the state.
    pub fn revision_key(&self) -> [u8; 32] {
        self.facts.revision_key
    }

    /// The seed of the key that signs the audit's heads: the same for the life of the state.
    pub fn audit_key(&self) -> [u8; 32] {
        self.facts.audit_key
    }

    /// Keeps a signed head of the audit.
    pub async fn store_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StateError> {
        checkpoints::store(&self.database, checkpoint).await
    }

    /// Some of the signed heads, by replica and sequence.
    pub async fn checkpoints(
        &self,
        query: &CheckpointQuery,
    ) -> Result<Vec<Checkpoint>, StateError> {
        checkpoints::list(&self.database, query).await
    }

    /// The highest signed head of a replica.
    pub async fn highest_checkpoint(
        &self,
        replica: &str,
    ) -> Result<Option<Checkpoint>, StateError> {
        checkpoints::highest(&self.database, replica).await
    }

    /// The head that was signed last, of whichever replica.
    pub async fn newest_checkpoint(&self) -> Result<Option<Checkpoint>, StateError> {
        checkpoints::newest(&self.database).await
    }

    /// Keeps in mind that a version of an environment's file was served, in the place of an older
    /// one, or one that is of the future at `now`.
    pub async fn keep_version(
        &self,
        environment: &Environment,
        mark: &VersionMark,
        now: Timestamp,
    ) -> Result<(), StateError> {
        history::keep_version(&self.database, environment, mark, now).await
    }

    /// Keeps in mind where the file of an environment is; `false` where no version of it is kept.
    pub async fn keep_place(
        &self,
        environment: &Environment,
        place: &str,
    ) -> Result<bool, StateError> {
        history::keep_place(&self.database, environment, place).await
    }

    /// Keeps in mind that an environment was served with a data key, unless another one was before.
    pub async fn keep_data_key(
        &self,
        environment: &Environment,
        key: OwnDataKey,
    ) -> Result<(), StateError> {
        history::keep_data_key(&self.database, environment, key).await
    }

    /// Keeps in mind that two environments' files had a data key.
    pub async fn keep_shared_data_key(
        &self,
        code: DataKeyCode,
        two: [&Environment; 2],
    ) -> Result<(), StateError> {
        history::keep_shared(&self.database, code, two).await
    }

    /// Forgets that an environment was served with a data key.
    pub async fn forget_data_key(
        &self,
        environment: &Environment,
        code: DataKeyCode,
    ) -> Result<(), StateError> {
        history::forget_data_key(&self.database, environment, code).await
    }

    /// What was served of each environment, by whichever replica.
    pub async fn history(&self) -> Result<History, StateError> {
        history::read(&self.database, i64::MIN).await
    }

    /// The same, of data keys those alone that are known since `since` (epoch milliseconds).
    pub async fn history_since(&self, since: i64) -> Result<History, StateError> {
        history::read(&self.database, since).await
    }

    /// Whether other replicas write to it too.
    pub fn is_shared(&self) -> bool {
        self.database.is_shared()
    }

    /// How long ago the revocations of other replicas were heard of; none where there are none.
    pub fn revocations_age(&self) -> Option<Duration> {
        self.view.age()
    }

    /// How the state stands, for readiness.
    pub async fn check(&self) -> StateCheck {
        let problem = self.database.ping().await.err().map(|error| error.to_string());
        let stale = self.view.check_age().err().map(|stale| stale.to_string());
        // Tokens without a limit are served while the view is fresh, also by replicas that reach
        // the database no more.
        let serves = stale.is_none() && (problem.is_none() || self.database.is_shared());
        StateCheck { problem: problem.or(stale), serves }
    }

    /// Hears of the revocations of other replicas and sweeps what has ended, for ever.
    pub async fn run(&self) -> Infallible {
        tokio::select! {
            never = self.hear() => never,
            never = self.sweep_again_and_again() => never,
        }
    }

    async fn hear(&self) -> Infallible {
        if !self.database.is_shared() {
            return std::future::pending().await;
        }
        let mut ticks = interval(HEARING_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut all_heard, mut failing) = (Instant::now(), false);
        loop {
            ticks.tick().await;
            let asked = Instant::now();
            let since = Timestamp::now().as_second();
            let all = all_heard.elapsed() >= ALL_PERIOD;
            let news = if all {
                revocations::all(&self.database).await
            } else {
                revocations::news(&self.database, since).await
            };
            match news {
                Ok(news) => {
                    self.view.hear(news, asked);
                    if all {
                        all_heard = asked;
                    }
                    if failing {
                        tracing::info!("the state database answers again");
                    }
                    failing = false;
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "the state database is not heard: limited tokens are not served, and all are refused once the revocations were not heard for {} s", super::STALE_AFTER.as_secs());
                    }
                    // What was missed meanwhile may be older than the news that are asked for.
                    (failing, all_heard) = (true, asked.checked_sub(ALL_PERIOD).unwrap_or(asked));
                }
            }
        }
    }

    async fn sweep_again_and_again(&self) -> Infallible {
        let mut ticks = interval(SWEEP_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heads_swept, mut heads_due) = (i64::MIN, Instant::now());
        loop {
            ticks.tick().await;
            let now = Timestamp::now().as_second();
            if let Err(error) = self.sweep(now).await {
                tracing::warn!(%error, "ended tokens could not be swept; it is tried again");
            }
            if Instant::now() < heads_due {
                continue;
            }
            match self.sweep_checkpoints(heads_swept, now).await {
                Ok(through) => heads_swept = through,
                Err(error) => {
                    tracing::warn!(%error, "old heads of the audit could not be swept; it is tried again");
                }
            }
            heads_due = Instant::now() + HEADS_PERIOD;
        }
    }

    /// Removes what ended before `now` (epoch seconds), allowing for clocks that are apart.
    pub async fn sweep(&self, now: i64) -> Result<(), StateError> {
        const TOKENS: &str = "DELETE FROM tokens WHERE expires_at < $1";
        // Memory is freed whatever becomes of the rest.
        self.view.forget_ended(now);
        let before = now.saturating_sub(CLOCKS_APART_SECONDS);
        write!(&self.database, sqlx::query(TOKENS).bind(before))?;
        revocations::sweep(&self.database, now).await
    }

    /// Removes signed heads that are a day old at `now` and not the highest of their hour, from
    /// the moment on through which it was done; gives that moment of this time (epoch seconds).
    pub async fn sweep_checkpoints(&self, since: i64, now: i64) -> Result<i64, StateError> {
        checkpoints::sweep(&self.database, since, now).await
    }
}

impl TokenStore for StateStore {
    fn issue<'a>(&'a self, claims: &'a Claims) -> Answer<'a, Result<(), TokenStoreError>> {
        const ISSUE: &str = "INSERT INTO tokens (jti, uses_left, expires_at) VALUES ($1, $2, $3)";
        Box::pin(async move {
            // A token that is not counted never touches the store.
            let Some(limit) = claims.usage_limit else { return Ok(()) };
            let (jti, limit) = (claims.jti.as_str(), i64::from(limit));
            write!(&self.database, sqlx::query(ISSUE).bind(jti).bind(limit).bind(claims.exp))?;
            Ok(())
        })
    }

    fn take_use<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Result<UseTaken, TokenStoreError>> {
        const TAKE: &str =
            "UPDATE tokens SET uses_left = uses_left - 1 WHERE jti = $1 AND uses_left > 0";
        Box::pin(async move {
            let taken = write!(&self.database, sqlx::query(TAKE).bind(id.as_str()))?;
            if taken == 1 {
                return Ok(UseTaken::Taken);
            }
            Ok(match self.uses_left(id).await? {
                Some(_) => UseTaken::Exhausted,
                None => UseTaken::Unknown,
            })
        })
    }

    fn uses_left<'a>(
        &'a self,
        id: &'a TokenId,
    ) -> Answer<'a, Result<Option<u32>, TokenStoreError>> {
        const LEFT: &str = "SELECT uses_left FROM tokens WHERE jti = $1";
        Box::pin(async move {
            let left: Option<i64> = fetch!(
                &self.database,
                reader,
                fetch_optional,
                sqlx::query_scalar(LEFT).bind(id.as_str())
            )?;
            Ok(left.map(|left| u32::try_from(left).unwrap_or(u32::MAX)))
        })
    }

    fn revoke(&self, revocation: Revocation) -> Answer<'_, Result<(), TokenStoreError>> {
        Box::pin(async move {
            // First here: from this moment it holds, whatever becomes of the rest. What lifts a
            // block holds only once it is stored.
            if !self.view.is_lifted_by(&revocation) {
                self.view.add(revocation.clone());
            }
            let stored = revocations::store(&self.database, revocation).await?;
            self.view.add(stored);
            Ok(())
        })
    }

    fn is_revoked(&self, token: IssuedToken<'_>) -> Result<bool, StaleRevocations> {
        self.view.is_revoked(token)
    }

    fn standing(&self, subject: &Subject) -> Result<SubjectStanding, StaleRevocations> {
        self.view.standing(subject)
    }
}
