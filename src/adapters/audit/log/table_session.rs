//! The one session that writes a replica's chain into the table.
//!
//! Invariant: whoever writes a chain holds a lock on the replica's name, in the very session that
//! writes. With the session both end, so that what it left undone is never done later.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep};

use super::error::TableError;
use super::table::in_time;
use crate::domain::record::Link;

/// How long another vault may take to let go of the name, so that a restart may overlap.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a session of this vault that was lost may take to end.
const OWN_TIMEOUT: Duration = Duration::from_secs(1);

const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('vanta audit ' || $1, 0))";

const WHO_AM_I: &str =
    "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// A number is given to another session later, a beginning is not.
const END_IT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE pid = $1 AND backend_start::text = $2";

const LAST: &str = "SELECT line FROM audit WHERE chain = $1 ORDER BY sequence DESC LIMIT 1";

const LINE: &str = "SELECT line FROM audit WHERE chain = $1 AND sequence = $2";

/// What an entry is found by, PostgreSQL derives from its line.
const INSERT: &str = "INSERT INTO audit (chain, line) SELECT $1, line \
    FROM unnest($2::text[]) WITH ORDINALITY AS lines (line, place) ORDER BY place";

const UNIQUE_VIOLATION: &str = "23505";

/// A session of the server: its process, and when that began.
#[derive(Debug, Clone)]
struct Backend {
    process: i32,
    began: String,
}

/// The session, made anew where it was lost.
pub(super) struct Session {
    options: PgConnectOptions,
    replica: String,
    /// Where it is known to hold the lock.
    connection: Option<PgConnection>,
    /// The session that is, or was the last.
    last: Option<Backend>,
}

impl Session {
    /// Takes the replica's name, for which another vault may hold it for some seconds yet.
    pub(super) async fn open(options: PgConnectOptions, replica: &str) -> Result<Self, TableError> {
        let mut session =
            Self { options, replica: replica.to_owned(), connection: None, last: None };
        let connection = session.connect(LOCK_TIMEOUT).await?;
        session.connection = Some(connection);
        Ok(session)
    }

    /// The end of the chain.
    pub(super) async fn end(&mut self) -> Result<Link, TableError> {
        let mut connection = self.take().await?;
        let last = sqlx::query_scalar::<_, String>(LAST).bind(&self.replica);
        let last = in_time(last.fetch_optional(&mut connection)).await?;
        self.connection = Some(connection);
        let Some(line) = last else { return Ok(Link::start()) };
        Link::after(&line).ok_or_else(|| TableError::NotAnEntry(self.replica.clone()))
    }

    /// Whether the very entry that a link is of is in the table; the start always is.
    pub(super) async fn holds(&mut self, link: &Link) -> Result<bool, TableError> {
        if link.sequence() == 0 {
            return Ok(true);
        }
        let mut connection = self.take().await?;
        let sequence = i64::try_from(link.sequence()).unwrap_or(i64::MAX);
        let found = sqlx::query_scalar::<_, String>(LINE).bind(&self.replica).bind(sequence);
        let found = in_time(found.fetch_optional(&mut connection)).await?;
        self.connection = Some(connection);
        Ok(found.and_then(|line| Link::after(&line)).as_ref() == Some(link))
    }

    /// Inserts lines, all or none, in one statement that is a transaction.
    pub(super) async fn insert(&mut self, lines: &[String]) -> Result<(), TableError> {
        let mut connection = self.take().await?;
        let statement = sqlx::query(INSERT).bind(&self.replica).bind(lines);
        match in_time(statement.execute(&mut connection)).await {
            Ok(_) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(TableError::Database(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some(UNIQUE_VIOLATION) =>
            {
                Err(TableError::PlaceTaken(self.replica.clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// The connection, which is put back once it is known to be good: one on which a statement was
    /// given up, or that was lost, is not used again.
    async fn take(&mut self) -> Result<PgConnection, TableError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.connect(OWN_TIMEOUT).await,
        }
    }

    /// Connects and takes the lock, which may take so long. A session of before is ended: it may
    /// not know yet that nobody is there.
    async fn connect(&mut self, patience: Duration) -> Result<PgConnection, TableError> {
        let mut connection = in_time(self.options.connect()).await?;
        let (process, began) = in_time(sqlx::query_as(WHO_AM_I).fetch_one(&mut connection)).await?;
        if let Some(Backend { process, began }) = &self.last {
            let end = sqlx::query(END_IT).bind(process).bind(began);
            in_time(end.execute(&mut connection)).await?;
        }
        let started = Instant::now();
        loop {
            let lock = sqlx::query_scalar::<_, bool>(LOCK).bind(&self.replica);
            if in_time(lock.fetch_one(&mut connection)).await? {
                self.last = Some(Backend { process, began });
                return Ok(connection);
            }
            if started.elapsed() >= patience {
                let _ = connection.close().await;
                return Err(TableError::ReplicaTaken(self.replica.clone()));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
