//! What is counted of the vault (OpenMetrics). No key, subject, pod or token is in a name or label,
//! and each label has few values.

mod alarm_counts;
mod decisions;
mod http;
mod registrar;
mod sources;
mod storage;

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

pub use decisions::{Method, Proof};
pub use http::Counted;
pub use registrar::{DURATIONS, Registrar, scraped};
pub use sources::{EnvironmentStanding, Reload};

use decisions::DecisionMetrics;
use http::HttpMetrics;
use sources::SourceMetrics;
use storage::{AuditMetrics, StateMetrics};

/// A gauge of parts of a second.
type Seconds = Gauge<f64, AtomicU64>;

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The metrics of one vault.
#[derive(Debug)]
pub struct Metrics {
    registrar: Registrar,
    /// Of requests and connections.
    pub http: HttpMetrics,
    /// Of what callers tried.
    pub decisions: DecisionMetrics,
    /// Of what is read.
    pub sources: SourceMetrics,
    /// Of the state.
    pub state: StateMetrics,
    /// Of the audit.
    pub audit: AuditMetrics,
    events_dropped: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registrar = Registrar::new("vanta");
        let events_dropped = Counter::default();
        registrar.register(
            "events_dropped",
            "Events of the cluster that were not told, since too many waited",
            events_dropped.clone(),
        );
        Self {
            http: HttpMetrics::new(&mut registrar),
            decisions: DecisionMetrics::new(&mut registrar),
            sources: SourceMetrics::new(&mut registrar),
            state: StateMetrics::new(&mut registrar),
            audit: AuditMetrics::new(&mut registrar),
            events_dropped,
            registrar,
        }
    }
}

impl Metrics {
    /// Counts an event of the cluster that nobody is told of.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// All of them, as OpenMetrics text.
    pub fn encode(&self) -> String {
        self.registrar.encode()
    }
}

#[cfg(test)]
#[path = "documented_tests.rs"]
pub(crate) mod described;
