//! The embedded store.

use std::collections::HashSet;
use std::path::Path;
use std::sync::RwLock;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::domain::claims::{Claims, TokenId};
use crate::domain::ports::{Answer, TokenStore, TokenStoreError, UseTaken};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/adapters/state/migrations");

/// The state could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database does not open or answer.
    #[error("the state database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("the state database's schema cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// No random bytes could be had.
    #[error("no random bytes could be had: {0}")]
    Random(#[from] getrandom::Error),
    /// A fact in the database is not of the form in which it was written.
    #[error("the state database is damaged: {0} is not what was written")]
    Damaged(&'static str),
}

/// The state of one replica, in one SQLite file.
#[derive(Debug)]
pub struct SqliteState {
    /// One connection, since SQLite has one writer: waiting here is better than "busy" there.
    writer: SqlitePool,
    readers: SqlitePool,
    revoked: RwLock<HashSet<TokenId>>,
    created_at: i64,
    revision_key: [u8; 32],
}

impl SqliteState {
    /// Opens the file, or makes it, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(2));
        let pool = || SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(2));
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let readers = pool().max_connections(4).connect_with(options.read_only(true)).await?;

        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let now = Timestamp::now().as_second().to_string();
        let created_at = fact(&writer, "created_at", &now).await?;
        let created_at = created_at.parse().map_err(|_| StateError::Damaged("created_at"))?;
        let revision_key = fact(&writer, "revision_key", &hex::encode(key)).await?;
        hex::decode_to_slice(revision_key, &mut key)
            .map_err(|_| StateError::Damaged("revision_key"))?;
        let revoked = sqlx::query_scalar::<_, String>("SELECT jti FROM revocations");
        let revoked = revoked.fetch_all(&writer).await?;
        let revoked = revoked.iter().filter_map(|jti| jti.parse().ok()).collect();
        Ok(Self { writer, readers, revoked: RwLock::new(revoked), created_at, revision_key: key })
    }

    /// When the state began, in epoch seconds.
    pub fn created_at(&self) -> i64 {
        self.created_at
    }

    /// The key of the HMAC that makes revisions: the same for the life of the state.
    pub fn revision_key(&self) -> [u8; 32] {
        self.revision_key
    }

    /// Removes what ended before `now` (epoch seconds), allowing for clocks that are apart.
    pub async fn sweep(&self, now: i64) -> Result<(), TokenStoreError> {
        let before = now - 60;
        let tokens = sqlx::query("DELETE FROM tokens WHERE expires_at < ?").bind(before);
        tokens.execute(&self.writer).await.map_err(unavailable)?;
        let revocations = sqlx::query_scalar::<_, String>(
            "DELETE FROM revocations WHERE expires_at < ? RETURNING jti",
        );
        let ended = revocations.bind(before).fetch_all(&self.writer).await.map_err(unavailable)?;
        let mut revoked = self.revoked.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for jti in ended.iter().filter_map(|jti| jti.parse::<TokenId>().ok()) {
            revoked.remove(&jti);
        }
        Ok(())
    }

    /// Whether the database answers, for readiness.
    pub async fn ping(&self) -> Result<(), TokenStoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(drop).map_err(unavailable)
    }
}

