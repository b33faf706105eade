//! What is counted (OpenMetrics). No key, subject or token is in a name or label.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    source: Reload,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EnvironmentLabels {
    environment: String,
}

/// What was read again because it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Reload {
    Grants,
    Clients,
    Issuers,
    Certificate,
    Secrets,
    SigningKeys,
}

/// The metrics of one vault.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Histogram,
    reloads: Family<ReloadLabels, Counter>,
    environments: Family<EnvironmentLabels, Gauge<i64>>,
    /// The environments that have a gauge.
    shown: Mutex<BTreeSet<String>>,
    audit_failures: Counter<u64, AtomicU64>,
    waiting: Gauge,
    events_dropped: Counter<u64, AtomicU64>,
}

/// Something that is counted for as long as it is there.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("vanta");
        let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
        let metrics = Self {
            requests: Family::default(),
            durations: Histogram::new(buckets),
            reloads: Family::default(),
            environments: Family::default(),
            shown: Mutex::default(),
            audit_failures: Counter::default(),
            waiting: Gauge::default(),
            events_dropped: Counter::default(),
            registry: Registry::default(),
        };
        registry.register(
            "http_requests",
            "Answers, by route and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register("reloads", "Sources read again, by result", metrics.reloads.clone());
        registry.register(
            "environment_healthy",
            "1 where the newest version of an environment's file is the one that is served",
            metrics.environments.clone(),
        );
        registry.register(
            "audit_failures",
            "Answers withheld because the audit could not be written",
            metrics.audit_failures.clone(),
        );
        registry.register(
            "events_dropped",
            "Events of the cluster that were not told, since too many waited",
            metrics.events_dropped.clone(),
        );
        registry.register("waiting", "Callers that wait for a change", metrics.waiting.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn request(&self, route: &str, status: u16, duration: Duration) {
        self.requests.get_or_create(&RequestLabels { route: route.to_owned(), status }).inc();
        self.durations.observe(duration.as_secs_f64());
    }

    /// Counts that a source was read again.
    pub fn reload(&self, source: Reload, succeeded: bool) {
        let result = if succeeded { "success" } else { "failure" };
        self.reloads.get_or_create(&ReloadLabels { source, result }).inc();
    }

    /// Says of every environment whether its newest version is served.
    pub fn environments(&self, healthy: impl IntoIterator<Item = (String, bool)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut there = BTreeSet::new();
        // Set first, and then removed, so that a scrape in between misses none.
        for (environment, healthy) in healthy {
            there.insert(environment.clone());
            self.environments
                .get_or_create(&EnvironmentLabels { environment })
                .set(i64::from(healthy));
        }
        for gone in shown.difference(&there) {
            self.environments.remove(&EnvironmentLabels { environment: gone.clone() });
        }
        *shown = there;
    }

    /// Counts an answer that was withheld for the audit's sake.
    pub fn audit_failure(&self) {
        self.audit_failures.inc();
    }

    /// Counts an event of the cluster that nobody is told of.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// Counts a caller that waits for a change.
    pub fn waiting(&self) -> Counted {
        self.waiting.inc();
        Counted(self.waiting.clone())
    }

    /// All of them, as OpenMetrics text.
    pub fn encode(&self) -> String {
        open_metrics(&self.registry)
    }
}

/// What is counted, as OpenMetrics text.
pub fn open_metrics(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)
        .expect("writing to a string does not fail");
    text
}

/// The answer to who scrapes, with what [`open_metrics`] gave.
pub fn scraped(text: String) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, media_type)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauges_are_of_the_environments_that_there_are_and_never_vanish_between() {
        let metrics = Metrics::default();
        let both = || [("dev".to_owned(), true), ("prod".to_owned(), false)];
        metrics.environments(both());
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..2000).for_each(|_| metrics.environments(both())));
            while !writer.is_finished() {
                assert!(metrics.encode().contains("{environment=\"dev\"} 1"));
            }
        });
        metrics.environments([("dev".to_owned(), false)]);
        let text = metrics.encode();
        assert!(text.contains("{environment=\"dev\"} 0") && !text.contains("prod"), "{text}");
    }
}
