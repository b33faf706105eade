//! What is counted (OpenMetrics). No name of a pod or a namespace is in a label.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::adapters::serve::{DURATIONS, Registrar};

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
struct WriteLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabels {
    certificate: &'static str,
}

/// The metrics of one injector.
#[derive(Debug)]
pub struct Metrics {
    registrar: Registrar,
    reviews: Family<ReviewLabels, Counter>,
    durations: Family<WebhookLabels, Histogram>,
    ends: Family<CertificateLabels, Gauge>,
    lacking: Gauge,
    spread: Family<WriteLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registrar = Registrar::new("vanta_injector");
        Self {
            reviews: registrar.register(
                "reviews",
                "Questions answered, by outcome",
                Family::default(),
            ),
            durations: registrar.register_seconds(
                "review_duration",
                "Time from a question's head to its answer",
                Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            ),
            ends: registrar.register_seconds(
                "certificate_end_timestamp",
                "When a certificate ends, since 1970",
                Family::default(),
            ),
            lacking: registrar.register(
                "namespaces_without_authority",
                "Namespaces whose ConfigMap vanta-ca is not yet what it should be",
                Gauge::default(),
            ),
            spread: registrar.register(
                "authority_writes",
                "Writes of the ConfigMap vanta-ca, by result",
                Family::default(),
            ),
            registrar,
        }
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

    pub(super) fn authority_written(&self, succeeded: bool) {
        let result = if succeeded { "success" } else { "failure" };
        self.spread.get_or_create(&WriteLabels { result }).inc();
    }

    /// All of them, as OpenMetrics text.
    pub fn encode(&self) -> String {
        self.registrar.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::serve::described::{documented, exposed};

    #[test]
    fn the_document_and_the_injectors_registry_agree() {
        let metrics = Metrics::default();
        metrics.review(Webhook::Mutate, Outcome::Injected, Duration::ZERO);
        metrics.certificate("injector", 1);
        metrics.lacking(1);
        metrics.authority_written(true);
        let exposed = exposed(&metrics.encode());
        assert_eq!(exposed.len(), metrics.registrar.registered(), "{exposed:#?}");
        assert_eq!(exposed, documented(|name| name.starts_with("vanta_injector_")));
    }
}
