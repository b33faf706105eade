//! Writes one replica's chain into the table, and into a spool while PostgreSQL is away.
//!
//! Invariant: the chain is one. What is in the spool is moved before anything new is written to the
//! table, in its order; where nobody knows whether lines are in the table, it is asked.

use std::path::Path;

use super::batch::Batch;
use super::error::AuditError;
use super::file_writer::FileWriter;
use super::folder::files;
use super::query::{Query, oldest};
use super::table::{InsertError, Table};
use crate::domain::record::{Entry, Link, Record};
use crate::domain::record_filter::{Filter, Order};

/// How many lines are moved at once.
const MOVED_AT_ONCE: usize = 500;

/// How often a place in the table may turn out to be taken before it is given up: another vault
/// writes under the same name.
const MOST_TRIES: u32 = 3;

/// The chain of one replica.
pub(super) struct TableWriter {
    table: Table,
    replica: String,
    end: Link,
    /// What cannot be written to the table now goes here, where there is a folder for it.
    spool: Option<FileWriter>,
    /// Whether the spool holds lines that are not known to be in the table.
    spooling: bool,
    /// How many lines went to the spool since it was last empty.
    spooled: usize,
    /// Whether nobody knows where the chain ends in the table.
    in_doubt: bool,
}

impl TableWriter {
    /// Reads where the chain ends; what an earlier run left in the spool is moved first.
    pub(super) async fn open(
        table: Table,
        replica: &str,
        spool: Option<&Path>,
    ) -> Result<Self, AuditError> {
        let spool = spool.map(|folder| FileWriter::open_spool(folder, replica)).transpose()?;
        let end = table.end(replica).await?;
        let spooling = spool.is_some();
        let mut writer = Self {
            table,
            replica: replica.to_owned(),
            end,
            spool,
            spooling,
            spooled: 0,
            in_doubt: false,
        };
        if spooling {
            writer.empty_spool().await?;
        }
        Ok(writer)
    }

    /// The end of the chain, the spool included.
    pub(super) fn end(&self) -> &Link {
        &self.end
    }

    /// Joins records to the chain, and waits until they are on stable storage. Gives their lines.
    pub(super) async fn write(&mut self, records: &[Record]) -> Result<Vec<String>, AuditError> {
        self.catch_up().await;
        if self.spooling {
            let batch = Batch::join(&self.replica, &self.end, records);
            return self.spool(batch);
        }
        for _ in 0..MOST_TRIES {
            if self.in_doubt {
                self.end = self.table.end(&self.replica).await?;
                self.in_doubt = false;
            }
            let batch = Batch::join(&self.replica, &self.end, records);
            match self.table.insert(&self.replica, &batch.lines).await {
                Ok(()) => {
                    self.end = batch.end;
                    return Ok(batch.lines);
                }
                Err(InsertError::Taken) => self.in_doubt = true,
                Err(InsertError::Unknown(why)) => return self.outcome_unknown(batch, why).await,
            }
        }
        let why = format!("another vault writes to the audit as {}", self.replica);
        Err(AuditError::Write(why))
    }

    /// Moves what is in the spool, where there is something and PostgreSQL is back.
    pub(super) async fn catch_up(&mut self) {
        if self.spooling {
            match self.empty_spool().await {
                Ok(()) => tracing::info!("the spool of the audit is in PostgreSQL"),
                Err(error) => tracing::debug!(%error, "the audit is written to its spool"),
            }
        }
    }

    /// How many lines of this run wait in the spool.
    pub(super) fn spooled(&self) -> usize {
        self.spooled
    }

    /// Whether there is something in the spool that [`Self::catch_up`] would move.
    pub(super) fn is_behind(&self) -> bool {
        self.spooling
    }

    /// Lines may be in the table or not: it is asked. Where it does not answer they go to the
    /// spool just as they are, so that they are the same wherever they are found.
    async fn outcome_unknown(
        &mut self,
        batch: Batch,
        why: String,
    ) -> Result<Vec<String>, AuditError> {
        match self.table.end(&self.replica).await {
            Ok(end) if end == batch.end => {
                self.end = end;
                return Ok(batch.lines);
            }
            _ if self.spool.is_none() => {
                self.in_doubt = true;
                return Err(AuditError::Write(why));
            }
            // Even where they are not there now, the statement may yet be done.
            _ => {}
        }
        tracing::warn!(why, "PostgreSQL does not take the audit, which goes to its spool");
        self.spooling = true;
        self.spool(batch)
    }

    fn spool(&mut self, batch: Batch) -> Result<Vec<String>, AuditError> {
        let Some(spool) = &mut self.spool else {
            return Err(AuditError::Write("there is no folder for a spool".to_owned()));
        };
        let end = batch.end.clone();
        let lines = spool.write_batch(batch)?;
        self.spooled += lines.len();
        self.end = end;
        Ok(lines)
    }

    /// Moves what is in the spool behind the end of the chain in the table, and empties it. A line
    /// that is there already, after a crash or a commit of unknown outcome, is passed over.
    async fn empty_spool(&mut self) -> Result<(), AuditError> {
        let Some(spool) = &mut self.spool else { return Ok(()) };
        let files = files(spool.folder())?;
        loop {
            let end = self.table.end(&self.replica).await?;
            let query = Query {
                filter: Filter::default(),
                order: Order::Oldest,
                limit: MOVED_AT_ONCE,
                cursor: Some(end.sequence()),
            };
            let page = oldest(&files, &query, u64::MAX - 1)?;
            let Some(first) = page.lines.first() else { break };
            let joins =
                serde_json::from_str::<Entry>(first).is_ok_and(|entry| end.is_before(&entry));
            if !joins {
                return Err(AuditError::Write(format!(
                    "the spool in {} does not go on from the chain of {} in the table, which ends \
                     at {}: move it away and keep it",
                    spool.folder().display(),
                    self.replica,
                    end.sequence()
                )));
            }
            match self.table.insert(&self.replica, &page.lines).await {
                // Taken: a statement that nobody waited for was done meanwhile.
                Ok(()) | Err(InsertError::Taken) => {}
                Err(InsertError::Unknown(why)) => return Err(AuditError::Write(why)),
            }
        }
        let end = self.table.end(&self.replica).await?;
        spool.empty(&end)?;
        self.end = end;
        self.spooling = false;
        self.spooled = 0;
        Ok(())
    }
}
