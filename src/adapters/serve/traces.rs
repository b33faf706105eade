//! Traces of requests, exported over OTLP where a collector is named.
//!
//! Invariants: nothing here waits for the collector but the exporter's own thread and, for a bounded
//! time, the end of the program. A span has the fields that are named here, none of which can hold
//! what a caller made up, a name of a key, a subject or a token.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer as _;

use super::collector::Collector;
use super::telemetry::{Exported, SPANS};

/// How long the end of the program waits for the last spans.
const FLUSH: Duration = Duration::from_secs(3);

/// The header by which a caller says which trace its request belongs to (W3C Trace Context).
const TRACE_PARENT: &str = "traceparent";

/// Where traces go beyond what the exporter reads of the standard variables by itself: endpoint,
/// headers, sampler, attributes of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// The service's name, where the resource's attributes name no other.
    pub program: &'static str,
    /// Its name, whatever they say.
    pub service: Option<String>,
    /// The file of the authorities that vouch for the collector; those of the system without it.
    pub authorities: Option<PathBuf>,
}

/// Why no traces are exported.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTraces {
    /// The authorities cannot be read.
    #[error("the authorities of the collector (OTEL_EXPORTER_OTLP_CERTIFICATE): {0}")]
    Authorities(String),
    /// The exporter refuses its variables. What they hold is not repeated: it may be a credential.
    #[error(
        "the variables OTEL_EXPORTER_OTLP_* cannot be used: the endpoint is http://HOST:PORT or \
         https://HOST:PORT, and nothing is compressed"
    )]
    Exporter,
}

/// What exports traces, until it ends.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the exporter's thread; gives what takes the spans too.
    pub fn start(settings: TraceSettings) -> Result<(Self, Exported), InvalidTraces> {
        let collector = Collector::new(settings.authorities.as_deref());
        let collector = collector.map_err(InvalidTraces::Authorities)?;
        let exporter = SpanExporter::builder().with_http().with_http_client(collector).build();
        let exporter = exporter.map_err(|_| InvalidTraces::Exporter)?;
        let mut resource = Resource::builder_empty()
            .with_service_name(settings.program)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_detectors(&[
                Box::new(TelemetryResourceDetector),
                Box::new(EnvResourceDetector::new()),
            ]);
        if let Some(service) = settings.service {
            resource = resource.with_service_name(service);
        }
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(exporter)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("vanta"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Lines of the log are not part of a span: they say more than a trace may.
            .with_filter(Targets::new().with_target(SPANS, LevelFilter::INFO));
        Ok((Self(provider), Box::new(layer)))
    }

    /// Exports what is left, for three seconds at most.
    pub fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last traces may be lost");
        }
    }
}

/// The span of a request, in the trace that the caller names, where it names one.
pub fn request(method: &Method, route: &str, headers: &HeaderMap, id: &str) -> Span {
    let method = known(method);
    let span = tracing::info_span!(
        target: SPANS,
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        "http.request.method" = method,
        "http.route" = route,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "vanta.request_id" = id,
        "vanta.waited_milliseconds" = Empty,
    );
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &TraceParent(headers));
        if parent.span().span_context().is_valid() {
            // It fails only where the span has begun, which it has not.
            let _ = span.set_parent(parent);
        }
    }
    span
}

/// Writes into a request's span what came of it.
pub fn answered(span: &Span, status: u16, problem: Option<&str>, waited: Option<Duration>) {
    span.record("http.response.status_code", status);
    if let Some(problem) = problem {
        span.record("error.type", problem);
    }
    if let Some(waited) = waited {
        span.record("vanta.waited_milliseconds", waited.as_secs_f64() * 1e3);
    }
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a part of the request that is handled; outside of one it is none.
pub fn step(name: &'static str) -> Span {
    if Span::current().is_disabled() {
        return Span::none();
    }
    tracing::info_span!(
        target: SPANS,
        "step",
        otel.name = name,
        otel.status_code = Empty,
        "vanta.method" = Empty,
        "vanta.outcome" = Empty,
    )
}

/// The trace that a span belongs to, where it is exported.
pub fn trace_id(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let of = span.span_context();
    of.is_sampled().then(|| of.trace_id().to_string())
}

/// The methods of HTTP, and one word for what callers make up.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// The trace's parent alone: `tracestate` may hold anything, and would be exported.
struct TraceParent<'a>(&'a HeaderMap);

impl Extractor for TraceParent<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        (name == TRACE_PARENT).then(|| self.0.get(TRACE_PARENT)?.to_str().ok()).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_PARENT]
    }
}
