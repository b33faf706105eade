//! A caller learns what it may have now.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::service::{GRANTS, Reply, Vault};

async fn access(vault: &Vault, query: &str) -> Reply {
    let request = Request::get(format!("/api/v1/access{query}"));
    let request = request.header("authorization", vault.basic());
    vault.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_caller_sees_its_own_grants_with_their_bounds() {
    let vault = Vault::start().await;
    let list = access(&vault, "").await.json();
    assert_eq!(list["subject"], "client:ci");
    let app = &list["access"][0];
    assert_eq!(app["name"], "app");
    assert_eq!(app["key_pattern"], "APP_*");
    assert_eq!(app["permissions"], json!(["read", "list"]));
    assert_eq!(app["usage_limit"], 1000);
    assert_eq!(app["revision"].as_str().map(str::len), Some(32));
    assert_eq!(list["missing"], json!([]));
}

#[tokio::test]
async fn what_was_asked_for_and_gives_nothing_says_why() {
    let vault = Vault::start_without_grants().await;
    let start = GRANTS.find("---\napiVersion: vanta.dev/v1alpha1\nkind: SecretPolicy").unwrap();
    vault.grant(&GRANTS[..start]);
    let list = access(&vault, "?names=app,nothing").await.json();
    assert_eq!(list["access"], json!([]));
    let reasons: Vec<&str> = list["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "no SecretPolicy covers environment dev, keys APP_* for client:ci in namespace default",
            "there is no SecretAccess nothing for client:ci",
        ]
    );
}

#[tokio::test]
async fn a_caller_without_proof_sees_nothing() {
    let vault = Vault::start().await;
    let reply = vault.send(Request::get("/api/v1/access").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.problem(), "credentials-missing");
    assert!(reply.header("www-authenticate").starts_with("Basic "));
}
