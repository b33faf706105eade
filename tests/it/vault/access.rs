//! A caller learns what it may have now.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::watch::fixture;
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
    let missing = list["missing"].as_array().unwrap().iter();
    let said: Vec<(&str, &str)> = missing
        .map(|one| (one["kind"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            (
                "no-policy",
                "no SecretPolicy covers environment dev, keys APP_* for client:ci in namespace default",
            ),
            ("absent", "there is no SecretAccess nothing for client:ci"),
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

/// Grants that overlap: what one asks for, another's policy allows, and some of it only in part.
const OVERLAPPING: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: app}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'APP_*'}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: all}
spec: {subject: {client: ci}, environment: dev, keyPattern: '*'}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: users}
spec: {subject: {client: ci}, environment: dev, keyPattern: '*_USER', permissions: [read, list]}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: database}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: ['APP_DB_*', 'smtp.*']
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: values}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: [APP_API_URL]
  permissions: [read]
";

/// Each grant's revision, of which each is the ETag of all its values.
async fn revisions(vault: &Vault) -> Vec<String> {
    let list = access(vault, "").await.json();
    let mut revisions = Vec::new();
    for one in list["access"].as_array().unwrap() {
        let token = vault
            .token_with(json!({
                "environment": one["environment"],
                "key_pattern": one["key_pattern"],
                "permissions": one["permissions"],
            }))
            .await;
        let reply = vault.read("dev?values=true", &token, &[]).await;
        let revision = one["revision"].as_str().unwrap();
        assert_eq!(reply.header("etag"), format!("\"{revision}\""), "{one}: {}", reply.text);
        revisions.push(revision.to_owned());
    }
    revisions
}

#[tokio::test]
async fn a_grants_revision_is_the_etag_of_all_its_values() {
    let vault = Vault::start_without_grants().await;
    vault.grant(OVERLAPPING);
    let before = revisions(&vault).await;
    assert_eq!(before.len(), 3);
    vault.put("dev", &fixture("dev-elsewhere"));
    let elsewhere = revisions(&vault).await;
    // In order of their names: all, app, users.
    assert_ne!(before[0], elsewhere[0]);
    assert_eq!(before[1..], elsewhere[1..]);
    vault.put("dev", &fixture("dev-rotated"));
    let rotated = revisions(&vault).await;
    assert_ne!(rotated[1], before[1]);
    assert_eq!(rotated[2], before[2]);
}

#[tokio::test]
async fn what_another_grant_opens_within_the_pattern_is_in_the_revision_too() {
    let vault = Vault::start_without_grants().await;
    // The policy is around `narrow` alone, and the token for `wide`'s pattern reads its keys too.
    vault.grant(
        "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: wide}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'APP_*'}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: narrow, namespace: other}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'APP_DB_*'}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: wide}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: [APP_API_URL]
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: narrow}
spec:
  subjects: [{namespace: other, clients: [ci]}]
  environment: dev
  keyPatterns: ['*']
",
    );
    assert_eq!(revisions(&vault).await.len(), 2);
}
