//! Who holds what at which revision.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::service::{GRANTS, Reply, Vault};

async fn holders(vault: &Vault, authorization: &str, query: &str) -> Reply {
    let request = Request::get(format!("/api/v1/access/holders{query}"));
    let request = request.header("authorization", authorization);
    vault.send(request.body(Body::empty()).unwrap()).await
}

async fn list(vault: &Vault, query: &str) -> Vec<Value> {
    let reply = holders(vault, &vault.administrator(), query).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["holders"].as_array().unwrap().clone()
}

/// A vault from which the client `ci` has two values, and then one of them again.
async fn read_from() -> Vault {
    let vault = Vault::start().await;
    let token = vault.token("APP_DB_*").await;
    assert_eq!(vault.read("dev?values=true", &token, &[]).await.status, 200);
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, 200);
    vault
}

#[tokio::test]
async fn who_was_given_values_is_told_with_the_revision_and_never_a_value() {
    let vault = read_from().await;
    let found = list(&vault, "").await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["scope"], "APP_DB_USER");
    assert_eq!(found[0]["keys"], json!(["APP_DB_USER"]));
    assert_eq!(found[1]["scope"], "*");
    assert_eq!(found[1]["keys"], json!(["APP_DB_PASSWORD"]));
    assert_eq!(found[1]["given_again"], json!(["APP_DB_USER"]));
    for holder in &found {
        assert_eq!((&holder["subject"], &holder["current"]), (&json!("client:ci"), &json!(true)));
        assert_eq!(holder["revision"].as_str().unwrap().len(), 32);
    }
    let recorded = vault.audit().pop().unwrap();
    assert_eq!(
        (&recorded["event"], &recorded["subject"]),
        (&json!("holders"), &json!("client:ops"))
    );
}

#[tokio::test]
async fn holders_are_found_by_environment_key_and_subject() {
    let vault = read_from().await;
    for (query, expected) in [
        ("?environment=dev", 2),
        ("?environment=prod", 0),
        ("?key=APP_DB_PASSWORD", 1),
        ("?key=APP_DB_USER&subject=client:ci", 1),
        ("?subject=client:cd", 0),
        ("?limit=1", 1),
    ] {
        assert_eq!(list(&vault, query).await.len(), expected, "{query}");
    }
    assert_eq!(holders(&vault, &vault.administrator(), "?limit=1").await.json()["more"], true);
}

#[tokio::test]
async fn who_holds_what_has_changed_or_may_no_longer_be_read_is_behind() {
    let vault = read_from().await;
    let current = |found: &[Value]| found.iter().filter(|it| it["current"] == true).count();
    vault.grant(&GRANTS.replace("keyPattern: 'APP_*'", "keyPattern: 'APP_DB_USER'"));
    assert_eq!(current(&list(&vault, "").await), 1, "the grant of the password is withdrawn");
    vault.grant(GRANTS);
    assert_eq!(current(&list(&vault, "").await), 2);
    let rotated = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops/dev-rotated.enc.yaml");
    vault.put("dev", rotated.as_ref());
    let found = list(&vault, "").await;
    assert_eq!(current(&found), 1, "one value of two has changed: {found:?}");
    vault.remove("dev");
    assert_eq!(current(&list(&vault, "").await), 0);
}

#[tokio::test]
async fn who_was_given_nothing_or_names_no_revision_that_it_has_holds_nothing() {
    let vault = Vault::start().await;
    let token = vault.token("APP_DB_*").await;
    for pattern in ["NONE_*", "APP_API_*", "X"] {
        let path = format!("dev?values=true&pattern={pattern}");
        assert_eq!(vault.read(&path, &token, &[]).await.json()["values"], json!({}));
    }
    for path in ["dev/APP_DB_USER", "dev?values=true"] {
        let reply = vault.read(path, &token, &[("if-none-match", "*")]).await;
        assert_eq!(reply.status, 304);
        assert_eq!(vault.audit().pop().unwrap()["outcome"], "not-modified");
    }
    assert_eq!(list(&vault, "").await, [] as [Value; 0]);
    let given = vault.read("dev/APP_DB_USER", &token, &[]).await;
    let tags = format!("*, {}", given.header("etag"));
    let reply = vault.read("dev/APP_DB_USER", &token, &[("if-none-match", &tags)]).await;
    assert_eq!(reply.status, 304);
    let (recorded, found) = (vault.audit().pop().unwrap(), list(&vault, "").await);
    assert_eq!((found.len(), &found[0]["time"]), (1, &recorded["time"]));
}

#[tokio::test]
async fn what_a_caller_holds_is_not_hidden_by_how_it_asks_afterwards() {
    let vault = read_from().await;
    let narrow = vault.token("APP_DB_USER").await;
    for number in 0..20 {
        let path = format!("dev?values=true&pattern=APP_DB_USE[R{number}]");
        assert_eq!(vault.read(&path, &narrow, &[]).await.status, 200);
    }
    assert_eq!(vault.read("dev?values=true", &narrow, &[]).await.status, 200);
    assert_eq!(list(&vault, "?key=APP_DB_PASSWORD").await[0]["scope"], "*");
    assert_eq!(list(&vault, "").await.len(), 2);
}

#[tokio::test]
async fn administrators_alone_are_told_and_a_bad_question_is_refused() {
    let vault = read_from().await;
    assert_eq!(holders(&vault, &vault.basic(), "").await.problem(), "not-administrator");
    for bad in ["?limit=0", "?limit=1001", "?limit=a", "?what=1", "?key=A&key=B"] {
        let refused = holders(&vault, &vault.administrator(), bad).await;
        assert_eq!(refused.problem(), "invalid-request", "{bad}");
    }
    let refused = holders(&vault, &vault.administrator(), "?key=../x").await;
    assert_eq!(refused.problem(), "invalid-name");
}
