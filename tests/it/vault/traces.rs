//! Requests are spans in their callers' traces, exported over OTLP, and nothing depends on whether
//! anybody takes them.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::collector::{Collector, Span};
use crate::support::program::{Program, Site, agent, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The vault, told to export there and without delay.
fn exporting(site: &Site, endpoint: &str) -> Command {
    let mut command = site.command();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    command
}

/// Reads in the trace above; gives the answer's request id.
fn read(vault: &Program, path: &str, token: &str) -> (u16, String) {
    let answer = agent()
        .get(format!("{}/api/v1/vault/{path}", vault.api))
        .header("authorization", format!("Bearer {token}"))
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("tracestate", "vendor=made-up-by-the-caller")
        .call()
        .expect("the vault answers");
    let id = answer.headers()["x-request-id"].to_str().expect("an id is text").to_owned();
    (answer.status().as_u16(), id)
}

fn of_request(collector: &Collector, id: &str) -> Span {
    until("the request's span is exported", || {
        let mut spans = collector.spans().into_iter();
        spans.find(|span| span.attribute("vanta.request_id") == Some(id))
    })
}

#[test]
fn a_request_is_a_span_in_its_callers_trace_and_its_parts_are_below_it() {
    let (site, collector) = (Site::new(), Collector::start());
    let mut command = exporting(&site, &collector.endpoint);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=of-the-headers");
    let vault = Program::start(command, "http");
    let limited = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 5});
    let token = vault.token_with(&site, &limited);

    let (status, id) = read(&vault, "dev/APP_DB_USER", &token);
    assert_eq!(status, 200);
    let span = of_request(&collector, &id);
    assert_eq!(span.service, "vanta-vault");
    assert_eq!(span.name, "GET /api/v1/vault/{environment}/{key}");
    assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, PARENT));
    assert_eq!(span.attribute("http.response.status_code"), Some("200"));
    assert_eq!(span.attribute("error.type"), None);
    for part in ["authenticate", "decide", "secrets.read", "state.take_use", "audit.append"] {
        collector.below(&span, "vanta-vault", part);
    }
    assert_eq!(collector.names_below(&span).len(), 5, "{:?}", collector.names_below(&span));

    let (status, id) = read(&vault, "prod/APP_DB_USER", &token);
    assert_eq!(status, 403);
    let span = of_request(&collector, &id);
    assert_eq!(span.attribute("error.type"), Some("out-of-scope"));

    // Who shows no trace begins one, which the log names.
    let span = collector.span("vanta-vault", "POST /api/v1/vault/tokens/generate");
    assert_eq!(span.parent, "");
    assert_eq!(
        collector.below(&span, "vanta-vault", "authenticate").attribute("vanta.method"),
        Some("client")
    );
    let log = vault.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said = lines.filter(|line| line["trace_id"] == span.trace.as_str());
    let said: Vec<Value> = said.collect();
    assert_eq!(said.len(), 1, "{log}");
    assert_eq!(said[0]["request_id"], span.attribute("vanta.request_id").unwrap());
    assert!(collector.headers().contains("x-tenant: of-the-headers"), "{}", collector.headers());
}

#[test]
fn what_a_caller_makes_up_is_in_no_span() {
    let (site, collector) = (Site::new(), Collector::start());
    let mut vault = Program::start(exporting(&site, &collector.endpoint), "http");
    let token = vault.token(&site, "*");
    let (_, id) = read(&vault, "dev/NO_SUCH_KEY?pattern=MADE_UP_PATTERN", &token);
    of_request(&collector, &id);
    let (_, id) = read(&vault, "dev/APP_DB_USER/made-up-path", &token);
    assert_eq!(of_request(&collector, &id).name, "GET none");
    let request = ureq::http::Request::builder().method("MADEUPMETHOD");
    let request = request.uri(format!("{}/api/v1/access", vault.api)).body(()).unwrap();
    let odd = ureq::Agent::config_builder().allow_non_standard_methods(true);
    let odd: ureq::Agent = odd.http_status_as_error(false).build().into();
    odd.run(request).expect("the vault answers");
    vault.signal(Signal::SIGTERM);
    assert!(vault.wait().success());
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "_OTHER /api/v1/access"), "{spans:#?}");
    let exported = String::from_utf8_lossy(&collector.bodies()).to_ascii_lowercase();
    for made_up in ["no_such_key", "made_up", "made-up", "madeup", "app_db_user", "client:", "eyj"]
    {
        assert!(!exported.contains(made_up), "{made_up} is exported");
    }
}

#[test]
fn no_trace_is_made_without_a_collector() {
    let site = Site::new();
    let vault = site.start();
    let token = vault.token(&site, "*");
    assert_eq!(read(&vault, "dev/APP_DB_USER", &token).0, 200);
    assert!(!vault.log().contains("trace_id"), "{}", vault.log());
}

#[test]
fn a_sampler_that_is_off_exports_nothing() {
    let (site, collector) = (Site::new(), Collector::start());
    let mut command = exporting(&site, &collector.endpoint);
    command.env("OTEL_TRACES_SAMPLER", "always_off");
    let mut vault = Program::start(command, "http");
    let token = vault.token(&site, "*");
    assert_eq!(read(&vault, "dev/APP_DB_USER", &token).0, 200);
    vault.signal(Signal::SIGTERM);
    assert!(vault.wait().success());
    assert!(collector.spans().is_empty());
}

#[test]
fn a_collector_that_is_away_or_hangs_changes_nothing_for_callers() {
    let hanging = Collector::that_hangs();
    // A port on which nobody listens any more.
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{away}"), hanging.endpoint.clone()] {
        let site = Site::new();
        let mut vault = Program::start(exporting(&site, &endpoint), "http");
        let token = vault.token(&site, "*");
        // More than may wait to be exported.
        for _ in 0..600 {
            assert_eq!(read(&vault, "dev/APP_DB_USER", &token).0, 200);
        }
        until("the log tells of it", || vault.log().contains("traces are lost").then_some(()));
        let told = Instant::now();
        vault.signal(Signal::SIGTERM);
        assert!(vault.wait().success());
        assert!(told.elapsed() < Duration::from_secs(20), "the end waits for nobody");
        assert_eq!(vault.log().matches("traces are lost").count(), 1, "it is said once");
    }
}

#[test]
fn what_cannot_be_exported_to_keeps_no_vault_from_serving() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
    ] {
        let site = Site::new();
        let mut command = exporting(&site, "http://127.0.0.1:1");
        command.env(name, value);
        let vault = Program::start(command, "http");
        assert!(vault.log().contains("no traces are exported"), "{}", vault.log());
        assert_eq!(read(&vault, "dev/APP_DB_USER", &vault.token(&site, "*")).0, 200);
    }
}
