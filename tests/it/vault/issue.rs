//! Access tokens are issued within the grants, and to nobody else.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::program::{Program, Site, agent};
use crate::support::service::Vault;

fn for_app() -> Value {
    json!({"environment": "dev", "key_pattern": "APP_*"})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = for_app();
    body[name] = value;
    body
}

#[tokio::test]
async fn a_token_says_what_it_reaches_and_when_it_ends() {
    let vault = Vault::start().await;
    let answer = vault.generate(for_app()).await.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["subject"], "client:ci");
    assert_eq!(answer["scope"]["environment"], "dev");
    assert_eq!(answer["scope"]["key_pattern"], "APP_*");
    assert_eq!(answer["scope"]["permissions"], json!(["read"]));
    assert_eq!(answer["expires_in"], 60 * 60);
    assert_eq!(answer["usage_limit"], 1000);
    assert!(answer.get("clamped").is_none(), "{answer}");
}

#[tokio::test]
async fn what_is_asked_for_beyond_the_bounds_is_clamped_and_said() {
    let vault = Vault::start().await;
    let mut body = with("ttl_minutes", json!(6000));
    body["usage_limit"] = json!(5000);
    let answer = vault.generate(body).await.json();
    assert_eq!(answer["clamped"], json!(["ttl_minutes", "usage_limit"]));
    assert_eq!(answer["usage_limit"], 1000);
    assert_eq!(answer["expires_in"], 60 * 60);
}

#[tokio::test]
async fn what_is_asked_for_within_the_bounds_is_given() {
    let vault = Vault::start().await;
    let mut body = with("ttl_minutes", json!(2));
    body["usage_limit"] = json!(3);
    body["subject"] = json!("client:ci");
    let answer = vault.generate(body).await.json();
    assert_eq!((&answer["expires_in"], &answer["usage_limit"]), (&json!(120), &json!(3)));
    assert!(answer.get("clamped").is_none(), "{answer}");
}

#[tokio::test]
async fn each_wrong_request_is_refused_with_a_kind_of_its_own() {
    let vault = Vault::start().await;
    for (body, expected) in [
        (with("subject", json!("client:other")), "subject-mismatch"),
        (with("environment", json!("prod")), "not-granted"),
        (with("environment", json!("nowhere")), "not-granted"),
        (with("environment", json!("gone")), "environment-not-found"),
        (with("key_pattern", json!("smtp.host")), "not-granted"),
        (with("key_pattern", json!("**")), "invalid-request"),
        (with("environment", json!("../dev")), "invalid-request"),
        (with("ttl_minutes", json!(0)), "invalid-request"),
        (with("ttl_minutes", json!(-1)), "invalid-request"),
        (with("usage_limit", json!(0)), "invalid-request"),
        (with("usage_limit", json!("3")), "invalid-request"),
        (with("permissions", json!([])), "invalid-request"),
        (with("permissions", json!(["write"])), "invalid-request"),
        (with("surprise", json!(1)), "invalid-request"),
        (json!({"environment": "dev"}), "invalid-request"),
        (json!([]), "invalid-request"),
        (json!(["client:ci", "dev", "APP_*", 5, 5, ["read"]]), "invalid-request"),
    ] {
        let reply = vault.generate(body.clone()).await;
        assert_eq!(reply.problem(), expected, "{body}");
    }
}

#[tokio::test]
async fn list_is_not_given_where_only_read_is_granted() {
    let vault = Vault::start().await;
    let mut body = with("key_pattern", json!("GREETING"));
    assert_eq!(vault.generate(body.clone()).await.status, 200);
    body["permissions"] = json!(["read", "list"]);
    assert_eq!(vault.generate(body).await.problem(), "not-granted");
}

#[tokio::test]
async fn whoever_does_not_prove_an_identity_gets_no_token() {
    let vault = Vault::start().await;
    let basic = |text: &str| {
        use base64::Engine;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let token = vault.token("APP_*").await;
    for (authorization, expected) in [
        (None, "credentials-missing"),
        (Some("Digest x".to_owned()), "credentials-missing"),
        (Some("Basic".to_owned()), "invalid-request"),
        (Some("Basic %%%".to_owned()), "credentials-refused"),
        (Some(basic("ci")), "credentials-refused"),
        (Some(basic("ci:wrong")), "credentials-refused"),
        (Some(basic(&format!("ci:vanta_client_{}", "A".repeat(43)))), "credentials-refused"),
        (Some(basic("nobody:wrong")), "credentials-refused"),
        // An access token is no identity: it cannot be traded for another.
        (Some(format!("Bearer {token}")), "credentials-refused"),
    ] {
        let mut request = Request::post("/api/v1/vault/tokens/generate")
            .header("content-type", "application/json");
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let reply = vault.send(request.body(for_app().to_string().into()).unwrap()).await;
        assert_eq!(reply.problem(), expected, "{authorization:?}");
        assert_eq!(reply.status, if expected == "invalid-request" { 400 } else { 401 });
    }
}

#[tokio::test]
async fn before_the_grants_are_read_the_answer_is_503_and_never_403() {
    let vault = Vault::start_without_grants().await;
    let reply = vault.generate(for_app()).await;
    assert_eq!(reply.problem(), "grants-not-ready");
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "1"));
}

