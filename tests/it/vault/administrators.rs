//! Who is an administrator: clients that are flagged, and whom the cluster's rules say.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::response::IntoResponse;
use serde_json::json;
use vanta::domain::administration::Administration;

use crate::support::fake_cluster::{FakeCluster, Mood};
use crate::support::service::Vault;

/// The status that somebody gets who wants to administer with this `Authorization`.
async fn asked(vault: &Vault, authorization: &str, what: Administration) -> u16 {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", authorization.parse().expect("it is a header"));
    let allowed = match vault.service.identify(&headers).await {
        Ok(identity) => vault.service.require_administrator(&identity, what).await,
        Err(error) => Err(error),
    };
    allowed.err().map_or(200, |error| error.into_response().status().as_u16())
}

#[tokio::test]
async fn a_client_is_an_administrator_where_its_entry_says_so() {
    let vault = Vault::start().await;
    for what in Administration::ALL {
        assert_eq!(asked(&vault, &vault.administrator(), what).await, 200, "{what}");
        assert_eq!(asked(&vault, &vault.basic(), what).await, 403, "{what}");
    }
}

#[tokio::test]
async fn a_flagged_client_is_one_in_a_cluster_too_and_the_cluster_is_not_asked() {
    let cluster = FakeCluster::start();
    let vault = Vault::start_in(&cluster).await;
    assert_eq!(asked(&vault, &vault.administrator(), Administration::Explain).await, 200);
    assert_eq!(asked(&vault, &vault.basic(), Administration::Explain).await, 403);
    assert_eq!(cluster.access_reviews(), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_service_account_may_what_the_clusters_rules_allow_and_no_more() {
    let cluster = FakeCluster::start();
    let vault = Vault::start_in(&cluster).await;
    let token = format!("Bearer {}", cluster.account_token("ops:admin", &json!({})));
    let user = "system:serviceaccount:ops:admin";
    let all = [
        (Administration::RevokeTokens, "revoke tokens"),
        (Administration::IntrospectTokens, "introspect tokens"),
        (Administration::Explain, "explain access"),
        (Administration::ListHolders, "list access"),
        (Administration::ReadAudit, "get audits"),
    ];
    for (allowed, rule) in all {
        cluster.allow(&[&format!("{user} {rule}")]);
        for (what, _) in all {
            let expected = if what == allowed { 200 } else { 403 };
            assert_eq!(asked(&vault, &token, what).await, expected, "{rule}: {what}");
        }
    }
}

#[tokio::test]
async fn the_api_server_is_told_all_that_it_said_of_the_caller() {
    let cluster = FakeCluster::start();
    let vault = Vault::start_in(&cluster).await;
    let extra = json!({
        "authentication.kubernetes.io/pod-name": ["p"],
        "authentication.kubernetes.io/pod-uid": ["u"],
    });
    let token = format!("Bearer {}", cluster.account_token("ops:admin", &extra));
    asked(&vault, &token, Administration::ReadAudit).await;
    let spec = json!({
        "user": "system:serviceaccount:ops:admin",
        "uid": "account-uid",
        "groups": ["system:serviceaccounts"],
        "extra": extra,
        "resourceAttributes": {
            "group": "vanta.dev", "version": "v1alpha1", "resource": "audits", "verb": "get",
        },
    });
    assert_eq!(cluster.access_reviews(), [spec]);
}

#[tokio::test]
async fn no_answer_is_kept() {
    let cluster = FakeCluster::start();
    let vault = Vault::start_in(&cluster).await;
    let token = format!("Bearer {}", cluster.account_token("ops:admin", &json!({})));
    cluster.allow(&["system:serviceaccount:ops:admin get audits"]);
    assert_eq!(asked(&vault, &token, Administration::ReadAudit).await, 200);
    cluster.allow(&[]);
    assert_eq!(asked(&vault, &token, Administration::ReadAudit).await, 403);
}

#[tokio::test]
async fn while_the_api_server_is_away_nobody_of_the_cluster_is_one() {
    let cluster = FakeCluster::start();
    let vault = Vault::start_in(&cluster).await;
    let mut headers = HeaderMap::new();
    let token = format!("Bearer {}", cluster.account_token("ops:admin", &json!({})));
    headers.insert("authorization", token.parse().unwrap());
    let identity = vault.service.identify(&headers).await.unwrap();
    cluster.allow(&["system:serviceaccount:ops:admin get audits"]);
    cluster.feel(Mood::Away);
    let refused = vault.service.require_administrator(&identity, Administration::ReadAudit).await;
    let refused = refused.unwrap_err().into_response();
    assert_eq!(refused.status(), 503);
    let client = asked(&vault, &vault.administrator(), Administration::ReadAudit).await;
    assert_eq!(client, 200, "a client needs no API server");
}

#[tokio::test]
async fn an_access_token_is_no_administrators_proof() {
    let cluster = FakeCluster::start();
    let vaults = [Vault::start().await, Vault::start_in(&cluster).await];
    for vault in vaults {
        let token = vault.token("APP_*").await;
        let bearer = format!("Bearer {token}");
        assert_eq!(asked(&vault, &bearer, Administration::Explain).await, 401);
        assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, 200);
    }
}

#[tokio::test]
async fn an_administrator_has_no_grants_by_that() {
    let vault = Vault::start().await;
    let request = Request::post("/api/v1/vault/tokens/generate")
        .header("authorization", vault.administrator())
        .header("content-type", "application/json");
    let body = json!({"environment": "dev", "key_pattern": "APP_*"}).to_string();
    let reply = vault.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(reply.problem(), "not-granted");
}
