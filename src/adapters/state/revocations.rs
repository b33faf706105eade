//! Revocations as rows.

use jiff::Timestamp;

use super::database::{Database, StateError, fetch, write};
use crate::domain::revocation::{CLOCKS_APART_SECONDS, Revocation};

/// How far back news are asked for, in seconds: the clocks of replicas may be apart, and what was
/// stored last need not be seen first.
const OVERLAP_SECONDS: i64 = 120;

const SUBJECTS: &str = "SELECT subject, not_before, blocked FROM subject_revocations";

/// Stores one, and gives it as it holds: a second one for a subject is always the later one, also
/// where it comes in the same second or from a replica whose clock is behind.
pub(super) async fn store(
    database: &Database,
    revocation: Revocation,
) -> Result<Revocation, StateError> {
    const TOKEN: &str = "INSERT INTO revocations (jti, expires_at, revoked_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    const SUBJECT: &str =
        "INSERT INTO subject_revocations AS known (subject, not_before, blocked, ends_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject) DO UPDATE SET
          not_before = CASE WHEN excluded.not_before > known.not_before
            THEN excluded.not_before ELSE known.not_before + 1 END,
          blocked = excluded.blocked,
          ends_at = excluded.ends_at
        RETURNING not_before";
    match revocation {
        Revocation::Token { ref id, expires_at } => {
            let now = Timestamp::now().as_second();
            write!(
                database,
                control,
                sqlx::query(TOKEN).bind(id.as_str()).bind(expires_at).bind(now)
            )?;
            Ok(revocation)
        }
        Revocation::Subject { ref subject, not_before, blocked } => {
            let (name, ends_at) = (subject.to_string(), revocation.ends_at());
            let blocks = i64::from(blocked);
            let not_before = fetch!(
                database,
                control,
                fetch_one,
                sqlx::query_scalar(SUBJECT).bind(&name).bind(not_before).bind(blocks).bind(ends_at)
            )?;
            Ok(Revocation::Subject { subject: subject.clone(), not_before, blocked })
        }
    }
}

/// All that there are.
pub(super) async fn all(database: &Database) -> Result<Vec<Revocation>, StateError> {
    read(database, i64::MIN).await
}

/// Those of tokens that were stored lately, at `now` (epoch seconds), and all of subjects.
pub(super) async fn news(database: &Database, now: i64) -> Result<Vec<Revocation>, StateError> {
    read(database, now - OVERLAP_SECONDS).await
}

async fn read(database: &Database, since: i64) -> Result<Vec<Revocation>, StateError> {
    const TOKENS: &str = "SELECT jti, expires_at FROM revocations WHERE revoked_at >= $1";
    let tokens: Vec<(String, i64)> =
        fetch!(database, control, fetch_all, sqlx::query_as(TOKENS).bind(since))?;
    let subjects: Vec<(String, i64, i64)> =
        fetch!(database, control, fetch_all, sqlx::query_as(SUBJECTS))?;
    let tokens = tokens.into_iter().map(|(id, expires_at)| {
        let id = id.parse().map_err(|_| StateError::Damaged("the jti of a revocation"))?;
        Ok(Revocation::Token { id, expires_at })
    });
    let subjects = subjects.into_iter().map(|(subject, not_before, blocked)| {
        let subject = subject.parse();
        let subject = subject.map_err(|_| StateError::Damaged("the subject of a revocation"))?;
        Ok(Revocation::Subject { subject, not_before, blocked: blocked != 0 })
    });
    tokens.chain(subjects).collect()
}

/// Removes what has nothing to say any more at `now` (epoch seconds).
pub(super) async fn sweep(database: &Database, now: i64) -> Result<(), StateError> {
    const TOKENS: &str = "DELETE FROM revocations WHERE expires_at < $1";
    const SUBJECTS: &str = "DELETE FROM subject_revocations WHERE ends_at < $1";
    write!(database, sqlx::query(TOKENS).bind(now.saturating_sub(CLOCKS_APART_SECONDS)))?;
    write!(database, sqlx::query(SUBJECTS).bind(now)).map(drop)
}
