//! The audit as administrators ask for it, and its signed heads.

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use vanta::adapters::audit::{Checkpointer, Checkpoints};
use vanta::domain::chain::{Place, Verifier};
use vanta::domain::checkpoint::Checkpoint;

use crate::support::service::{Reply, Vault};

async fn ask(vault: &Vault, path: &str, authorization: &str) -> Reply {
    let request =
        Request::get(format!("/api/v1/audit{path}")).header("authorization", authorization);
    vault.send(request.body(Body::empty()).expect("a request")).await
}

async fn ask_as_administrator(vault: &Vault, path: &str) -> Value {
    let reply = ask(vault, path, &vault.administrator()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// A vault of which some values were read.
async fn used() -> Vault {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    for key in ["APP_DB_USER", "APP_DB_PASSWORD", "GREETING", "APP_DB_USER"] {
        vault.read(&format!("dev/{key}"), &token, &[]).await;
    }
    vault
}

fn of<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    let entries = page["entries"].as_array().expect("there is a list");
    entries.iter().map(|entry| entry[field].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn only_administrators_read_the_audit_and_asking_is_recorded() {
    let vault = used().await;
    for path in ["", "/checkpoints"] {
        let refused = ask(&vault, path, &vault.basic()).await;
        assert_eq!(refused.status, 403);
        assert_eq!(refused.problem(), "not-administrator");
        assert_eq!(ask(&vault, path, "Basic x").await.status, 401);
    }
    ask_as_administrator(&vault, "?environment=dev&key=GREETING&limit=7").await;
    let recorded = vault.audit();
    let last = recorded.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"query".into(), &"granted".into()));
    assert_eq!(last["subject"], "client:ops");
    assert_eq!(last["reason"], "asked for environment=dev&key=GREETING&limit=7");
    // The two refusals are alike: the second is told of later.
    vault.service.tell_of_all_repeats().await;
    let recorded = vault.audit();
    let refusals = recorded.iter().filter(|entry| entry["event"] == "query");
    let refusals = refusals.filter(|entry| entry["outcome"] == "refused");
    assert_eq!(
        refusals.map(|entry| entry["subject"].as_str()).collect::<Vec<_>>(),
        [Some("client:ci"), Some("client:ci")]
    );
}

#[tokio::test]
async fn a_loop_of_refusals_that_are_alike_does_not_fill_the_audit_and_each_is_counted() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let before = vault.audit().len();
    for _ in 0..20 {
        assert_eq!(vault.read("dev/GREETING", &token, &[]).await.status, 403);
    }
    assert_eq!(vault.read("dev/ANOTHER", &token, &[]).await.status, 403);
    let keys = |entries: &[Value]| {
        let keys = entries.iter().map(|entry| entry["keys"][0].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(&vault.audit()[before..]), ["GREETING", "ANOTHER"]);
    vault.service.tell_of_all_repeats().await;
    let recorded = &vault.audit()[before..];
    assert_eq!(keys(recorded), ["GREETING", "ANOTHER", "GREETING"]);
    let told: Vec<_> = recorded.iter().map(|entry| entry["left_out"].as_u64()).collect();
    assert_eq!(told, [None, None, Some(18)]);
    // The one that tells of the others is the last of them.
    assert_ne!(recorded[2]["request_id"], recorded[0]["request_id"]);
}

#[tokio::test]
async fn each_answer_with_a_value_is_recorded_however_often_it_is_asked_for() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let before = vault.audit().len();
    let known = vault.read("dev/APP_DB_USER", &token, &[]).await.header("etag").to_owned();
    for _ in 0..10 {
        assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, 200);
        let again = vault.read("dev/APP_DB_USER", &token, &[("if-none-match", &known)]).await;
        assert_eq!(again.status, 304);
    }
    let recorded = &vault.audit()[before..];
    assert_eq!(recorded.len(), 21);
    assert!(recorded.iter().all(|entry| entry.get("left_out").is_none()));
}

