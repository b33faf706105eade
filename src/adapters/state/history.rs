//! What was served of each environment: the highest version of its file, where that was, and its
//! data keys.
//!
//! Invariant: what is kept of an environment's version only ever gets higher, whichever replicas
//! write, but where it is of the future of who writes; and a data key stays that of the first.

use jiff::Timestamp;

use super::database::{Database, StateError, fetch, write};
use crate::domain::data_keys::{DataKeyCode, OwnDataKey};
use crate::domain::history::History;
use crate::domain::names::Environment;
use crate::domain::versions::{VersionMark, latest};

/// Keeps a version where it is higher than what is kept, or that is of the future at `now`.
pub(super) async fn keep_version(
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

/// Keeps where the file of an environment is; `false` where no version of it is kept.
pub(super) async fn keep_place(
    database: &Database,
    environment: &Environment,
    place: &str,
) -> Result<bool, StateError> {
    const KEEP: &str = "UPDATE versions SET place = $2 WHERE environment = $1";
    let kept = write!(database, control, sqlx::query(KEEP).bind(environment.as_str()).bind(place))?;
    Ok(kept > 0)
}

/// Keeps whose a data key is, where that is not known yet.
pub(super) async fn keep_data_key(
    database: &Database,
    environment: &Environment,
    key: OwnDataKey,
) -> Result<(), StateError> {
    const KEEP: &str = "INSERT INTO data_keys (code, environment, since) VALUES ($1, $2, $3) \
        ON CONFLICT DO NOTHING";
    let code = hex::encode(key.code.0);
    write!(
        database,
        control,
        sqlx::query(KEEP).bind(code.as_str()).bind(environment.as_str()).bind(key.since)
    )?;
    Ok(())
}

/// Keeps that two environments' files had a data key, whichever of them is kept as its owner.
pub(super) async fn keep_shared(
    database: &Database,
    code: DataKeyCode,
    two: [&Environment; 2],
) -> Result<(), StateError> {
    const KEEP: &str = "UPDATE data_keys \
        SET shared_with = CASE WHEN environment = $2 THEN $3 ELSE $2 END \
        WHERE code = $1 AND shared_with = ''";
    let (code, two) = (hex::encode(code.0), two.map(Environment::as_str));
    write!(database, control, sqlx::query(KEEP).bind(code.as_str()).bind(two[0]).bind(two[1]))?;
    Ok(())
}

/// Forgets an environment's data key.
pub(super) async fn forget_data_key(
    database: &Database,
    environment: &Environment,
    code: DataKeyCode,
) -> Result<(), StateError> {
    const FORGET: &str = "DELETE FROM data_keys WHERE code = $1 AND environment = $2";
    let code = hex::encode(code.0);
    write!(database, control, sqlx::query(FORGET).bind(code.as_str()).bind(environment.as_str()))?;
    Ok(())
}

/// Of all environments; of data keys, those alone that are known since `since` (epoch
/// milliseconds), and those that two had.
pub(super) async fn read(database: &Database, since: i64) -> Result<History, StateError> {
    const VERSIONS: &str = "SELECT environment, last_modified, digest, place FROM versions";
    const DATA_KEYS: &str = "SELECT environment, code, since, shared_with FROM data_keys \
        WHERE since >= $1 OR shared_with <> '' ORDER BY since";
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
    let rows: Vec<(String, String, i64, String)> =
        fetch!(database, control, fetch_all, sqlx::query_as(DATA_KEYS).bind(since))?;
    for (environment, code, since, shared_with) in rows {
        let damaged = || StateError::Damaged("a data key");
        let code = DataKeyCode(read_digest(&code).ok_or_else(damaged)?);
        let environment = environment.parse().map_err(|_| damaged())?;
        history.data_keys.add(&environment, OwnDataKey { code, since });
        if !shared_with.is_empty() {
            history.data_keys.share(code, &shared_with.parse().map_err(|_| damaged())?);
        }
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
