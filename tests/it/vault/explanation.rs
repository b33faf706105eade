//! Why a subject may do something, or not: the decision and each object that had a say.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::service::{Reply, Vault};

async fn explain(vault: &Vault, authorization: &str, body: Value) -> Reply {
    let request = Request::post("/api/v1/access/explain")
        .header("authorization", authorization)
        .header("content-type", "application/json");
    vault.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_subject_is_told_about_itself_why_a_read_is_allowed() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key": "APP_DB_USER"});
    let said = explain(&vault, &vault.basic(), body).await.json();
    assert_eq!(
        said,
        json!({
            "subject": "client:ci",
            "allowed": true,
            "reason": "SecretAccess default/app within SecretPolicy dev",
            "blocked": false,
            "bounds": {"ttl_minutes": 60, "usage_limit": 1000},
            "granted": ["APP_*"],
            "accesses": [
                {"name": "default/app", "policies": [{"name": "dev", "requires_pod": false}]},
                {"name": "default/gone", "obstacle": "it is for another environment"},
                {"name": "default/greeting", "obstacle": "its patterns do not match"},
            ],
        })
    );
}

#[tokio::test]
async fn a_refusal_names_what_is_in_the_way() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key": "GREETING", "permission": "list"});
    let said = explain(&vault, &vault.basic(), body).await.json();
    assert_eq!(said["allowed"], false);
    assert_eq!(said["reason"], "no SecretAccess gives this subject this permission here");
    assert_eq!(said["accesses"][2]["obstacle"], "it does not allow the permission");
    vault.grant(
        "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: app}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'APP_*'}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: others}
spec: {subjects: [{namespace: default, clients: [cd]}], environment: dev, keyPatterns: ['*']}
",
    );
    let body = json!({"environment": "dev", "key_pattern": "APP_*"});
    let said = explain(&vault, &vault.basic(), body.clone()).await.json();
    assert_eq!(said["reason"], "no SecretPolicy allows what SecretAccess default/app asks for");
    assert!(said["accesses"][0].get("policies").is_none(), "of whom else there are some: {said}");
    let mut about = body;
    about["subject"] = json!("client:ci");
    let said = explain(&vault, &vault.administrator(), about).await.json();
    let policies = json!([
        {"name": "others", "obstacle": "it is for other subjects", "requires_pod": false},
    ]);
    assert_eq!(said["accesses"][0]["policies"], policies);
}

#[tokio::test]
async fn of_others_administrators_alone_are_told() {
    let vault = Vault::start().await;
    let body = json!({"subject": "client:ci", "environment": "dev", "key": "APP_DB_USER"});
    let said = explain(&vault, &vault.administrator(), body.clone()).await;
    assert_eq!(said.json()["allowed"], true);
    let recorded = vault.audit().pop().unwrap();
    assert_eq!(
        (&recorded["event"], &recorded["subject"]),
        (&json!("explain"), &json!("client:ops"))
    );
    assert_eq!(recorded["reason"], "about client:ci");
    assert_eq!(explain(&vault, &vault.basic(), body).await.status, 200, "it is about itself");
    let other = json!({"subject": "client:cd", "environment": "dev", "key": "APP_DB_USER"});
    assert_eq!(explain(&vault, &vault.basic(), other).await.problem(), "not-administrator");
}

#[tokio::test]
async fn whether_a_key_exists_is_not_told() {
    let vault = Vault::start().await;
    let told = |key| json!({"subject": "client:ci", "environment": "dev", "key": key});
    let there = explain(&vault, &vault.administrator(), told("APP_DB_USER")).await.text;
    let missing = explain(&vault, &vault.administrator(), told("APP_NONE")).await.text;
    assert_eq!(there, missing);
}

#[tokio::test]
async fn a_question_of_a_key_and_a_pattern_at_once_is_refused() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key": "A", "key_pattern": "*"});
    assert_eq!(explain(&vault, &vault.basic(), body).await.problem(), "invalid-request");
}
