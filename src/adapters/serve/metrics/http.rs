//! Of requests, connections and callers that wait.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::registrar::{DURATIONS, Registrar};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
    problem: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// Something that is counted for as long as it is there.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is counted of requests.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    waiting: Gauge,
    connections: Gauge,
    refused: Counter,
}

impl HttpMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        Self {
            requests: registrar.register("http_requests", "Answers, by route, status and kind of problem", Family::default()),
            durations: registrar.register_seconds("http_request_duration", "Time from a request's head to its answer's head, without what a caller waited by its own wish", Family::new_with_constructor(|| Histogram::new(DURATIONS))),
            waiting: registrar.register("waiting", "Callers that wait for a change", Gauge::default()),
            connections: registrar.register("connections", "Open connections to the API", Gauge::default()),
            refused: registrar.register("connections_refused", "Connections to the API that were closed at once, since too many were open", Counter::default()),
        }
    }

    /// Counts an answer, with the kind of its problem where it is one.
    pub fn answered(
        &self,
        route: &str,
        status: u16,
        problem: Option<&'static str>,
        duration: Duration,
    ) {
        let problem = problem.unwrap_or_default();
        let labels = RequestLabels { route: route.to_owned(), status, problem };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: route.to_owned() };
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Counts a caller that waits for a change.
    pub fn waiting(&self) -> Counted {
        self.waiting.inc();
        Counted(self.waiting.clone())
    }

    /// Says how many connections are open.
    pub fn connected(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// What counts the connections that are refused.
    pub fn refused(&self) -> Counter {
        self.refused.clone()
    }
}
