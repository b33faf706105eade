//! What the state says of itself, written down once for its whole life.

use jiff::Timestamp;

use super::database::{Database, StateError, fetch, write};

/// The state's facts, the same for all replicas.
#[derive(Clone)]
pub(super) struct Facts {
    /// When the state began, in epoch seconds.
    pub(super) created_at: i64,
    /// The key of the HMAC that makes revisions.
    pub(super) revision_key: [u8; 32],
    /// The seed of the key that signs the audit's heads.
    pub(super) audit_key: [u8; 32],
}

impl Facts {
    /// Reads the facts; those that are not there yet are made, by whichever replica comes first.
    pub(super) async fn read_or_make(database: &Database) -> Result<Self, StateError> {
        let now = Timestamp::now().as_second().to_string();
        let created_at = fact(database, "created_at", &now).await?;
        Ok(Self {
            created_at: created_at.parse().map_err(|_| StateError::Damaged("created_at"))?,
            revision_key: random_fact(database, "revision_key").await?,
            audit_key: random_fact(database, "audit_key").await?,
        })
    }
}

/// 32 bytes that were random when they were written down.
async fn random_fact(database: &Database, name: &'static str) -> Result<[u8; 32], StateError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let text = fact(database, name, &hex::encode(bytes)).await?;
    hex::decode_to_slice(text, &mut bytes).map_err(|_| StateError::Damaged(name))?;
    Ok(bytes)
}

/// The fact of this name, which is written down the first time.
async fn fact(database: &Database, name: &str, first: &str) -> Result<String, StateError> {
    const MAKE: &str = "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const READ: &str = "SELECT value FROM facts WHERE name = $1";
    write!(database, sqlx::query(MAKE).bind(name).bind(first))?;
    fetch!(database, writer, fetch_one, sqlx::query_scalar(READ).bind(name))
}
