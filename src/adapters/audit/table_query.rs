//! Entries that are asked for, out of the table.

use sqlx::{Postgres, QueryBuilder, Row as _};

use super::error::AuditError;
use super::holders::{Holder, Holders};
use super::query::{MOST_GIVEN, Page, Query};
use super::table::Table;
use crate::domain::record::Entry;
use crate::domain::record_filter::{Filter, Order};

/// For how long new rows are held back from whoever goes on from where it ended: those of another
/// replica that come before them may not be there yet.
const SETTLED: &str = "inserted < clock_timestamp() - interval '2 seconds'";

/// How many of the newest entries tell who holds what.
const LEARNT: i64 = 20_000;

impl Table {
    /// The lines that are asked for. The cursor is the place in the order of arrival.
    pub(super) async fn query(&self, query: &Query) -> Result<Page, AuditError> {
        let mut sql = QueryBuilder::new("SELECT line, position FROM audit WHERE TRUE");
        filter(&mut sql, &query.filter);
        let cursor = query.cursor.map(|cursor| i64::try_from(cursor).unwrap_or(i64::MAX));
        match query.order {
            Order::Newest => {
                if let Some(cursor) = cursor {
                    sql.push(" AND position < ").push_bind(cursor);
                }
                sql.push(" ORDER BY position DESC LIMIT ");
            }
            Order::Oldest => {
                sql.push(" AND position > ").push_bind(cursor.unwrap_or(0));
                sql.push(" AND ").push(SETTLED).push(" ORDER BY position LIMIT ");
            }
        }
        sql.push_bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
        let rows = self.in_time(sql.build().fetch_all(&self.pool)).await?;
        let mut page = Page { lines: Vec::new(), next: None, last: query.cursor };
        let (mut given, whole) = (0, rows.len());
        for row in rows {
            let read = |error: sqlx::Error| AuditError::Read(error.to_string());
            let (line, position): (String, i64) =
                (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?);
            given += line.len();
            page.last = u64::try_from(position).ok();
            page.lines.push(line);
            if given >= MOST_GIVEN {
                break;
            }
        }
        if whole >= query.limit || page.lines.len() < whole {
            page.next = page.last;
        }
        Ok(page)
    }

    /// Who was last given what, of the newest entries of all replicas.
    pub(super) async fn holders(&self) -> Result<Vec<Holder>, AuditError> {
        const GIVEN: &str = "SELECT line FROM audit WHERE event IN ('read', 'read-all') \
            AND outcome IN ('granted', 'not-modified') ORDER BY position DESC LIMIT $1";
        let given = sqlx::query_scalar::<_, String>(GIVEN).bind(LEARNT);
        let lines = self.in_time(given.fetch_all(&self.pool)).await?;
        let mut holders = Holders::default();
        for line in lines.iter().rev() {
            if let Ok(entry) = serde_json::from_str::<Entry>(line) {
                holders.learn(&entry.record);
            }
        }
        Ok(holders.list())
    }
}

fn filter(sql: &mut QueryBuilder<Postgres>, filter: &Filter) {
    let texts = [
        (" AND subject = ", filter.subject.as_ref().map(ToString::to_string)),
        (" AND environment = ", filter.environment.as_ref().map(ToString::to_string)),
        (" AND event = ", filter.event.map(|event| event.to_string())),
        (" AND outcome = ", filter.outcome.map(|outcome| outcome.to_string())),
        (" AND jti = ", filter.jti.as_ref().map(ToString::to_string)),
        (" AND replica = ", filter.replica.clone()),
        (" AND request_id = ", filter.request_id.clone()),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            sql.push(condition).push_bind(text);
        }
    }
    if let Some(key) = &filter.key {
        sql.push(" AND ").push_bind(key.to_string());
        sql.push(" = ANY(string_to_array(keys, ' '))");
    }
    if let Some(since) = filter.since {
        sql.push(" AND time >= ").push_bind(since.as_microsecond());
    }
    if let Some(until) = filter.until {
        sql.push(" AND time < ").push_bind(until.as_microsecond());
    }
}