#[tokio::test]
async fn entries_are_found_by_what_they_are_of_and_come_page_by_page() {
    let vault = used().await;
    let all = ask_as_administrator(&vault, "").await;
    assert_eq!(of(&all, "event"), ["read", "read", "read", "read", "issue"]);
    assert_eq!(all.get("next"), None);
    let oldest = ask_as_administrator(&vault, "?order=oldest&event=read").await;
    assert_eq!(of(&oldest, "outcome"), ["granted", "granted", "refused", "granted"]);
    let of_key = ask_as_administrator(&vault, "?key=APP_DB_USER&outcome=granted").await;
    assert_eq!(of_key["entries"].as_array().unwrap().len(), 2);

    let first = ask_as_administrator(&vault, "?order=oldest&limit=2").await;
    assert_eq!(of(&first, "event"), ["issue", "read"]);
    let next = format!("?order=oldest&limit=2&cursor={}", first["next"]);
    let second = ask_as_administrator(&vault, &next).await;
    assert_eq!(of(&second, "outcome"), ["granted", "refused"]);
    let id = second["entries"][1]["request_id"].as_str().unwrap();
    let of_request = ask_as_administrator(&vault, &format!("?request_id={id}")).await;
    assert_eq!(of_request["entries"], Value::from(vec![second["entries"][1].clone()]));
    let time = second["entries"][1]["time"].as_str().unwrap();
    let until = ask_as_administrator(&vault, &format!("?until={time}")).await;
    assert_eq!(until["entries"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_and_no_secret_is_recorded() {
    let vault = used().await;
    let secret = "vanta_client_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    for query in [
        "?limit=0",
        "?limit=1001",
        "?since=yesterday",
        "?event=theft",
        "?outcome=x",
        "?order=sideways",
        "?jti=1",
        "?subject=ci",
        "?nonsense=1",
        "?cursor=-1",
        "?replica=%0a",
        &format!("?replica={secret}"),
        &format!("?key={secret}"),
        &format!("?request_id={secret}"),
    ] {
        let reply = ask(&vault, query, &vault.administrator()).await;
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
    }
    assert!(vault.audit().iter().all(|entry| !entry.to_string().contains(secret)));
}

#[tokio::test]
async fn the_exact_lines_and_the_signed_heads_verify() {
    let vault = used().await;
    let mut checkpointer = Checkpointer::new(vault.service.audit(), &vault.state.audit_key());
    let signed = checkpointer.now().expect("there are entries");
    vault.state.store_checkpoint(&signed).await.unwrap();
    let lines = ask(&vault, "?format=lines&order=oldest", &vault.administrator()).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.header("vanta-last-cursor"), "5");
    let answer = ask_as_administrator(&vault, "/checkpoints").await;
    let key = answer["public_key"].as_str().unwrap().parse().unwrap();
    let mut known = Checkpoints::default();
    for checkpoint in answer["checkpoints"].as_array().unwrap() {
        let checkpoint: Checkpoint = serde_json::from_value(checkpoint.clone()).unwrap();
        known.take(checkpoint, std::slice::from_ref(&key), None);
    }
    assert_eq!((known.good, &known.findings), (vec![signed.clone()], &vec![]));
    let mut verifier = Verifier::new([signed]);
    for (number, line) in (1..).zip(lines.text.lines()) {
        verifier.line(&Place { file: "api".into(), line: number }, line);
    }
    let report = verifier.finish();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.chains[0].signed_through, Some(5));
}

#[tokio::test]
async fn the_signed_heads_are_read_page_by_page() {
    let vault = used().await;
    let mut checkpointer = Checkpointer::new(vault.service.audit(), &vault.state.audit_key());
    for _ in 0..5 {
        vault.token("APP_*").await;
        let signed = checkpointer.now().expect("the head moved");
        vault.state.store_checkpoint(&signed).await.unwrap();
    }
    let mut found = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = ask_as_administrator(&vault, &format!("/checkpoints{query}")).await;
        let heads = page["checkpoints"].as_array().unwrap();
        assert!(heads.len() <= 2);
        found.extend(heads.iter().map(|head| head["sequence"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(found.len(), 5);
    assert!(found.is_sorted());
    for wrong in ["?limit=0", "?limit=5001", "?cursor=1", "?cursor=", "?nonsense=1"] {
        let reply = ask(&vault, &format!("/checkpoints{wrong}"), &vault.administrator()).await;
        assert_eq!(reply.problem(), "invalid-request", "{wrong}");
    }
}
