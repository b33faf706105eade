//! The audit's signed heads, kept apart from the audit itself.

use super::database::{Database, StateError, fetch, write};
use crate::domain::checkpoint::Checkpoint;

/// For how many seconds each checkpoint is kept; after that, the highest of each hour.
const ALL_SECONDS: i64 = 24 * 60 * 60;

/// The most checkpoints that are given at once.
const MOST: i64 = 50_000;

/// Keeps a checkpoint. The same head signed anew says nothing more.
pub(super) async fn store(database: &Database, checkpoint: &Checkpoint) -> Result<(), StateError> {
    const STORE: &str = "INSERT INTO checkpoints (replica, sequence, hash, signed_at, line) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let head = &checkpoint.head;
    let sequence = i64::try_from(head.sequence).unwrap_or(i64::MAX);
    let line = serde_json::to_string(checkpoint).expect("a checkpoint holds only text and numbers");
    write!(
        database,
        sqlx::query(STORE)
            .bind(head.replica.as_str())
            .bind(sequence)
            .bind(head.hash.as_str())
            .bind(head.time.as_second())
            .bind(line.as_str())
    )?;
    Ok(())
}

/// The newest checkpoints of a replica, or of all, the oldest of them first.
pub(super) async fn list(
    database: &Database,
    replica: Option<&str>,
) -> Result<Vec<Checkpoint>, StateError> {
    const LIST: &str = "SELECT line FROM checkpoints WHERE $1 = '' OR replica = $2 \
        ORDER BY signed_at DESC, sequence DESC LIMIT $3";
    let replica = replica.unwrap_or_default();
    let lines: Vec<String> = fetch!(
        database,
        reader,
        fetch_all,
        sqlx::query_scalar(LIST).bind(replica).bind(replica).bind(MOST)
    )?;
    let read = |line: &String| serde_json::from_str(line).ok();
    let checkpoints: Option<Vec<Checkpoint>> = lines.iter().rev().map(read).collect();
    checkpoints.ok_or(StateError::Damaged("a checkpoint"))
}

/// Removes those of long ago that are not the highest of their hour.
pub(super) async fn sweep(database: &Database, now: i64) -> Result<(), StateError> {
    const SWEEP: &str = "DELETE FROM checkpoints WHERE signed_at < $1 AND EXISTS (\
        SELECT 1 FROM checkpoints AS other WHERE other.replica = checkpoints.replica \
        AND other.signed_at / 3600 = checkpoints.signed_at / 3600 \
        AND other.sequence > checkpoints.sequence)";
    let before = now.saturating_sub(ALL_SECONDS);
    write!(database, sqlx::query(SWEEP).bind(before))?;
    Ok(())
}
