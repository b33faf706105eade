//! Values and names are read within a token's scope and the grants of the moment.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::service::{GRANTS, GREETING, Vault};

#[tokio::test]
async fn a_value_comes_as_it_is_or_as_json_where_that_is_asked_for() {
    let vault = Vault::start().await;
    let token = vault.token_with(json!({"environment": "dev", "key_pattern": "GREETING"})).await;
    let plain = vault.read("dev/GREETING", &token, &[]).await;
    assert_eq!((plain.status.as_u16(), plain.text.as_str()), (200, GREETING));
    assert_eq!(plain.header("content-type"), "text/plain; charset=utf-8");
    let as_json = vault.read("dev/GREETING", &token, &[("accept", "application/json")]).await;
    let expected = json!({"environment": "dev", "key": "GREETING", "value": GREETING});
    assert_eq!(as_json.json(), expected);
}

#[tokio::test]
async fn whoever_has_a_revision_already_gets_304_which_is_audited_and_takes_no_use() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key_pattern": "APP_DB_USER", "usage_limit": 2});
    let token = vault.token_with(body).await;
    let etag = vault.read("dev/APP_DB_USER", &token, &[]).await.header("etag").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let reply = vault.read("dev/APP_DB_USER", &token, &[("if-none-match", &known)]).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (304, ""));
    }
    assert_eq!(vault.audit().last().unwrap()["outcome"], "not-modified");
    assert_eq!(
        vault.read("dev/APP_DB_USER", &token, &[("if-none-match", "\"x\"")]).await.status,
        200
    );
    let spent = vault.read("dev/APP_DB_USER", &token, &[("if-none-match", &etag)]).await;
    assert_eq!(spent.problem(), "token-exhausted");
}

#[tokio::test]
async fn out_of_scope_is_the_same_answer_whether_or_not_there_is_such_a_key() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let mut answers = Vec::new();
    for path in
        ["dev/GREETING", "dev/NO_SUCH_KEY", "prod/APP_DB_USER", "nowhere/APP_DB_USER", "prod"]
    {
        let reply = vault.read(path, &token, &[]).await;
        assert_eq!(reply.problem(), "out-of-scope", "{path}");
        assert!(reply.header("www-authenticate").contains("insufficient_scope"));
        let mut problem = reply.json();
        problem["request_id"].take();
        answers.push(problem);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_missing_key_or_environment_in_scope_is_404() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    assert_eq!(vault.read("dev/APP_NONE", &token, &[]).await.problem(), "key-not-found");
    let gone = json!({"environment": "gone", "key_pattern": "*"});
    assert_eq!(vault.generate(gone).await.problem(), "environment-not-found");
}

#[tokio::test]
async fn names_are_those_in_scope_and_never_a_value() {
    let vault = Vault::start().await;
    let token = vault.token("*").await;
    let reply = vault.read("dev", &token, &[]).await;
    let keys = json!(["APP_API_URL", "APP_DB_PASSWORD", "APP_DB_USER"]);
    assert_eq!(reply.json(), json!({"environment": "dev", "keys": keys}));
    let narrowed = vault.read("dev?pattern=*_USER", &token, &[]).await;
    assert_eq!(narrowed.json()["keys"], json!(["APP_DB_USER"]));
    let reading = vault.token_with(json!({"environment": "dev", "key_pattern": "APP_*"})).await;
    assert_eq!(vault.read("dev", &reading, &[]).await.problem(), "out-of-scope");
}

#[tokio::test]
async fn all_values_in_scope_come_in_one_answer_for_one_use() {
    let vault = Vault::start().await;
    let body = json!({
        "environment": "dev", "key_pattern": "APP_*", "permissions": ["read", "list"], "usage_limit": 1,
    });
    let token = vault.token_with(body).await;
    let reply = vault.read("dev?values=true", &token, &[]).await;
    let values = reply.json()["values"].clone();
    assert_eq!(values.as_object().unwrap().len(), 3);
    assert_eq!(values["APP_DB_USER"], "app");
    let line = vault.audit().pop().unwrap();
    assert_eq!(line["keys"], json!(["APP_API_URL", "APP_DB_PASSWORD", "APP_DB_USER"]));
    let again = vault.read("dev?values=true", &token, &[]).await;
    assert_eq!(again.problem(), "token-exhausted");
}

#[tokio::test]
async fn all_values_come_as_dotenv_where_that_is_asked_for() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let reply = vault
        .read("dev?values=true&pattern=APP_DB_USER", &token, &[("accept", "text/plain")])
        .await;
    assert_eq!(reply.text, "APP_DB_USER='app'\n");
}

#[tokio::test]
async fn without_the_right_permissions_there_are_no_values_at_once() {
    let vault = Vault::start().await;
    for permissions in [json!(["read"]), json!(["list"])] {
        let body =
            json!({"environment": "dev", "key_pattern": "APP_*", "permissions": permissions});
        let token = vault.token_with(body).await;
        assert_eq!(vault.read("dev?values=true", &token, &[]).await.problem(), "out-of-scope");
    }
}