/// The fact of this name, which is written down the first time.
async fn fact(pool: &SqlitePool, name: &str, first: &str) -> Result<String, sqlx::Error> {
    sqlx::query("INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(first)
        .execute(pool)
        .await?;
    sqlx::query_scalar("SELECT value FROM facts WHERE name = ?").bind(name).fetch_one(pool).await
}

#[expect(clippy::needless_pass_by_value, reason = "it is an argument of map_err")]
fn unavailable(error: sqlx::Error) -> TokenStoreError {
    TokenStoreError(error.to_string())
}

impl TokenStore for SqliteState {
    fn issue<'a>(&'a self, claims: &'a Claims) -> Answer<'a, Result<(), TokenStoreError>> {
        Box::pin(async move {
            // A token that is not counted never touches the store.
            let Some(limit) = claims.usage_limit else { return Ok(()) };
            sqlx::query("INSERT INTO tokens (jti, uses_left, expires_at) VALUES (?, ?, ?)")
                .bind(claims.jti.as_str())
                .bind(i64::from(limit))
                .bind(claims.exp)
                .execute(&self.writer)
                .await
                .map(drop)
                .map_err(unavailable)
        })
    }

    fn take_use<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Result<UseTaken, TokenStoreError>> {
        Box::pin(async move {
            let taken = sqlx::query(
                "UPDATE tokens SET uses_left = uses_left - 1 WHERE jti = ? AND uses_left > 0",
            )
            .bind(id.as_str())
            .execute(&self.writer)
            .await
            .map_err(unavailable)?;
            if taken.rows_affected() == 1 {
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
        Box::pin(async move {
            sqlx::query_scalar("SELECT uses_left FROM tokens WHERE jti = ?")
                .bind(id.as_str())
                .fetch_optional(&self.readers)
                .await
                .map_err(unavailable)
        })
    }

    fn revoke<'a>(
        &'a self,
        id: &'a TokenId,
        expires_at: i64,
    ) -> Answer<'a, Result<(), TokenStoreError>> {
        Box::pin(async move {
            // First here: from this moment the token reads nothing, whatever becomes of the rest.
            self.revoked
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .insert(id.clone());
            sqlx::query(
                "INSERT INTO revocations (jti, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(id.as_str())
            .bind(expires_at)
            .execute(&self.writer)
            .await
            .map(drop)
            .map_err(unavailable)
        })
    }

    fn is_revoked(&self, id: &TokenId) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        revoked.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn state() -> (tempfile::TempDir, SqliteState) {
        let folder = tempfile::tempdir().unwrap();
        let state = SqliteState::open(&folder.path().join("state.db")).await.unwrap();
        (folder, state)
    }

    fn claims(limit: Option<u32>) -> Claims {
        let now = Timestamp::now().as_second();
        serde_json::from_value(serde_json::json!({
            "iss": "i", "aud": "a", "sub": "client:ci", "exp": now + 60, "nbf": now, "iat": now,
            "jti": "0".repeat(32), "usage_limit": limit,
            "scope": {"environment": "dev", "key_pattern": "*", "permissions": ["read"], "granted": {"read": ["*"]}},
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_token_has_as_many_uses_as_it_was_issued_with() {
        let (_folder, state) = state().await;
        let claims = claims(Some(2));
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Unknown);
        state.issue(&claims).await.unwrap();
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Taken);
        assert_eq!(state.uses_left(&claims.jti).await.unwrap(), Some(1));
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Taken);
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Exhausted);
    }

    #[tokio::test]
    async fn what_is_written_outlives_the_process() {
        let (folder, state) = state().await;
        let claims = claims(Some(1));
        state.issue(&claims).await.unwrap();
        state.revoke(&claims.jti, claims.exp).await.unwrap();
        let again = SqliteState::open(&folder.path().join("state.db")).await.unwrap();
        assert!(again.is_revoked(&claims.jti));
        assert_eq!(again.created_at(), state.created_at());
        assert_eq!(again.revision_key(), state.revision_key());
        assert_eq!(again.uses_left(&claims.jti).await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn what_has_ended_is_swept() {
        let (_folder, state) = state().await;
        let claims = claims(Some(1));
        state.issue(&claims).await.unwrap();
        state.revoke(&claims.jti, claims.exp).await.unwrap();
        state.sweep(claims.exp + 30).await.unwrap();
        assert!(state.is_revoked(&claims.jti), "swept within the clocks' leeway");
        state.sweep(claims.exp + 61).await.unwrap();
        assert!(!state.is_revoked(&claims.jti));
        assert_eq!(state.uses_left(&claims.jti).await.unwrap(), None);
    }
}
