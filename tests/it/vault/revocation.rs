//! Tokens end before their time: by themselves, by their identifier, by their subject.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::service::{Reply, Vault};

/// Sends a form, as whoever the `Authorization` is.
async fn post(vault: &Vault, call: &str, authorization: Option<&str>, form: &str) -> Reply {
    let mut request = Request::post(format!("/api/v1/vault/tokens/{call}"))
        .header("content-type", "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    vault.send(request.body(Body::from(form.to_owned())).unwrap()).await
}

async fn introspect(vault: &Vault, token: &str) -> Value {
    let form = format!("token={token}&token_type_hint=access_token");
    let reply = post(vault, "introspect", Some(&vault.administrator()), &form).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn reads(vault: &Vault, token: &str) -> u16 {
    vault.read("dev/APP_DB_USER", token, &[]).await.status.as_u16()
}

async fn ask(vault: &Vault) -> Reply {
    vault.generate(json!({"environment": "dev", "key_pattern": "APP_*"})).await
}

#[tokio::test]
async fn an_administrator_ends_a_token_by_its_identifier_and_no_other() {
    let vault = Vault::start().await;
    let (one, other) = (ask(&vault).await.json(), ask(&vault).await.json());
    let token = |issued: &Value| issued["token"].as_str().unwrap().to_owned();
    let form = format!("jti={}", one["jti"].as_str().unwrap());
    assert_eq!(vault.revoke(&form).await.status, 200);
    assert_eq!(vault.read("dev/APP_DB_USER", &token(&one), &[]).await.problem(), "token-revoked");
    assert_eq!(reads(&vault, &token(&other)).await, 200);
    assert_eq!(introspect(&vault, &token(&one)).await, json!({"active": false}));
}

#[tokio::test]
async fn an_administrator_ends_all_tokens_of_a_subject_which_may_get_new_ones() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    assert_eq!(vault.revoke("subject=client:ci").await.status, 200);
    assert_eq!(reads(&vault, &token).await, 401);
    assert_eq!(ask(&vault).await.status, 200);
    assert_eq!(vault.revoke("subject=client:cd").await.status, 200);
}

#[tokio::test]
async fn a_blocked_subject_gets_no_tokens_until_that_is_taken_back() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    assert_eq!(vault.revoke("subject=client%3Aci&block=true").await.status, 200);
    assert_eq!(reads(&vault, &token).await, 401);
    let refused = ask(&vault).await;
    assert_eq!(refused.problem(), "subject-blocked");
    assert_eq!(refused.status, 403);
    assert_eq!(vault.revoke("subject=client:ci&block=false").await.status, 200);
    let new = vault.token("APP_*").await;
    assert_eq!(reads(&vault, &new).await, 200, "a token from after it is not of before");
    assert_eq!(reads(&vault, &token).await, 401, "what was revoked comes back to life");
}

#[tokio::test]
async fn who_is_no_administrator_ends_its_own_token_alone() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    for form in ["jti=00000000000000000000000000000000", "subject=client:ci"] {
        let anonymous = post(&vault, "revoke", None, form).await;
        assert_eq!(anonymous.problem(), "credentials-missing");
        let refused = post(&vault, "revoke", Some(&vault.basic()), form).await;
        assert_eq!(refused.problem(), "not-administrator");
        let by_token = post(&vault, "revoke", Some(&format!("Bearer {token}")), form).await;
        assert_eq!(by_token.problem(), "credentials-refused");
    }
    assert_eq!(reads(&vault, &token).await, 200);
    assert_eq!(post(&vault, "revoke", None, &format!("token={token}")).await.status, 200);
    assert_eq!(reads(&vault, &token).await, 401);
    let refused = post(&vault, "introspect", Some(&vault.basic()), &format!("token={token}")).await;
    assert_eq!(refused.problem(), "not-administrator");
}

#[tokio::test]
async fn a_form_that_does_not_say_one_thing_is_refused_without_its_words() {
    let vault = Vault::start().await;
    for form in [
        "",
        "token=a&jti=00000000000000000000000000000000",
        "jti=00000000000000000000000000000000&block=true",
        "token=a&token=b",
        "token=a&block=true",
        "subject=client:ci&block=perhaps",
        "subject=client:ci&blok=true",
        "tokne=eyJhbGciOiJIUzI1NiJ9",
    ] {
        let refused = vault.revoke(form).await;
        assert_eq!(refused.problem(), "invalid-request", "{form}");
        assert!(!refused.text.contains("eyJ"), "{refused:?}");
    }
    for form in ["jti=eyJhbGciOiJIUzI1NiJ9.e.s", "subject=ci"] {
        assert_eq!(vault.revoke(form).await.problem(), "invalid-name", "{form}");
    }
}

#[tokio::test]
async fn what_is_revoked_is_recorded_with_who_did_it_and_to_whom() {
    let vault = Vault::start().await;
    vault.revoke("subject=client:ci&block=true").await;
    let recorded = vault.audit().pop().unwrap();
    assert_eq!(recorded["event"], "revoke");
    assert_eq!(recorded["subject"], "client:ops");
    assert_eq!(recorded["reason"], "all tokens of client:ci, which gets no new ones");
    post(&vault, "revoke", Some(&vault.basic()), "subject=client:ci").await;
    let recorded = vault.audit().pop().unwrap();
    assert_eq!((&recorded["event"], &recorded["outcome"]), (&json!("revoke"), &json!("refused")));
}

#[tokio::test]
async fn introspection_tells_what_a_good_token_is_and_takes_no_use() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 2});
    let issued = vault.generate(body).await.json();
    let token = issued["token"].as_str().unwrap();
    for _ in 0..3 {
        let said = introspect(&vault, token).await;
        assert_eq!(said["active"], true);
        assert_eq!(said["scope"], "read");
        assert_eq!(said["sub"], "client:ci");
        assert_eq!(said["jti"], issued["jti"]);
        assert_eq!((&said["usage_limit"], &said["uses_left"]), (&json!(2), &json!(2)));
        assert_eq!(said["vanta_scope"]["key_pattern"], "APP_*");
    }
    assert_eq!(reads(&vault, token).await, 200);
    assert_eq!(introspect(&vault, token).await["uses_left"], 1);
    assert_eq!(reads(&vault, token).await, 200);
    assert_eq!(introspect(&vault, token).await, json!({"active": false}), "it is exhausted");
    assert_eq!(introspect(&vault, "a.b.c").await, json!({"active": false}));
}
