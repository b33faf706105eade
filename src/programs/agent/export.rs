//! Spans on their way to a collector: OTLP over HTTP, as JSON.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;

use super::log::{Level, log};
use super::trace::Span;

/// How long the first of several spans waits for the others.
const GATHER: Duration = Duration::from_secs(1);

/// How many are exported at once.
const BATCH: usize = 64;

/// How long a collector may take for them.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the exporting thread is told.
pub(super) enum Message {
    /// A span has ended.
    Ended(Span),
    /// Whoever sends this waits until what was sent before is exported.
    Flush(Sender<()>),
}

/// Exports spans, until nobody makes any more. What the collector does not take is lost; that it
/// does not is logged once, and again when it has taken some meanwhile.
pub(super) fn export(endpoint: &str, messages: &Receiver<Message>) {
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("vanta/", env!("CARGO_PKG_VERSION")));
    let agent: Agent = config.build().into();
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let mut failing = false;
    while let Ok(first) = messages.recv() {
        let (spans, waiting) = gather(first, messages);
        if !spans.is_empty() {
            match agent.post(&url).send_json(request(&spans)) {
                Ok(_) => failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let what = format!("traces are lost: the collector: {error}");
                        log(Level::Warn, &what, json!({}));
                    }
                }
            }
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

/// What comes within a moment of the first, and who waits for it.
fn gather(first: Message, messages: &Receiver<Message>) -> (Vec<Span>, Vec<Sender<()>>) {
    let (mut spans, mut waiting) = (Vec::new(), Vec::new());
    let until = Instant::now() + GATHER;
    let mut next = Ok(first);
    loop {
        match next {
            Ok(Message::Ended(span)) => spans.push(span),
            Ok(Message::Flush(done)) => waiting.push(done),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        if spans.len() == BATCH || !waiting.is_empty() {
            break;
        }
        next = messages.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
    (spans, waiting)
}

/// An ExportTraceServiceRequest in the JSON of OTLP: identifiers in hexadecimal, times as text.
fn request(spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(shown).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", "vanta-agent"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeSpans": [{"scope": {"name": "vanta"}, "spans": spans}],
    }]})
}

fn shown(span: &Span) -> Value {
    let mut shown = json!({
        "traceId": hex::encode(span.trace),
        "spanId": hex::encode(span.id),
        "name": span.name,
        // SPAN_KIND_CLIENT, SPAN_KIND_INTERNAL
        "kind": if span.is_request { 3 } else { 1 },
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
    });
    if let Some(parent) = span.parent {
        shown["parentSpanId"] = json!(hex::encode(parent));
    }
    if let Some(error) = span.error {
        shown["attributes"] = json!([attribute("error.type", error)]);
        // STATUS_CODE_ERROR
        shown["status"] = json!({"code": 2});
    }
    shown
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
