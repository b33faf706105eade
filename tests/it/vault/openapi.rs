//! The OpenAPI document is as the code is, is served, and says what is answered.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use vanta::contract::api::problem::{MEDIA_TYPE, ProblemKind, TYPE_BASE};
use vanta::programs::vault::openapi_document;

use crate::support::program::Site;
use crate::support::raw::{get, status};
use crate::support::service::*;

const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

fn document() -> Value {
    serde_json::from_str(&openapi_document()).unwrap()
}

/// Each described operation: method, path and what it says.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let items = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, said)| (method.to_uppercase(), path.clone(), said.clone()))
    });
    items.collect()
}

#[test]
fn the_committed_document_is_as_the_code_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = std::fs::read_to_string(file).unwrap();
    assert!(committed == openapi_document(), "run `cargo run --bin generate`");
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let vault = Vault::start().await;
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let reply = vault.send(request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.json(), document());
    assert_eq!(document()["openapi"], "3.1.0");
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else() {
    let vault = Vault::start().await;
    let document = document();
    let described: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert!(described.len() > 8);
    for path in document["paths"].as_object().unwrap().keys() {
        let target = path.replace("{environment}", "dev").replace("{key}", "GREETING");
        for method in METHODS.map(str::to_uppercase) {
            let request = Request::builder().method(method.as_str()).uri(&target);
            let reply = vault.send(request.body(Body::empty()).unwrap()).await;
            let is_described = described.contains(&(method.clone(), path.clone()));
            // What is asked with HEAD is what GET is, where it is not refused.
            let read = method == "HEAD" && reply.status != 405;
            assert_eq!(reply.status != 405, is_described || read, "{method} {path}: {reply:?}");
            if reply.status == 405 {
                assert!(reply.headers.contains_key("allow"), "{method} {path}: {reply:?}");
            }
        }
    }
}

/// All statuses of problems that a document tells of, with their kinds.
fn problems(document: &Value) -> BTreeSet<(u64, String)> {
    let operations = operations(document);
    let inside = operations.iter().map(|(_, _, said)| &said["responses"]);
    let responses = inside.chain([&document["components"]["responses"]]);
    let responses = responses.flat_map(|responses| responses.as_object().unwrap().values());
    let narrowed = responses
        .map(|response| &response["content"][MEDIA_TYPE]["schema"]["allOf"][1]["properties"])
        .filter(|narrowed| !narrowed.is_null());
    let kinds = narrowed.flat_map(|narrowed| {
        let status = narrowed["status"]["enum"][0].as_u64().unwrap();
        let types = narrowed["type"]["enum"].as_array().unwrap().iter();
        types.map(move |kind| (status, kind.as_str().unwrap().to_owned()))
    });
    kinds.collect()
}

#[test]
fn every_kind_of_problem_is_described_with_its_status() {
    let document = document();
    let problems = problems(&document);
    for kind in ProblemKind::ALL {
        let described = (u64::from(kind.status()), format!("{TYPE_BASE}{}", kind.name()));
        assert!(problems.contains(&described), "no operation answers with {described:?}");
    }
    assert_eq!(problems.len(), ProblemKind::ALL.len());
}

