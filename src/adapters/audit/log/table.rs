//! The audit in a PostgreSQL that replicas share: one table, one chain a replica.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::error::{OpenError, TableError};

/// How long a statement may take, the wait for a connection included.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long PostgreSQL goes on with a statement for which nobody waits any more, in milliseconds.
pub(super) const STATEMENT_TIMEOUT: u32 = 10_000;

/// How many connections read: the pages that are made at once, and who holds what.
const READERS: u32 = 3;

/// Where it is written down which migrations are done. The state's are in a table of their own, so
/// that each of the two finds out that its schema is newer than it knows.
const MIGRATIONS_DONE: &str = "_vanta_audit_migrations";

const ANY_FOREIGN: &str = "SELECT EXISTS (SELECT FROM audit \
    WHERE written_by >= pg_snapshot_xmax(pg_current_snapshot()))";

/// A table that was put back from a dump names transactions of another server, which are ahead of
/// this one's: they have all ended.
const FORGET_FOREIGN: &str = "UPDATE audit SET written_by = '0' \
    WHERE written_by >= pg_snapshot_xmax(pg_current_snapshot())";

/// The table, as whoever reads it reaches it.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) pool: PgPool,
}

impl Table {
    /// Connects, and brings the table up to date.
    pub(super) async fn open(options: &PgConnectOptions) -> Result<Self, OpenError> {
        let pool = PgPoolOptions::new().acquire_timeout(TIMEOUT).max_connections(READERS);
        let pool = pool.connect_with(options.clone()).await.map_err(TableError::from)?;
        let mut migrations: Migrator = sqlx::migrate!("src/adapters/audit/migrations");
        migrations.dangerous_set_table_name(MIGRATIONS_DONE);
        migrations.run(&pool).await?;
        forget_foreign(&pool).await.map_err(TableError::from)?;
        Ok(Self { pool })
    }
}

async fn forget_foreign(pool: &PgPool) -> Result<(), sqlx::Error> {
    // Whoever may only read and insert needs no right to change what nobody has to change.
    if !sqlx::query_scalar::<_, bool>(ANY_FOREIGN).fetch_one(pool).await? {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    // It is all of the table, once in its life.
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
    sqlx::query(FORGET_FOREIGN).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// An answer, where it comes in time.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, TableError> {
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(TableError::from),
        Err(_) => Err(TableError::Silent),
    }
}
