//! The audit's signed heads, kept apart from the audit itself.

use super::database::{Database, StateError, fetch, write};
use crate::domain::checkpoint::{Checkpoint, CheckpointPlace};

/// Which checkpoints are asked for.
#[derive(Debug, Clone)]
pub struct CheckpointQuery {
    /// Whose; all replicas' where it is not said.
    pub replica: Option<String>,
    /// Those after this one.
    pub after: Option<CheckpointPlace>,
    /// How many at the most.
    pub limit: usize,
}

/// For how many seconds each checkpoint is kept; after that, the highest of each hour.
const ALL_SECONDS: i64 = 24 * 60 * 60;

/// How many seconds of checkpoints are swept by one statement.
const SWEPT_SECONDS: i64 = 6 * 60 * 60;

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

/// Some checkpoints of a replica, or of all, in the order of [`CheckpointPlace`].
pub(super) async fn list(
    database: &Database,
    query: &CheckpointQuery,
) -> Result<Vec<Checkpoint>, StateError> {
    const OF_ALL: &str = "SELECT line FROM checkpoints \
        WHERE (replica, sequence, hash) > ($1, $2, $3) ORDER BY replica, sequence, hash LIMIT $4";
    const OF_ONE: &str = "SELECT line FROM checkpoints WHERE replica = $1 \
        AND (sequence, hash) > ($2, $3) ORDER BY sequence, hash LIMIT $4";
    let after = query.after.as_ref();
    let (statement, replica) = match &query.replica {
        Some(replica) => (OF_ONE, replica.as_str()),
        None => (OF_ALL, after.map_or("", |after| after.replica.as_str())),
    };
    let sequence = after.map_or(-1, |after| i64::try_from(after.sequence).unwrap_or(i64::MAX));
    let hash = after.map_or("", |after| after.hash.as_str());
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let lines: Vec<String> = fetch!(
        database,
        reader,
        fetch_all,
        sqlx::query_scalar(statement).bind(replica).bind(sequence).bind(hash).bind(limit)
    )?;
    lines.iter().map(|line| read(line)).collect()
}

/// The highest checkpoint of a replica.
pub(super) async fn highest(
    database: &Database,
    replica: &str,
) -> Result<Option<Checkpoint>, StateError> {
    const HIGHEST: &str =
        "SELECT line FROM checkpoints WHERE replica = $1 ORDER BY sequence DESC LIMIT 1";
    let line: Option<String> =
        fetch!(database, reader, fetch_optional, sqlx::query_scalar(HIGHEST).bind(replica))?;
    line.map(|line| read(&line)).transpose()
}

/// The checkpoint that was signed last, of whichever replica.
pub(super) async fn newest(database: &Database) -> Result<Option<Checkpoint>, StateError> {
    const NEWEST: &str =
        "SELECT line FROM checkpoints ORDER BY signed_at DESC, sequence DESC LIMIT 1";
    let line: Option<String> =
        fetch!(database, reader, fetch_optional, sqlx::query_scalar(NEWEST))?;
    line.map(|line| read(&line)).transpose()
}

fn read(line: &str) -> Result<Checkpoint, StateError> {
    serde_json::from_str(line).map_err(|_| StateError::Damaged("a checkpoint"))
}

/// Removes those that are a day old at `now` and not the highest of their hour, from the moment on
/// through which it was done before; gives the moment through which it is done now. Moments are
/// epoch seconds.
///
/// Each is looked at once: all of its hour are there when it is a day old, so what is kept then is
/// kept for good. Other statements have their turn in between, also where there is much to do.
pub(super) async fn sweep(database: &Database, since: i64, now: i64) -> Result<i64, StateError> {
    const NEXT: &str =
        "SELECT signed_at FROM checkpoints WHERE signed_at >= $1 ORDER BY signed_at LIMIT 1";
    const SWEEP: &str = "DELETE FROM checkpoints WHERE signed_at >= $1 AND signed_at < $2 \
        AND EXISTS (SELECT 1 FROM checkpoints AS other WHERE other.replica = checkpoints.replica \
        AND other.signed_at >= checkpoints.signed_at - checkpoints.signed_at % 3600 \
        AND other.signed_at < checkpoints.signed_at - checkpoints.signed_at % 3600 + 3600 \
        AND other.sequence > checkpoints.sequence)";
    let (before, mut swept) = (now.saturating_sub(ALL_SECONDS), since);
    loop {
        let next: Option<i64> =
            fetch!(database, reader, fetch_optional, sqlx::query_scalar(NEXT).bind(swept))?;
        let Some(from) = next.filter(|next| *next < before) else { return Ok(before.max(swept)) };
        let to = from.saturating_add(SWEPT_SECONDS).min(before);
        write!(database, sqlx::query(SWEEP).bind(from).bind(to))?;
        swept = to;
    }
}

#[cfg(test)]
#[path = "checkpoints_tests.rs"]
mod tests;
