//! The audit from the configuration, and its head, which is signed every so often.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context as _;

use super::config::AuditConfig;
use crate::adapters::audit::{
    AuditLog, Checkpointer, LogOptions, Observer, SigningKey, SpoolOptions, Stream, TableOptions,
    Written,
};
use crate::adapters::files::make_folder;
use crate::adapters::serve::Metrics;
use crate::adapters::state::{CheckpointQuery, StateError, StateSource, StateStore};
use crate::contract::api::audit::AuditCheckpoints;
use crate::domain::checkpoint::{Checkpoint, Head};

/// Opens the audit: in a table beside a state that is in PostgreSQL, else in its folder.
pub(super) async fn open(
    config: AuditConfig,
    source: &StateSource,
    state: &StateStore,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<AuditLog> {
    let observer = counting(Arc::clone(metrics));
    if let Some(folder) = &config.folder {
        make_folder(folder)?;
    }
    let stream = config.stdout.then(Stream::start).transpose();
    let stream = stream.context("the audit's lines cannot go to standard output")?;
    match (source, config.folder) {
        (StateSource::Postgres(url), spool) => AuditLog::in_table(TableOptions {
            url: url.clone(),
            spool: spool.map(|folder| SpoolOptions {
                folder,
                most_bytes: config.rotation.most_bytes,
                most_bytes_in_all: config.most_spooled,
            }),
            replica: config.replica,
            stream,
            observer,
        })
        .await
        .context("audit in PostgreSQL"),
        (StateSource::Folder(_), Some(folder)) => {
            let place = format!("audit in {}", folder.display());
            let (replica, rotation) = (config.replica, config.rotation);
            let key = Some(SigningKey::new(&state.audit_key()));
            let options = LogOptions { folder, replica, rotation, key, stream, observer };
            AuditLog::start(options).context(place)
        }
        (StateSource::Folder(_), None) => anyhow::bail!("the audit has no folder"),
    }
}

/// Counts what the audit's writer does.
fn counting(metrics: Arc<Metrics>) -> Observer {
    Observer::new(move |written: Written| {
        match written.lines {
            Some(0) => {}
            Some(lines) => metrics.audit.written(lines, written.duration),
            None => metrics.audit.failed(),
        }
        metrics.audit.rotated(written.rotated, written.retired);
        metrics.audit.spooled(written.spooled, written.spool_bytes);
    })
}

/// Signs the head of the audit, and tells it to the log and the state.
pub(super) struct Auditing {
    checkpointer: Checkpointer,
    state: Arc<StateStore>,
    stream: Option<Stream>,
    metrics: Arc<Metrics>,
}

impl Auditing {
    pub(super) async fn new(
        audit: &AuditLog,
        state: &Arc<StateStore>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        warn_of_removed_tail(audit, state).await;
        Self {
            checkpointer: Checkpointer::new(audit, &state.audit_key()),
            state: Arc::clone(state),
            stream: audit.stream(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Signs for ever.
    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            let checkpoint = self.checkpointer.next().await;
            self.tell(&checkpoint).await;
        }
    }

    /// Signs the head for the last time.
    pub(super) async fn finish(&mut self) {
        if let Some(checkpoint) = self.checkpointer.now() {
            self.tell(&checkpoint).await;
        }
    }

    async fn tell(&self, checkpoint: &Checkpoint) {
        let Checkpoint { head, public_key, signature } = checkpoint;
        // The fields are those of the checkpoint: a verifier reads it back from the line.
        tracing::info!(
            target: "vanta::audit::checkpoint",
            replica = head.replica, sequence = head.sequence, hash = head.hash, time = %head.time,
            public_key, signature,
            "the audit's head"
        );
        self.metrics.audit.signed(head.sequence, head.time.as_second());
        if let Some(stream) = &self.stream {
            let line = serde_json::to_string(checkpoint);
            stream.send(&[line.expect("a checkpoint holds only text and numbers")]);
        }
        if let Err(error) = self.state.store_checkpoint(checkpoint).await {
            tracing::warn!(%error, "the audit's head is signed and not in the state; the next one will be");
        }
    }
}

/// The audit's signed heads as the state holds them, and what they are checked with.
pub(super) struct SignedHeads {
    state: Arc<StateStore>,
    public_key: String,
}

impl SignedHeads {
    pub(super) fn new(state: Arc<StateStore>) -> Self {
        let public_key = SigningKey::new(&state.audit_key()).public_key().to_string();
        Self { state, public_key }
    }

    /// A page of them, by replica and sequence.
    pub(super) async fn page(
        &self,
        query: &CheckpointQuery,
    ) -> Result<AuditCheckpoints, StateError> {
        let checkpoints = self.state.checkpoints(query).await?;
        let full = checkpoints.len() >= query.limit;
        let next = checkpoints.last().filter(|_| full).map(|last| last.place().to_string());
        Ok(AuditCheckpoints { public_key: self.public_key.clone(), checkpoints, next })
    }
}

/// Says loudly that the audit does not hold a head that was signed: somebody removed its tail, or
/// made it anew.
async fn warn_of_removed_tail(audit: &AuditLog, state: &StateStore) {
    let signed = match signed_heads(audit, state).await {
        Ok(signed) => signed,
        Err(error) => {
            tracing::warn!(%error, "the audit's end is not compared with its signed heads");
            return;
        }
    };
    let end = audit.head().borrow().sequence();
    let key = SigningKey::new(&state.audit_key()).public_key();
    for head in signed {
        match audit.holds(&head, &key).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(
                    end, replica = head.replica, signed = head.sequence, signed_at = %head.time,
                    "the audit does not hold its last signed head: entries were removed or \
                     changed. Keep its files and run `vanta-cli audit verify`"
                );
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the audit's end is not compared with its signed heads");
            }
        }
    }
}

/// The heads that the audit has to hold. A folder has one chain whatever the replica was called;
/// in a table only that of the name is this vault's to vouch for, as others go on meanwhile.
async fn signed_heads(audit: &AuditLog, state: &StateStore) -> Result<Vec<Head>, StateError> {
    let own = state.highest_checkpoint(audit.replica()).await?;
    let newest = if audit.is_shared() { None } else { state.newest_checkpoint().await? };
    Ok(own.into_iter().chain(newest).map(|checkpoint| checkpoint.head).collect())
}
