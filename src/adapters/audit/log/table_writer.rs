//! Writes one replica's chain into the table, and into a spool while PostgreSQL is away.
//!
//! Invariant: the chain is one. What is in the spool is moved before anything new is written to the
//! table, in its order; where nobody knows whether lines are in the table, it is asked. The spool is
//! emptied only once its last entry, by sequence and hash, is in the table.

use super::batch::Batch;
use super::error::{AppendError, OpenError, SpoolError, TableError};
use super::file_writer::FileWriter;
use super::query::{Query, oldest};
use super::table_session::Session;
use crate::adapters::audit::folder::files;
use crate::domain::record::{Entry, Link, Record};
use crate::domain::record_filter::{Filter, Order};

/// How many lines are moved at once.
const MOVED_AT_ONCE: usize = 500;

/// Files for what cannot be written to the table.
pub(super) struct Spool {
    pub(super) files: FileWriter,
    /// How many bytes they may have in all.
    pub(super) most_bytes: u64,
}

/// The chain of one replica.
pub(super) struct TableWriter {
    session: Session,
    replica: String,
    end: Link,
    /// What cannot be written to the table now goes here, where there is a folder for it.
    spool: Option<Spool>,
    /// Whether the spool holds lines that are not known to be in the table.
    spooling: bool,
    /// How many lines went to the spool since it was last empty.
    spooled: usize,
    /// Whether nobody knows where the chain ends in the table.
    in_doubt: bool,
    /// Why the spool was not moved, as it was told last.
    told: String,
}

impl TableWriter {
    /// Reads where the chain ends; what an earlier run left in the spool is moved first.
    pub(super) async fn open(
        mut session: Session,
        replica: &str,
        spool: Option<Spool>,
    ) -> Result<Self, OpenError> {
        let end = session.end().await?;
        let spooling = spool.is_some();
        let mut writer = Self {
            session,
            replica: replica.to_owned(),
            end,
            spool,
            spooling,
            spooled: 0,
            in_doubt: false,
            told: String::new(),
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

    /// Joins records to the chain, as many of the first as go in one batch, and waits until they are
    /// on stable storage. Gives their lines.
    pub(super) async fn write(&mut self, records: &[Record]) -> Result<Vec<String>, AppendError> {
        self.catch_up().await;
        if !self.spooling && self.in_doubt {
            self.end = self.session.end().await?;
            self.in_doubt = false;
        }
        let batch = Batch::join(&self.replica, &self.end, records);
        if self.spooling {
            return self.spool(batch);
        }
        match self.session.insert(&batch.lines).await {
            Ok(()) => {
                self.end = batch.end;
                Ok(batch.lines)
            }
            Err(error) if error.leaves_doubt() => self.outcome_unknown(batch, error).await,
            Err(error) => {
                self.in_doubt = true;
                Err(error.into())
            }
        }
    }

    /// Moves what is in the spool, where there is something and PostgreSQL is back.
    pub(super) async fn catch_up(&mut self) {
        if self.spooling {
            match self.empty_spool().await {
                Ok(()) => {
                    tracing::info!("the spool of the audit is in PostgreSQL");
                    self.told.clear();
                }
                Err(error) => {
                    let why = error.to_string();
                    if self.told != why {
                        tracing::warn!(why, "the audit is written to its spool");
                        self.told = why;
                    }
                }
            }
        }
    }

    /// How many lines of this run wait in the spool, and how many bytes it has.
    pub(super) fn spooled(&self) -> (usize, u64) {
        (self.spooled, self.spool.as_ref().map_or(0, |spool| spool.files.size()))
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
        error: TableError,
    ) -> Result<Vec<String>, AppendError> {
        let error = match self.session.end().await {
            Ok(end) if end == batch.end => {
                self.end = end;
                return Ok(batch.lines);
            }
            // The session before is over: what it did not do it never will.
            Ok(end) if end == self.end => match self.session.insert(&batch.lines).await {
                Ok(()) => {
                    self.end = batch.end;
                    return Ok(batch.lines);
                }
                Err(error) => error,
            },
            _ => error,
        };
        if self.spool.is_none() {
            self.in_doubt = true;
            return Err(error.into());
        }
        tracing::warn!(%error, "PostgreSQL does not take the audit, which goes to its spool");
        self.spooling = true;
        self.spool(batch)
    }

    fn spool(&mut self, batch: Batch) -> Result<Vec<String>, AppendError> {
        let spool = self.spool.as_mut().expect("where there is no spool nothing goes to it");
        let held = spool.files.size();
        if held + batch.size() as u64 > spool.most_bytes {
            return Err(AppendError::SpoolFull { held, most: spool.most_bytes });
        }
        let end = batch.end.clone();
        let lines = spool.files.write_batch(batch)?;
        self.spooled += lines.len();
        self.end = end;
        Ok(lines)
    }

    /// Moves what is in the spool behind the end of the chain in the table, and empties it. A line
    /// that is there already, after a crash or a commit of unknown outcome, is passed over.
    async fn empty_spool(&mut self) -> Result<(), SpoolError> {
        let Some(Spool { files: spool, .. }) = &mut self.spool else { return Ok(()) };
        let files = files(spool.folder())?;
        loop {
            let end = self.session.end().await?;
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
                return Err(SpoolError::Apart {
                    folder: spool.folder().to_owned(),
                    replica: self.replica.clone(),
                    end: end.sequence(),
                });
            }
            self.session.insert(&page.lines).await?;
        }
        // Nothing is left to move also where the table goes on from before the spool as another
        // chain: what the spool holds is gone only once its very end is there.
        if !self.session.holds(spool.end()).await? {
            return Err(SpoolError::Lacking {
                folder: spool.folder().to_owned(),
                replica: self.replica.clone(),
                sequence: spool.end().sequence(),
            });
        }
        let end = self.session.end().await?;
        spool.empty(&end)?;
        self.end = end;
        self.spooling = false;
        self.spooled = 0;
        self.in_doubt = false;
        Ok(())
    }
}
