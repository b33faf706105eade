//! What was served of each environment: the highest version of its file, and its data keys.
//!
//! Invariant: what is kept of an environment's version only ever gets higher, whichever replicas
//! write, but where it is of the future of who writes; and a data key stays that of the first.

use jiff::Timestamp;

use super::database::{Database, StateError, fetch, write};
use crate::domain::data_keys::{DataKeyCode, MOST_OF_ONE};
use crate::domain::history::History;
use crate::domain::names::Environment;
use crate::domain::versions::{VersionMark, latest};

/// How long after the others an environment may have been served last before it is forgotten, in
/// seconds: 400 days. It is as the state itself tells the time, so that a clock that is wrong once
/// takes nothing of what is served.
const FORGOTTEN_AFTER: i64 = 400 * 24 * 60 * 60;

/// Keeps a version where it is higher than what is kept, or that is of the future at `now`.
pub(super) async fn keep_version(
    database: &Database,
    environment: &Environment,
    mark: &VersionMark,
    now: Timestamp,
) -> Result<(), StateError> {
    const KEEP: &str = "INSERT INTO versions (environment, last_modified, digest, served_at) \
        VALUES ($1, $2, $3, $5) ON CONFLICT (environment) DO UPDATE SET \
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
            .bind(now.as_second())
    )?;
    Ok(())
}

/// Keeps where the file of an environment is, of which a version is kept.
pub(super) async fn keep_place(
    database: &Database,
    environment: &Environment,
    place: &str,
) -> Result<(), StateError> {
    const KEEP: &str = "UPDATE versions SET place = $2 WHERE environment = $1";
    write!(database, control, sqlx::query(KEEP).bind(environment.as_str()).bind(place))?;
    Ok(())
}

/// Keeps whose a data key is, where that is not known yet, and forgets the environment's oldest where
/// there are too many.
pub(super) async fn keep_data_key(
    database: &Database,
    environment: &Environment,
    code: DataKeyCode,
    now: Timestamp,
) -> Result<(), StateError> {
    const KEEP: &str = "INSERT INTO data_keys (code, environment, since, served_at) \
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    const FORGET: &str = "DELETE FROM data_keys WHERE environment = $1 AND code NOT IN \
        (SELECT code FROM data_keys WHERE environment = $1 ORDER BY since DESC, code LIMIT $2)";
    let code = hex::encode(code.0);
    write!(
        database,
        control,
        sqlx::query(KEEP)
            .bind(code.as_str())
            .bind(environment.as_str())
            .bind(now.as_millisecond())
            .bind(now.as_second())
    )?;
    let most = i64::try_from(MOST_OF_ONE).unwrap_or(i64::MAX);
    write!(database, control, sqlx::query(FORGET).bind(environment.as_str()).bind(most))?;
    Ok(())
}

/// Writes down that the environment is served at `now`.
pub(super) async fn touch(
    database: &Database,
    environment: &Environment,
    now: Timestamp,
) -> Result<(), StateError> {
    // What was kept before this was written down counts from now on.
    const TOUCH: [&str; 2] = [
        "UPDATE versions SET served_at = $2 WHERE environment = $1 OR served_at = 0",
        "UPDATE data_keys SET served_at = $2 WHERE environment = $1",
    ];
    for touch in TOUCH {
        write!(
            database,
            control,
            sqlx::query(touch).bind(environment.as_str()).bind(now.as_second())
        )?;
    }
    Ok(())
}

/// Forgets environments of which nothing was served for long.
pub(super) async fn forget_old(database: &Database) -> Result<(), StateError> {
    const FORGET: [&str; 2] = [
        "DELETE FROM versions WHERE served_at < (SELECT MAX(served_at) FROM versions) - $1",
        "DELETE FROM data_keys WHERE served_at < (SELECT MAX(served_at) FROM data_keys) - $1",
    ];
    for forget in FORGET {
        write!(database, control, sqlx::query(forget).bind(FORGOTTEN_AFTER))?;
    }
    Ok(())
}

/// Of all environments.
pub(super) async fn all(database: &Database) -> Result<History, StateError> {
    const VERSIONS: &str = "SELECT environment, last_modified, digest, place FROM versions";
    const DATA_KEYS: &str = "SELECT environment, code FROM data_keys ORDER BY since, code DESC";
    let rows: Vec<(String, i64, String, String)> =
        fetch!(database, control, fetch_all, sqlx::query_as(VERSIONS))?;
    let mut history = History::default();
    for (environment, last_modified, digest, place) in rows {
        let (environment, mark) = read_mark(&environment, last_modified, &digest)?;
        if !place.is_empty() {
            history.places.insert(environment.clone(), place);
        }
        history.marks.insert(environment, mark);
    }
    let rows: Vec<(String, String)> =
        fetch!(database, control, fetch_all, sqlx::query_as(DATA_KEYS))?;
    for (environment, code) in rows {
        let code = read_digest(&code).ok_or(StateError::Damaged("a data key"))?;
        let environment = environment.parse().map_err(|_| StateError::Damaged("a data key"))?;
        history.data_keys.add(&environment, DataKeyCode(code));
    }
    Ok(history)
}

fn read_mark(
    environment: &str,
    last_modified: i64,
    digest: &str,
) -> Result<(Environment, VersionMark), StateError> {
    let damaged = || StateError::Damaged("a version");
    let environment = environment.parse().map_err(|_| damaged())?;
    let digest = read_digest(digest).ok_or_else(damaged)?;
    // No vault writes what is beyond these, and somebody else's row stops none: at its bound, one of
    // the future stays one, and the oldest stays the oldest.
    let last_modified = last_modified.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let last_modified = Timestamp::from_second(last_modified).map_err(|_| damaged())?;
    Ok((environment, VersionMark { last_modified, digest }))
}

fn read_digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