#[tokio::test]
async fn a_grant_that_is_withdrawn_stops_a_live_token_at_once() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, 200);
    vault.grant(&GRANTS.replace("keyPattern: 'APP_*'", "keyPattern: APP_OTHER"));
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.problem(), "out-of-scope");
    assert_eq!(vault.read("dev?values=true", &token, &[]).await.json()["values"], json!({}));
    vault.grant("");
    assert_eq!(vault.read("dev?values=true", &token, &[]).await.problem(), "out-of-scope");
}

#[tokio::test]
async fn a_wide_token_does_not_grow_with_later_grants() {
    let vault = Vault::start().await;
    let token = vault.token("*").await;
    vault.grant(&GRANTS.replace("'APP_*'", "'*'"));
    assert_eq!(vault.read("dev/smtp.host", &token, &[]).await.problem(), "out-of-scope");
    let later = vault.token("*").await;
    assert_eq!(vault.read("dev/smtp.host", &later, &[]).await.status, 200);
}

#[tokio::test]
async fn a_token_does_not_grow_in_one_permission_by_what_it_was_granted_in_another() {
    let vault = Vault::start().await;
    let listing = GRANTS.replace("keyPatterns: ['APP_*', GREETING]", "keyPatterns: ['*']").replace(
        "metadata: {name: app}",
        "metadata: {name: names}
spec: {subject: {client: ci}, environment: dev, keyPattern: '*', permissions: [list]}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: app}",
    );
    vault.grant(&listing);
    let token = vault.token("*").await;
    assert_eq!(vault.read("dev/smtp.host", &token, &[]).await.problem(), "out-of-scope");
    vault.grant(&listing.replace("keyPattern: 'APP_*'", "keyPattern: '*'"));
    assert_eq!(vault.read("dev/smtp.host", &token, &[]).await.problem(), "out-of-scope");
}

#[tokio::test]
async fn names_that_are_none_are_refused_before_anything_is_looked_up() {
    let vault = Vault::start().await;
    let token = vault.token("*").await;
    for path in [
        "..%2f..%2fetc/passwd",
        "%2e%2e/x",
        "dev/%2e%2e",
        "dev/a%00b",
        "DEV/x",
        "dev/a%2fb",
        "de%CC%81v/x",
        "dev/%ff",
        "%ff",
        "dev/.hidden",
        "dev?pattern=**",
    ] {
        assert_eq!(vault.read(path, &token, &[]).await.problem(), "invalid-name", "{path}");
    }
    for query in ["values=yes", "other=1", "values=true&values=false"] {
        let reply = vault.read(&format!("dev?{query}"), &token, &[]).await;
        assert_eq!(reply.problem(), "invalid-request", "{query}");
    }
}

#[tokio::test]
async fn a_read_and_a_refusal_are_in_the_audit_with_key_and_reason() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    vault.read("dev/APP_DB_USER", &token, &[]).await;
    vault.read("dev/GREETING", &token, &[]).await;
    let audit = vault.audit();
    let (read, refused) = (&audit[1], &audit[2]);
    assert_eq!((&read["event"], &read["outcome"]), (&json!("read"), &json!("granted")));
    assert_eq!(read["keys"], json!(["APP_DB_USER"]));
    assert_eq!(read["jti"], audit[0]["jti"]);
    assert_eq!(read["reason"], "SecretAccess default/app within SecretPolicy dev");
    assert_eq!(refused["outcome"], "refused");
    assert!(refused["reason"].as_str().unwrap().starts_with("out-of-scope"));
}

#[tokio::test]
async fn a_head_takes_no_use_and_is_no_read() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 1});
    let token = vault.token_with(body).await;
    for path in ["dev/APP_DB_USER", "dev"] {
        let request = Request::head(format!("/api/v1/vault/{path}"))
            .header("authorization", format!("Bearer {token}"));
        let reply = vault.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "GET"));
    }
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, 200);
}

#[tokio::test]
async fn a_binary_value_comes_as_it_is_and_has_no_json() {
    let vault = Vault::start().await;
    vault.grant(&GRANTS.replace("'APP_*'", "data"));
    vault.put_binary("dev", &crate::sops::fixtures::path("dev-binary.enc.bin"));
    let token = vault.token_with(json!({"environment": "dev", "key_pattern": "data"})).await;
    let request = Request::get("/api/v1/vault/dev/data")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty());
    let (headers, status, body) = vault.send_for_bytes(request.unwrap()).await;
    assert_eq!((status.as_u16(), body.as_slice()), (200, &b"any \0 bytes \xff\xfe\n"[..]));
    assert_eq!(headers["content-type"], "application/octet-stream");
    let as_json = vault.read("dev/data", &token, &[("accept", "application/json")]).await;
    assert_eq!(as_json.problem(), "not-acceptable");
    assert!(as_json.text.contains("the value of data is not text"), "{}", as_json.text);
}
