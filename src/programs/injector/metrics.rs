//! What is counted (OpenMetrics). No name of a pod or a namespace is in a label.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::adapters::serve::open_metrics;

/// A webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Webhook {
    Mutate,
    Warn,
}

/// What a webhook's answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Outcome {
    /// The pod got an agent.
    Injected,
    /// It had all already.
    Unchanged,
    /// It does not ask, or is not looked at.
    Allowed,
    /// It cannot have an agent as it is.
    Refused,
    /// Its author was told something.
    Warned,
    /// The question was not understood, too large or too slow.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    webhook: Webhook,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    webhook: Webhook,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabels {
    certificate: &'static str,
}

/// Of durations, in seconds: a webhook takes part of each pod's creation.
const BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The metrics of one injector.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<ReviewLabels, Counter>,
    durations: Family<WebhookLabels, Histogram>,
    ends: Family<CertificateLabels, Gauge>,
    lacking: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            reviews: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            ends: Family::default(),
            lacking: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("vanta_injector");
        registry.register("reviews", "Questions answered, by outcome", metrics.reviews.clone());
        registry.register_with_unit(
            "review_duration",
            "Time from a question's head to its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "certificate_end_timestamp_seconds",
            "When a certificate ends, in seconds since 1970",
            metrics.ends.clone(),
        );
        registry.register(
            "namespaces_without_authority",
            "Namespaces whose ConfigMap vanta-ca is not yet what it should be",
            metrics.lacking.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    pub(super) fn review(&self, webhook: Webhook, outcome: Outcome, duration: Duration) {
        self.reviews.get_or_create(&ReviewLabels { webhook, outcome }).inc();
        self.durations.get_or_create(&WebhookLabels { webhook }).observe(duration.as_secs_f64());
    }

    pub(super) fn certificate(&self, certificate: &'static str, end: i64) {
        self.ends.get_or_create(&CertificateLabels { certificate }).set(end);
    }

    pub(super) fn lacking(&self, namespaces: usize) {
        self.lacking.set(i64::try_from(namespaces).unwrap_or(i64::MAX));
    }

    /// All of them, as OpenMetrics text.
    pub fn encode(&self) -> String {
        open_metrics(&self.registry)
    }
}