#[tokio::test]
async fn without_a_policy_around_it_an_access_gives_nothing() {
    let vault = Vault::start_without_grants().await;
    vault.grant(
        "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: app}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'APP_*'}
",
    );
    let reply = vault.generate(for_app()).await;
    assert_eq!(reply.problem(), "not-granted");
    assert!(
        reply.text.contains("no SecretPolicy allows what SecretAccess default/app"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let vault = Vault::start().await;
    let post = |media_type: &str, body: String| {
        Request::post("/api/v1/vault/tokens/generate")
            .header("authorization", vault.basic())
            .header("content-type", media_type)
            .body(Body::from(body))
            .unwrap()
    };
    let form = vault.send(post("text/plain", for_app().to_string())).await;
    assert_eq!(form.problem(), "unsupported-media-type");
    let large = vault.send(post("application/json", " ".repeat(64 * 1024 + 1))).await;
    assert_eq!(large.problem(), "body-too-large");
}

#[tokio::test]
async fn every_answer_is_kept_out_of_caches_and_names_its_request() {
    let vault = Vault::start().await;
    for reply in [
        vault.generate(for_app()).await,
        vault.generate(json!({})).await,
        vault.send(Request::get("/nowhere").body(Body::empty()).unwrap()).await,
        vault.send(Request::put("/api/v1/access").body(Body::empty()).unwrap()).await,
    ] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-request-id").len(), 32);
        if reply.status != 200 {
            assert_eq!(reply.json()["request_id"], reply.header("x-request-id"));
        }
    }
}

#[tokio::test]
async fn a_revoked_token_reads_nothing_and_revoking_again_is_no_error() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let other = vault.token("APP_*").await;
    let revoke = |token: &str| {
        Request::post("/api/v1/vault/tokens/revoke")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={token}")))
            .unwrap()
    };
    for _ in 0..2 {
        assert_eq!(vault.send(revoke(&token)).await.status, 200);
    }
    assert_eq!(vault.send(revoke("not-a-token")).await.status, 200);
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.problem(), "token-revoked");
    assert_eq!(vault.read("dev/APP_DB_USER", &other, &[]).await.status, 200);
}

#[tokio::test]
async fn the_use_of_a_revoked_token_is_recorded_whatever_else_is_tried() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let body = Body::from(format!("token={token}"));
    let revoke = Request::post("/api/v1/vault/tokens/revoke")
        .header("content-type", "application/x-www-form-urlencoded");
    vault.send(revoke.body(body).unwrap()).await;
    for _ in 0..50 {
        vault.read("dev/APP_DB_USER", "nonsense", &[]).await;
    }
    vault.read("dev/APP_DB_USER", &token, &[]).await;
    let line = vault.audit().pop().unwrap();
    assert_eq!((&line["subject"], &line["reason"]), (&json!("client:ci"), &json!("token-revoked")));
}

#[tokio::test]
async fn issue_and_refusal_are_in_the_audit_with_their_reasons() {
    let vault = Vault::start().await;
    vault.generate(for_app()).await;
    vault.generate(with("environment", json!("prod"))).await;
    let audit = vault.audit();
    assert_eq!(audit[0]["event"], "issue");
    assert_eq!(audit[0]["outcome"], "granted");
    assert_eq!(audit[0]["credential_id"], "first");
    assert_eq!(audit[0]["jti"].as_str().map(str::len), Some(32));
    assert_eq!(audit[1]["outcome"], "refused");
    assert!(audit[1]["reason"].as_str().unwrap().starts_with("not-granted: no SecretAccess"));
}

#[test]
fn who_asks_for_too_many_tokens_is_told_when_to_come_back_and_holds_back_nobody_else() {
    let site = Site::new();
    let mut command = site.command();
    command.env("VANTA_ISSUES_PER_MINUTE", "3");
    let vault = Program::start(command, "http");
    let ask = |client: &str| {
        let asked = agent()
            .post(format!("{}/api/v1/vault/tokens/generate", vault.api))
            .header("authorization", site.basic(client))
            .send_json(for_app());
        asked.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(ask("ci").status(), 200);
    }
    let mut refused = ask("ci");
    assert_eq!(refused.status(), 429);
    let pause: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&pause), "{pause}");
    let problem: Value = refused.body_mut().read_json().unwrap();
    assert_eq!(problem["type"], "https://vanta.dev/problems/issue-limited");
    assert_eq!(ask("ops").status(), 403, "it has no grant, and a place");
}
