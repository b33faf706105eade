//! The highest version of each environment's file that was served.
//!
//! Invariant: what is kept of an environment only ever gets higher, whichever replicas write, but
//! where it is of the future of who writes.

use jiff::Timestamp;

use super::database::{Database, StateError, fetch, write};
use crate::domain::names::Environment;
use crate::domain::versions::{VersionMark, VersionMarks, latest};

/// Keeps a version where it is higher than what is kept, or that is of the future at `now`.
pub(super) async fn keep(
    database: &Database,
    environment: &Environment,
    mark: &VersionMark,
    now: Timestamp,
) -> Result<(), StateError> {
    const KEEP: &str = "INSERT INTO versions (environment, last_modified, digest) \
        VALUES ($1, $2, $3) ON CONFLICT (environment) DO UPDATE SET \
        last_modified = excluded.last_modified, digest = excluded.digest \
        WHERE excluded.last_modified > versions.last_modified OR versions.last_modified > $4";
    let digest = hex::encode(mark.digest);
    write!(
        database,
        control,
        sqlx::query(KEEP)
            .bind(environment.as_str())
            .bind(mark.last_modified.as_second())
            .bind(digest.as_str())
            .bind(latest(now).as_second())
    )?;
    Ok(())
}

/// Of all environments.
pub(super) async fn all(database: &Database) -> Result<VersionMarks, StateError> {
    const ALL: &str = "SELECT environment, last_modified, digest FROM versions";
    let rows: Vec<(String, i64, String)> =
        fetch!(database, control, fetch_all, sqlx::query_as(ALL))?;
    rows.into_iter().map(read).collect()
}

fn read(
    (environment, last_modified, digest): (String, i64, String),
) -> Result<(Environment, VersionMark), StateError> {
    let damaged = || StateError::Damaged("a version");
    let environment = environment.parse().map_err(|_| damaged())?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digest, &mut bytes).map_err(|_| damaged())?;
    // No vault writes what is beyond these, and somebody else's row stops none: at its bound, one of
    // the future stays one, and the oldest stays the oldest.
    let last_modified = last_modified.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let last_modified = Timestamp::from_second(last_modified).map_err(|_| damaged())?;
    Ok((environment, VersionMark { last_modified, digest: bytes }))
}
