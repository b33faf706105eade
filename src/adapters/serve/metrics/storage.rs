//! Of the state and the audit.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::registrar::{DURATIONS, Registrar};
use super::{Seconds, whole};

/// The bounds of how many lines are written at once.
const BATCHES: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// What is counted of the state.
#[derive(Debug)]
pub struct StateMetrics {
    durations: Family<OperationLabels, Histogram>,
    failures: Family<OperationLabels, Counter>,
    revocations_age: Seconds,
}

impl StateMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        Self {
            durations: registrar.register_seconds("state_duration", "Time that the state took, by what it was asked", Family::new_with_constructor(|| Histogram::new(DURATIONS))),
            failures: registrar.register("state_failures", "Questions that the state did not answer, or not in time", Family::default()),
            revocations_age: registrar.register_seconds("revocations_age", "How long ago the revocations of other replicas were last heard of; 0 where there are none", Seconds::default()),
        }
    }

    /// Counts what the state was asked.
    pub fn asked(&self, operation: &'static str, duration: Duration, answered: bool) {
        let labels = OperationLabels { operation };
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
        // From nought where the first is answered, for whoever asks for their increase.
        self.failures.get_or_create(&labels).inc_by(u64::from(!answered));
    }

    /// Says how old the view of the revocations is.
    pub fn revocations_age(&self, age: Duration) {
        self.revocations_age.set(age.as_secs_f64());
    }
}

/// What is counted of the audit.
#[derive(Debug)]
pub struct AuditMetrics {
    withheld: Counter<u64, AtomicU64>,
    entries: Counter,
    durations: Histogram,
    batches: Histogram,
    failures: Counter,
    rotations: Counter,
    retired: Counter,
    spooled: Gauge,
    spool_bytes: Gauge,
    sequence: Gauge,
    checkpoints: Counter,
    signed_sequence: Gauge,
    signed_at: Gauge,
}

impl AuditMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        Self {
            withheld: registrar.register(
                "audit_failures",
                "Answers withheld because the audit could not be written",
                Counter::default(),
            ),
            entries: registrar.register(
                "audit_entries",
                "Lines written and synced",
                Counter::default(),
            ),
            durations: registrar.register_seconds(
                "audit_write_duration",
                "Time to write and sync a batch",
                Histogram::new(DURATIONS),
            ),
            batches: registrar.register(
                "audit_batch_entries",
                "Lines in a batch",
                Histogram::new(BATCHES),
            ),
            failures: registrar.register(
                "audit_write_failures",
                "Batches that could not be written",
                Counter::default(),
            ),
            rotations: registrar.register(
                "audit_rotations",
                "Files that became full",
                Counter::default(),
            ),
            retired: registrar.register(
                "audit_retired_files",
                "Files set aside because nobody knows what a failed sync left in them",
                Counter::default(),
            ),
            spooled: registrar.register(
                "audit_spool_entries",
                "Lines that wait for PostgreSQL in the spool of this run",
                Gauge::default(),
            ),
            spool_bytes: registrar.register_bytes(
                "audit_spool",
                "Size of the spool",
                Gauge::default(),
            ),
            sequence: registrar.register(
                "audit_sequence",
                "The number of the last line",
                Gauge::default(),
            ),
            checkpoints: registrar.register(
                "audit_checkpoints",
                "Heads that were signed",
                Counter::default(),
            ),
            signed_sequence: registrar.register(
                "audit_checkpoint_sequence",
                "The number of the last line that a signed head covers",
                Gauge::default(),
            ),
            signed_at: registrar.register_seconds(
                "audit_checkpoint_timestamp",
                "When the head was last signed, since 1970; 0 before the first of this run",
                Gauge::default(),
            ),
        }
    }

    /// Counts an answer that was withheld for the audit's sake.
    pub fn withheld(&self) {
        self.withheld.inc();
    }

    /// Counts a batch of lines that is on stable storage.
    pub fn written(&self, lines: usize, duration: Duration) {
        self.entries.inc_by(lines as u64);
        self.durations.observe(duration.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand lines")]
        self.batches.observe(lines as f64);
    }

    /// Counts a batch that could not be written.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// Counts files that were rotated since they were full, and files that were retired in doubt.
    pub fn rotated(&self, rotated: u64, retired: u64) {
        self.rotations.inc_by(rotated);
        self.retired.inc_by(retired);
    }

    /// Says how many lines wait in the spool, and how many bytes it has.
    pub fn spooled(&self, lines: usize, bytes: u64) {
        self.spooled.set(whole(lines));
        self.spool_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Says where the chain ends.
    pub fn ends_at(&self, sequence: u64) {
        self.sequence.set(i64::try_from(sequence).unwrap_or(i64::MAX));
    }

    /// Counts a head that was signed at this moment, in epoch seconds.
    pub fn signed(&self, sequence: u64, at: i64) {
        self.checkpoints.inc();
        self.signed_sequence.set(i64::try_from(sequence).unwrap_or(i64::MAX));
        self.signed_at.set(at);
    }
}
