//! Registers metrics, and renders them as OpenMetrics text.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

/// The bounds of durations, in seconds: from a read out of memory to a disk that hangs.
pub const DURATIONS: [f64; 11] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// All metrics of one program. Those without any sample yet are not in its text.
#[derive(Debug)]
pub struct Registrar {
    registry: Registry,
    registered: usize,
}

impl Registrar {
    /// One whose names begin with this, and which tells the program's version.
    pub fn new(prefix: &str) -> Self {
        let mut registry = Registry::with_prefix(prefix);
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", version);
        Self { registry, registered: 1 }
    }

    /// Adds a metric, and gives it back to be counted with.
    pub fn register<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.registry.register(name, help, metric.clone());
        self.registered += 1;
        metric
    }

    /// Adds a metric in seconds, whose name then ends so, and gives it back.
    pub fn register_seconds<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
        self.registered += 1;
        metric
    }

    /// Adds a metric in bytes, whose name then ends so, and gives it back.
    pub fn register_bytes<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.registry.register_with_unit(name, help, Unit::Bytes, metric.clone());
        self.registered += 1;
        metric
    }

    /// How many there are.
    pub fn registered(&self) -> usize {
        self.registered
    }

    /// All of them, as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string does not fail");
        text
    }
}

/// The answer to who scrapes, with what [`Registrar::encode`] gave.
pub fn scraped(text: String) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, media_type)], text).into_response()
}
