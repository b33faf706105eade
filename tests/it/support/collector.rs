//! A collector of traces on a loopback port: OTLP over HTTP, as protobuf and as JSON.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use prost::Message as _;
use serde_json::Value;

use super::program::until;

/// A span as the tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty where it begins a trace.
    pub(crate) parent: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Span {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn is_below(&self, other: &Self) -> bool {
        self.trace == other.trace && self.parent == other.id
    }
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    bodies: Vec<Vec<u8>>,
    headers: String,
}

/// A collector that serves.
pub(crate) struct Collector {
    /// `http://127.0.0.1:PORT`
    pub(crate) endpoint: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::with(answer)
    }

    /// One that takes what comes and never answers.
    pub(crate) fn that_hangs() -> Self {
        Self::with(|stream, _| {
            let mut sink = Vec::new();
            // Until the other side gives up.
            BufReader::new(stream).read_to_end(&mut sink).map(drop)
        })
    }

    fn with(answer: fn(&TcpStream, &Mutex<Received>) -> std::io::Result<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let received = Arc::new(Mutex::new(Received::default()));
        let serving = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || answer(&stream, &serving).ok());
            }
        });
        Self { endpoint, received }
    }

    fn with_received<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.received.lock().expect("no holder panics"))
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.with_received(|received| received.spans.clone())
    }

    /// The heads of all requests.
    pub(crate) fn headers(&self) -> String {
        self.with_received(|received| received.headers.clone())
    }

    /// All that was received, as it came.
    pub(crate) fn bodies(&self) -> Vec<u8> {
        self.with_received(|received| received.bodies.concat())
    }

    /// Waits for a span of this service and name.
    pub(crate) fn span(&self, service: &str, name: &str) -> Span {
        self.until(&format!("{service} exports {name}"), |span| {
            span.service == service && span.name == name
        })
    }

    /// Waits for the span of this service and name below another.
    pub(crate) fn below(&self, parent: &Span, service: &str, name: &str) -> Span {
        self.until(&format!("{service} exports {name} below {}", parent.name), |span| {
            span.service == service && span.name == name && span.is_below(parent)
        })
    }

    fn until(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        until(what, || self.spans().into_iter().find(&is_it))
    }

    /// The names of what is below a span, in the order of the alphabet.
    pub(crate) fn names_below(&self, parent: &Span) -> Vec<String> {
        let spans = self.spans().into_iter().filter(|span| span.is_below(parent));
        let mut names: Vec<String> = spans.map(|span| span.name).collect();
        names.sort();
        names
    }
}

fn answer(stream: &TcpStream, received: &Mutex<Received>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(text) = lower.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap_or(0);
            }
            head.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        assert!(head.starts_with("POST /v1/traces "), "{head}");
        let spans = if head.to_ascii_lowercase().contains("application/json") {
            of_json(&serde_json::from_slice(&body).expect("what is JSON is well formed"))
        } else {
            of_protobuf(ExportTraceServiceRequest::decode(&body[..]).expect("it is protobuf"))
        };
        let mut received = received.lock().expect("no holder panics");
        received.spans.extend(spans);
        received.bodies.push(body);
        received.headers.push_str(&head);
        drop(received);
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

fn text(value: Option<Any>) -> String {
    match value {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn pairs(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let value = |pair: KeyValue| (pair.key, text(pair.value.and_then(|value| value.value)));
    attributes.into_iter().map(value).collect()
}

fn of_protobuf(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut found = Vec::new();
    for of_resource in request.resource_spans {
        let resource = pairs(of_resource.resource.expect("there is a resource").attributes);
        let service =
            resource.iter().find(|(key, _)| key == "service.name").expect("it has a name");
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            assert!(span.trace_state.is_empty() && span.events.is_empty(), "{span:?}");
            found.push(Span {
                service: service.1.clone(),
                name: span.name,
                trace: hex::encode(span.trace_id),
                id: hex::encode(span.span_id),
                parent: hex::encode(span.parent_span_id),
                attributes: pairs(span.attributes),
            });
        }
    }
    found
}

fn of_json(request: &Value) -> Vec<Span> {
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let all = value.as_array().into_iter().flatten();
        all.map(|pair| (string(&pair["key"]), string(&pair["value"]["stringValue"]))).collect()
    };
    let of_resource = &request["resourceSpans"][0];
    let resource = pairs(&of_resource["resource"]["attributes"]);
    let service = resource.iter().find(|(key, _)| key == "service.name").expect("it has a name");
    let spans = of_resource["scopeSpans"][0]["spans"].as_array().expect("there are spans");
    let span = |span: &Value| Span {
        service: service.1.clone(),
        name: string(&span["name"]),
        trace: string(&span["traceId"]),
        id: string(&span["spanId"]),
        parent: string(&span["parentSpanId"]),
        attributes: pairs(&span["attributes"]),
    };
    spans.iter().map(span).collect()
}