#[test]
fn every_operation_has_a_name_of_its_own_credentials_and_an_answer() {
    let document = document();
    let operations = operations(&document);
    let names: BTreeSet<&str> =
        operations.iter().map(|(_, _, said)| said["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len());
    for (method, path, said) in &operations {
        assert!(said["security"].is_array(), "{method} {path} says nothing of credentials");
        assert!(said["responses"]["200"].is_object(), "{method} {path} has no answer");
        assert!(said["summary"].is_string(), "{method} {path} has no summary");
    }
}

/// Where each `$ref` below a value leads.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(to) if name == "$ref" => found.push(to),
                    _ => references(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_to_something() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for to in found {
        let pointer = to.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
    }
}

/// Asserts that an answer is one that the document tells of, for an operation or outside of them.
fn assert_described(document: &Value, responses: &str, reply: &Reply) {
    let status = reply.status.as_str();
    let responses = document.pointer(responses).expect("there are such responses");
    let named = responses.as_object().unwrap().iter();
    let kind = format!("{TYPE_BASE}{}", reply.problem());
    let tells = |response: &Value| {
        let narrowed = &response["content"][MEDIA_TYPE]["schema"]["allOf"][1]["properties"];
        let kinds = narrowed["type"]["enum"].as_array();
        narrowed["status"]["enum"][0] == reply.status.as_u16()
            && kinds.is_some_and(|kinds| kinds.iter().any(|told| *told == kind))
    };
    let Some((_, told)) = named.into_iter().find(|(_, response)| tells(response)) else {
        panic!("the document does not tell of {status} {kind}");
    };
    for header in told["headers"].as_object().unwrap().keys() {
        assert!(reply.headers.contains_key(header.as_str()), "{status} {kind} has no {header}");
    }
}

const GENERATE: &str = "/paths/~1api~1v1~1vault~1tokens~1generate/post/responses";
const READ: &str = "/paths/~1api~1v1~1vault~1{environment}~1{key}/get/responses";
const OUTSIDE: &str = "/components/responses";

#[tokio::test]
async fn what_is_refused_before_a_handler_is_as_described() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let document = document();
    let generate = "/api/v1/vault/tokens/generate";
    let basic = vault.basic();
    for (method, target, media_type, length, status, responses) in [
        ("POST", generate, "application/json", 65_537, 413, GENERATE),
        ("POST", generate, "text/plain", 2, 415, GENERATE),
        ("POST", generate, "", 2, 415, GENERATE),
        ("POST", generate, "application/json", 0, 400, GENERATE),
        ("GET", "/api/v1/vault/dev/APP_%ff", "", 0, 400, READ),
        ("GET", "/api/v1/vault/dev/APP_%2f", "", 0, 400, READ),
        ("GET", "/api/v1/vault/%00/APP_DB_USER", "", 0, 400, READ),
        ("GET", "/api/v1/vault/dev/APP_DB_USER", "", 65_537, 413, READ),
        ("HEAD", "/api/v1/vault/dev/APP_DB_USER", "", 0, 405, OUTSIDE),
        ("PUT", "/api/v1/vault/dev/APP_DB_USER", "", 0, 405, OUTSIDE),
        ("GET", generate, "", 0, 405, OUTSIDE),
        ("BREW", "/api/v1/access", "", 0, 405, OUTSIDE),
        ("GET", "/api/v1/vault/dev/APP_DB_USER/", "", 0, 404, OUTSIDE),
        ("GET", "/api/v2/access", "", 0, 404, OUTSIDE),
        ("POST", "/", "text/plain", 1, 404, OUTSIDE),
    ] {
        let bearer = format!("Bearer {token}");
        let shown = if target == generate { &basic } else { &bearer };
        let mut request =
            Request::builder().method(method).uri(target).header("authorization", shown);
        if !media_type.is_empty() {
            request = request.header("content-type", media_type);
        }
        let reply = vault.send(request.body(Body::from("x".repeat(length))).unwrap()).await;
        assert_eq!(reply.status, status, "{method} {target}: {reply:?}");
        // An answer to HEAD has no body that could say more.
        if method != "HEAD" {
            assert_described(&document, responses, &reply);
        }
    }
}

#[test]
fn what_is_no_request_yet_is_refused_without_a_body_as_described() {
    let document = document();
    let said = document["info"]["description"].as_str().unwrap();
    let site = Site::new();
    let vault = site.start();
    let long = "x".repeat(100_000);
    for (target, headers, expected) in [
        // Which of both it is depends on how much of it came at once.
        (format!("/api/v1/access?names={long}"), String::new(), &[414, 431][..]),
        ("/api/v1/access".to_owned(), format!("x: {long}\r\n"), &[431]),
    ] {
        let answer = get(&vault, target.as_bytes(), &headers);
        // The vault may close before all is written, and its answer be lost with the connection.
        assert!(answer.is_empty() || expected.contains(&status(&answer)), "{answer}");
        assert!(answer.is_empty() || answer.ends_with("\r\n\r\n"), "there is a body: {answer}");
        for status in expected {
            assert!(said.contains(&status.to_string()), "the document says nothing of {status}");
        }
    }
}
