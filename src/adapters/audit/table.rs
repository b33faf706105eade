//! The audit in a PostgreSQL that replicas share: one table, one chain a replica.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::error::AuditError;
use crate::domain::names::Key;
use crate::domain::record::{Entry, Link, Record};

/// How long a statement may take, the wait for a connection included.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long PostgreSQL goes on with a statement for which nobody waits any more, in milliseconds.
const STATEMENT_TIMEOUT: &str = "10000";

/// `position` is the order of arrival over all replicas. `keys` has spaces between them, which no
/// key holds. The lock keeps replicas that start at once from making the table twice.
const SCHEMA: &str = "\
DO $$ BEGIN
PERFORM set_config('client_min_messages', 'warning', true);
PERFORM pg_advisory_xact_lock(hashtext('vanta audit'));
CREATE TABLE IF NOT EXISTS audit (
  replica TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  line TEXT NOT NULL,
  position BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  inserted TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  time BIGINT NOT NULL,
  event TEXT NOT NULL,
  outcome TEXT NOT NULL,
  subject TEXT,
  environment TEXT,
  keys TEXT NOT NULL,
  jti TEXT,
  request_id TEXT,
  PRIMARY KEY (replica, sequence)
);
CREATE INDEX IF NOT EXISTS audit_by_time ON audit (time);
CREATE INDEX IF NOT EXISTS audit_by_subject ON audit (subject, position);
CREATE INDEX IF NOT EXISTS audit_by_request ON audit (request_id);
CREATE INDEX IF NOT EXISTS audit_by_jti ON audit (jti);
END $$";

const INSERT: &str = "\
INSERT INTO audit
  (replica, sequence, line, time, event, outcome, subject, environment, keys, jti, request_id)
SELECT $1::text, * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[],
  $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])";

/// The end of a replica's chain in the table cannot be told apart from one that was written twice.
const UNIQUE_VIOLATION: &str = "23505";

/// Why lines are not known to be in the table.
#[derive(Debug)]
pub(super) enum InsertError {
    /// Another line has the place of one of them; none of them is there.
    Taken,
    /// Nobody knows whether they are there: the database, or the way to it, is away.
    Unknown(String),
}

/// The table, as one vault reaches it.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) pool: PgPool,
}

impl Table {
    /// Connects, and makes the table where there is none.
    pub(super) async fn open(url: &SecretString) -> Result<Self, AuditError> {
        let options = PgConnectOptions::from_str(url.expose_secret());
        let options = options.map_err(|_| {
            AuditError::Write("the URL of the database is not one of PostgreSQL".to_owned())
        })?;
        // `synchronous_commit`: what was recorded is not forgotten when the server fails.
        let options = options
            .application_name("vanta-vault audit")
            .options([("statement_timeout", STATEMENT_TIMEOUT), ("synchronous_commit", "on")]);
        let pool = PgPoolOptions::new().acquire_timeout(TIMEOUT).max_connections(4);
        let pool = pool.connect_with(options).await.map_err(|error| unreadable(&error))?;
        let table = Self { pool };
        table.in_time(sqlx::query(SCHEMA).execute(&table.pool)).await?;
        Ok(table)
    }

    /// A statement's answer, where it comes in time.
    pub(super) async fn in_time<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, AuditError> {
        match tokio::time::timeout(TIMEOUT, statement).await {
            Ok(answer) => answer.map_err(|error| unreadable(&error)),
            Err(_) => Err(AuditError::Read("the database does not answer in time".to_owned())),
        }
    }

    /// The end of a replica's chain.
    pub(super) async fn end(&self, replica: &str) -> Result<Link, AuditError> {
        const LAST: &str =
            "SELECT line FROM audit WHERE replica = $1 ORDER BY sequence DESC LIMIT 1";
        let last = sqlx::query_scalar::<_, String>(LAST).bind(replica);
        let last = self.in_time(last.fetch_optional(&self.pool)).await?;
        match last {
            None => Ok(Link::start()),
            Some(line) => Link::after(&line).ok_or_else(|| {
                AuditError::Read(format!("the last line of {replica} is not an audit entry"))
            }),
        }
    }

    /// Inserts lines of one replica, all or none, in one statement that is a transaction.
    pub(super) async fn insert(&self, replica: &str, lines: &[String]) -> Result<(), InsertError> {
        let columns = Columns::of(lines).map_err(InsertError::Unknown)?;
        let statement = sqlx::query(INSERT)
            .bind(replica)
            .bind(&columns.sequence)
            .bind(lines)
            .bind(&columns.time)
            .bind(&columns.event)
            .bind(&columns.outcome)
            .bind(&columns.subject)
            .bind(&columns.environment)
            .bind(&columns.keys)
            .bind(&columns.jti)
            .bind(&columns.request_id);
        match tokio::time::timeout(TIMEOUT, statement.execute(&self.pool)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some(UNIQUE_VIOLATION) =>
            {
                Err(InsertError::Taken)
            }
            Ok(Err(error)) => Err(InsertError::Unknown(error.to_string())),
            Err(_) => Err(InsertError::Unknown("the database does not answer in time".to_owned())),
        }
    }
}

/// What entries are found by, a column a field.
#[derive(Default)]
struct Columns {
    sequence: Vec<i64>,
    time: Vec<i64>,
    event: Vec<String>,
    outcome: Vec<String>,
    subject: Vec<Option<String>>,
    environment: Vec<Option<String>>,
    keys: Vec<String>,
    jti: Vec<Option<String>>,
    request_id: Vec<Option<String>>,
}

impl Columns {
    fn of(lines: &[String]) -> Result<Self, String> {
        let mut columns = Self::default();
        for line in lines {
            let entry: Entry = serde_json::from_str(line)
                .map_err(|_| "a line that is to be written is not an audit entry".to_owned())?;
            let Record { event, outcome, subject, environment, keys, jti, request_id, .. } =
                &entry.record;
            let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
            columns.sequence.push(i64::try_from(entry.sequence).unwrap_or(i64::MAX));
            columns.time.push(entry.record.time.as_microsecond());
            columns.event.push(event.to_string());
            columns.outcome.push(outcome.to_string());
            columns.subject.push(subject.as_ref().map(ToString::to_string));
            columns.environment.push(environment.as_ref().map(ToString::to_string));
            columns.keys.push(keys.join(" "));
            columns.jti.push(jti.as_ref().map(ToString::to_string));
            columns.request_id.push(request_id.clone());
        }
        Ok(columns)
    }
}

fn unreadable(error: &sqlx::Error) -> AuditError {
    AuditError::Read(error.to_string())
}
