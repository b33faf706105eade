//! Entries that are asked for, out of the table.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use sqlx::{Postgres, QueryBuilder, Row as _};

use super::error::TableError;
use super::holders::{Holders, id};
use super::query::{MOST_GIVEN, Page, Query};
use super::table::{Table, in_time};
use crate::domain::held::Held;
use crate::domain::record::Entry;
use crate::domain::record_filter::{Filter, Order};

/// Whoever goes on from where it ended is shown no row that another may yet come before: none of a
/// transaction that is not older than all that are open. A chain alone is written in its order.
const SETTLED: &str = " AND written_by < pg_snapshot_xmin(pg_current_snapshot())";

/// How many of the newest answers tell who holds what.
const LEARNT: i64 = 20_000;

/// How many bytes of their lines at the most.
const LEARNT_BYTES: usize = 64 * 1024 * 1024;

impl Table {
    /// The lines that are asked for. The cursor is the position of a row.
    pub(super) async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let mut sql = QueryBuilder::new("SELECT line, position FROM audit WHERE TRUE");
        filter(&mut sql, &query.filter);
        if let Some(cursor) = query.cursor {
            after(&mut sql, query.order, i64::try_from(cursor).unwrap_or(i64::MAX));
        }
        match query.order {
            Order::Newest => sql.push(" ORDER BY written_by DESC, position DESC LIMIT "),
            Order::Oldest => {
                if query.filter.replica.is_none() {
                    sql.push(SETTLED);
                }
                sql.push(" ORDER BY written_by, position LIMIT ")
            }
        };
        sql.push_bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
        let mut page = Page { lines: Vec::new(), next: None, last: query.cursor };
        let mut given = 0;
        in_time(async {
            let mut rows = sql.build().fetch(&self.pool);
            while let Some(row) = rows.try_next().await? {
                let (line, position): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                given += line.len();
                page.last = u64::try_from(position).ok();
                page.lines.push(line);
                if given >= MOST_GIVEN {
                    break;
                }
            }
            Ok(())
        })
        .await?;
        if given >= MOST_GIVEN || page.lines.len() >= query.limit {
            page.next = page.last;
        }
        Ok(page)
    }

    /// The line of a place.
    pub(super) async fn line(
        &self,
        chain: &str,
        sequence: u64,
    ) -> Result<Option<String>, TableError> {
        const LINE: &str = "SELECT line FROM audit WHERE chain = $1 AND sequence = $2";
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        let line = sqlx::query_scalar(LINE).bind(chain).bind(sequence);
        in_time(line.fetch_optional(&self.pool)).await
    }

    /// Who was last given what, of the newest entries of all replicas.
    pub(super) async fn holders(&self) -> Result<Vec<Held>, TableError> {
        const GIVEN: &str = "SELECT line FROM audit WHERE event IN ('read', 'read-all') \
            AND outcome IN ('granted', 'not-modified') \
            ORDER BY written_by DESC, position DESC LIMIT $1";
        let (mut newest, mut known, mut read) = (Vec::new(), HashSet::new(), 0);
        in_time(async {
            let mut lines = sqlx::query_scalar::<_, String>(GIVEN).bind(LEARNT).fetch(&self.pool);
            while let Some(line) = lines.try_next().await? {
                read += line.len();
                let entry = serde_json::from_str::<Entry>(&line).ok();
                let holder = entry.and_then(|entry| Held::of(&entry.record));
                newest.extend(holder.filter(|holder| known.insert(id(holder))));
                if read >= LEARNT_BYTES {
                    break;
                }
            }
            Ok(())
        })
        .await?;
        let mut holders = Holders::default();
        newest.into_iter().rev().for_each(|holder| holders.take(holder));
        Ok(holders.list())
    }
}

/// What comes after a row. Where that is gone, what comes after the nearest one that is there; a
/// follower may be given some rows again then.
fn after(sql: &mut QueryBuilder<Postgres>, order: Order, cursor: i64) {
    let (comparison, direction) = match order {
        Order::Newest => ("<", " DESC"),
        Order::Oldest => (">", ""),
    };
    sql.push(format!(
        " AND (written_by, position) {comparison} (COALESCE((SELECT written_by FROM audit \
         WHERE position = "
    ));
    sql.push_bind(cursor);
    sql.push(format!("), (SELECT written_by FROM audit WHERE position {comparison} "));
    sql.push_bind(cursor);
    sql.push(format!(" ORDER BY written_by{direction} LIMIT 1)), "));
    sql.push_bind(cursor).push(")");
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
        sql.push(" AND keys @> jsonb_build_array(").push_bind(key.to_string()).push("::text)");
    }
    if let Some(since) = filter.since {
        sql.push(" AND time >= ").push_bind(since.as_microsecond());
    }
    if let Some(until) = filter.until {
        sql.push(" AND time < ").push_bind(until.as_microsecond());
    }
}
