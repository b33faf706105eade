//! Subjects of OIDC issuers prove who they are with ID tokens; the issuers are real ones, on
//! loopback, over TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::IntoResponse;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tokio::time::Instant;
use vanta::adapters::identity::OidcIssuers;

use crate::support::issuer::{Issuer, Manner, SigningKey};
use crate::support::program::{Program, Site, agent, until};
use crate::support::service::{Reply, Vault};

const SUBJECT: &str = "repo:org/app:ref:refs/heads/main";

/// A vault that believes an issuer, and grants its subject what client `ci` has elsewhere.
struct Scenario {
    vault: Vault,
    issuers: Arc<OidcIssuers>,
    folder: tempfile::TempDir,
}

/// The entry of an issuer whose authority is in a folder, with more lines.
fn entry(issuer: &Issuer, folder: &std::path::Path, more: &str) -> String {
    let authority = folder.join("issuer-ca.crt");
    std::fs::write(&authority, &issuer.authority).expect("a file can be written");
    format!("issuers:\n- issuer: {}\n  caFile: {}\n{more}", issuer.url, authority.display())
}

fn grants(issuer: &Issuer, environment: &str) -> String {
    let subject = format!("{{issuer: '{}', subject: '{SUBJECT}'}}", issuer.url);
    format!(
        "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {{name: ci}}
spec: {{subject: {{oidc: {subject}}}, environment: {environment}, keyPattern: 'APP_*'}}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {{name: ci}}
spec: {{subjects: [{{namespace: default, oidc: [{subject}]}}], environment: {environment}, keyPatterns: ['APP_*']}}
"
    )
}

impl Scenario {
    async fn with(issuer: &Issuer, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let issuers = Arc::new(OidcIssuers::default());
        let vault = Vault::start_believing(Arc::clone(&issuers)).await;
        vault.grant(&grants(issuer, "dev"));
        let scenario = Self { vault, issuers, folder };
        scenario.configure(issuer, more);
        scenario
    }

    fn configure(&self, issuer: &Issuer, more: &str) {
        let file = self.folder.path().join("oidc.yaml");
        std::fs::write(&file, entry(issuer, self.folder.path(), more)).expect("it is written");
        self.issuers.load(&file).expect("the file is well formed");
    }

    async fn generate(&self, token: &str) -> Reply {
        let request = Request::post("/api/v1/vault/tokens/generate")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        let body = json!({"environment": "dev", "key_pattern": "APP_*"}).to_string();
        self.vault.send(request.body(body.into()).expect("a request")).await
    }

    /// The status of the refusal, and why in the words of the log.
    async fn refused(&self, token: &str) -> (u16, String) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        let identified = self.vault.service.identify(&headers).await;
        let refusal = identified.expect_err("it is refused");
        let why = format!("{refusal:?}");
        (refusal.into_response().status().as_u16(), why)
    }
}

#[tokio::test]
async fn an_id_token_of_each_algorithm_reads_what_its_subject_is_granted() {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    let mut keys: Vec<SigningKey> = [RS256, RS384, RS512, PS256, PS384, PS512]
        .map(|algorithm| SigningKey::rsa("rsa", algorithm))
        .into();
    keys.extend([SigningKey::p256("p256"), SigningKey::p384("p384"), SigningKey::ed25519("ed")]);
    let issuer = Issuer::start(&[&keys[0], &keys[6], &keys[7], &keys[8]]);
    let scenario = Scenario::with(&issuer, "").await;
    for key in &keys {
        let reply = scenario.generate(&issuer.token(key, SUBJECT)).await;
        assert_eq!(reply.status, StatusCode::OK, "{:?}: {reply:?}", key.algorithm);
        let answer = reply.json();
        let expected = format!("oidc:{}:{SUBJECT}", issuer.url.replace("t:", "t%3A"));
        assert_eq!(answer["subject"], expected.as_str());
        assert!(answer["expires_in"].as_i64().unwrap() <= 300, "it outlives the proof: {answer}");
        let token = answer["token"].as_str().unwrap();
        let read = scenario.vault.read("dev/APP_DB_USER", token, &[]).await;
        assert_eq!(read.text, "app");
    }
    assert_eq!((issuer.asked("/.well-known/openid-configuration"), issuer.asked("/keys")), (1, 1));
    let issue = scenario.vault.audit().into_iter().find(|record| record["event"] == "issue");
    assert_eq!(issue.unwrap()["credential_id"], "job-1");
}

#[tokio::test]
async fn another_subject_of_the_issuer_has_nothing_and_clients_go_on() {
    let key = SigningKey::p256("a");
    let issuer = Issuer::start(&[&key]);
    let scenario = Scenario::with(&issuer, "").await;
    let other = scenario.generate(&issuer.token(&key, "repo:org/other:ref:refs/heads/main")).await;
    assert_eq!(other.problem(), "not-granted");
    let request = Request::get("/api/v1/access").header("authorization", scenario.vault.basic());
    let reply = scenario.vault.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn each_deviation_is_refused_and_says_why_in_the_log_alone() {
    let (key, forged) = (SigningKey::p256("a"), SigningKey::p256("a"));
    let issuer = Issuer::start(&[&key]);
    let scenario = Scenario::with(&issuer, "  requiredClaims: {ref: main}\n").await;
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims(SUBJECT);
        claims["ref"] = "main".into();
        claims[name] = value;
        key.sign(&key.header(), &claims)
    };
    let now = jiff::Timestamp::now().as_second();
    assert_eq!(scenario.generate(&with("ref", json!("main"))).await.status, StatusCode::OK);
    let good = with("ref", json!("main"));
    let (body, signature) = good.rsplit_once('.').unwrap();
    let headers = |more: Value| {
        let mut header = key.header();
        for (name, value) in more.as_object().unwrap() {
            header[name] = value.clone();
        }
        let mut claims = issuer.claims(SUBJECT);
        claims["ref"] = "main".into();
        key.sign(&header, &claims)
    };
    for (token, expected) in [
        (with("aud", json!("other")), "audience"),
        (with("aud", json!(["vanta-vault", "other"])), "several audiences"),
        (with("exp", json!(now - 1)), "has ended"),
        (with("iat", json!(now + 600)), "of the future"),
        (with("nbf", json!(now + 600)), "of the future"),
        (with("exp", json!(now + 48 * 3600)), "lives for more"),
        (with("ref", json!("dev")), "claim ref"),
        (
            forged.sign(&key.header(), &{
                let mut claims = issuer.claims(SUBJECT);
                claims["ref"] = "main".into();
                claims
            }),
            "signature",
        ),
        (format!("{body}."), "signature"),
        (format!("{body}.{}", &signature[..signature.len() - 4]), "signature"),
        (headers(json!({"kid": "b"})), "key that the issuer does not have"),
        (headers(json!({"alg": "RS256"})), "signature"),
        (headers(json!({"alg": "ES384"})), "signature"),
        (headers(json!({"alg": "HS256"})), "shared key"),
        (headers(json!({"alg": "none"})), "algorithm"),
        (headers(json!({"jku": "https://attacker.example/keys"})), "jku"),
        (headers(json!({"jwk": forged.jwk})), "jwk"),
        (headers(json!({"crit": ["exp"]})), "crit"),
        // Of no issuer that is listed: nobody is asked.
        (with("iss", json!("https://attacker.example")), "no issuer"),
    ] {
        let (status, reason) = scenario.refused(&token).await;
        assert_eq!(status, 401, "{expected}");
        assert!(reason.contains(expected), "{expected}: {reason}");
        let payload = token.split('.').nth(1).unwrap();
        assert!(!reason.contains(payload), "a token is in the log");
    }
    assert_eq!(issuer.asked("/keys"), 1, "made-up tokens make questions");
}

#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_shared_one_is_refused() {
    let key = SigningKey::rsa("a", Algorithm::RS256);
    let issuer = Issuer::start(&[&key]);
    let scenario = Scenario::with(&issuer, "").await;
    let header = json!({"alg": "HS256", "kid": "a"});
    let public = key.jwk["n"].as_str().unwrap();
    let part = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let message = format!("{}.{}", part(&header), part(&issuer.claims(SUBJECT)));
    let shared = jsonwebtoken::EncodingKey::from_secret(public.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &shared, Algorithm::HS256);
    let token = format!("{message}.{}", signature.unwrap());
    assert_eq!(scenario.generate(&token).await.problem(), "credentials-refused");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_gives_503_and_in_bounded_time() {
    let key = SigningKey::p256("a");
    let other = Issuer::start(&[&key]);
    for manner in [
        Manner::Away,
        Manner::Status(500),
        Manner::Redirects(format!("{}/keys", other.url)),
        Manner::Endless,
        Manner::Impostor,
        Manner::Slow,
    ] {
        for more in ["", "  jwksUri: KEYS\n"] {
            let issuer = Issuer::start(&[&key]);
            let direct = !more.is_empty();
            if direct && manner == Manner::Impostor {
                continue;
            }
            let more = more.replace("KEYS", &format!("{}/keys", issuer.url));
            let scenario = Scenario::with(&issuer, &more).await;
            issuer.behave(manner.clone());
            let begun = Instant::now();
            let reply = scenario.generate(&issuer.token(&key, SUBJECT)).await;
            assert_eq!(reply.problem(), "identity-unavailable");
            assert!(begun.elapsed() < Duration::from_secs(10), "it waits for ever");
            // The next one is told so at once, and does not ask again.
            let asked = issuer.asked("/keys") + issuer.asked("/.well-known/openid-configuration");
            let reply = scenario.generate(&issuer.token(&key, SUBJECT)).await;
            assert_eq!(reply.problem(), "identity-unavailable");
            let again = issuer.asked("/keys") + issuer.asked("/.well-known/openid-configuration");
            assert_eq!(again, asked);
        }
    }
    assert_eq!(other.asked("/keys"), 0, "a redirect was followed");
}

#[tokio::test]
async fn keys_at_another_host_are_asked_for_where_the_administrator_says_so_alone() {
    let key = SigningKey::p256("a");
    let (mut issuer, elsewhere) = (Issuer::start(&[]), Issuer::start(&[&key]));
    // Both would be believed: it is not the certificate that keeps the vault from asking.
    issuer.authority.push_str(&elsewhere.authority);
    let keys = format!("{}/keys", elsewhere.url);
    issuer.behave(Manner::Points(keys.clone()));
    let scenario = Scenario::with(&issuer, "").await;
    let (status, reason) = scenario.refused(&issuer.token(&key, SUBJECT)).await;
    assert_eq!(status, 503);
    assert!(reason.contains("another host") && reason.contains("jwksUri"), "{reason}");
    assert_eq!(elsewhere.asked("/keys"), 0, "the issuer chose whom the vault asks");
    scenario.configure(&issuer, &format!("  jwksUri: {keys}\n"));
    assert_eq!(scenario.generate(&issuer.token(&key, SUBJECT)).await.status, StatusCode::OK);
    assert_eq!(elsewhere.asked("/keys"), 1);
}

#[tokio::test]
async fn an_issuer_whose_certificate_is_of_another_authority_is_not_believed() {
    let key = SigningKey::p256("a");
    let (issuer, other) = (Issuer::start(&[&key]), Issuer::start(&[&key]));
    let scenario = Scenario::with(&issuer, "").await;
    let mut mistaken = issuer.clone();
    mistaken.authority = other.authority;
    scenario.configure(&mistaken, "");
    let reply = scenario.generate(&issuer.token(&key, SUBJECT)).await;
    assert_eq!(reply.problem(), "identity-unavailable");
    assert_eq!(issuer.asked("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn keys_that_are_held_serve_while_the_issuer_is_away() {
    let key = SigningKey::p256("a");
    let issuer = Issuer::start(&[&key]);
    let scenario = Scenario::with(&issuer, "").await;
    assert_eq!(scenario.generate(&issuer.token(&key, SUBJECT)).await.status, StatusCode::OK);
    issuer.behave(Manner::Away);
    assert_eq!(scenario.generate(&issuer.token(&key, SUBJECT)).await.status, StatusCode::OK);
    // Nor does a change elsewhere in the file take them away.
    scenario.configure(&issuer, "\n");
    assert_eq!(scenario.generate(&issuer.token(&key, SUBJECT)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_is_new_is_asked_for_and_one_that_is_gone_verifies_no_more() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p256("new"));
    let issuer = Issuer::start(&[&old]);
    let scenario = Scenario::with(&issuer, "").await;
    assert_eq!(scenario.generate(&issuer.token(&old, SUBJECT)).await.status, StatusCode::OK);
    issuer.rotate(&[&new]);
    // Asked just now, it is not asked again for ten seconds, whoever makes up names of keys.
    for _ in 0..20 {
        let (status, reason) = scenario.refused(&issuer.token(&new, SUBJECT)).await;
        assert!(status == 401 && reason.contains("does not have"), "{status}: {reason}");
    }
    assert_eq!(issuer.asked("/keys"), 1);
    let deadline = Instant::now() + Duration::from_secs(30);
    while scenario.generate(&issuer.token(&new, SUBJECT)).await.status != StatusCode::OK {
        assert!(Instant::now() < deadline, "the new key is never asked for");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(issuer.asked("/keys"), 2);
    let (status, reason) = scenario.refused(&issuer.token(&old, SUBJECT)).await;
    assert!(status == 401 && reason.contains("does not have"), "{status}: {reason}");
}

#[tokio::test]
async fn a_hundred_tokens_at_once_make_one_question() {
    let key = SigningKey::p256("a");
    let issuer = Issuer::start(&[&key]);
    let scenario = Arc::new(Scenario::with(&issuer, "").await);
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let (scenario, token) = (Arc::clone(&scenario), issuer.token(&key, SUBJECT));
            tokio::spawn(async move { scenario.generate(&token).await.status })
        })
        .collect();
    for status in asked {
        assert_eq!(status.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(issuer.asked("/keys"), 1);
}

/// The program itself, with the file as people write it.
#[test]
fn the_program_reads_its_file_again_when_it_changes() {
    let key = SigningKey::rsa("a", Algorithm::RS256);
    let issuer = Issuer::start(&[&key]);
    let site = Site::new();
    std::fs::write(site.path("access/oidc.yaml"), grants(&issuer, "dev")).unwrap();
    site.write("oidc.yaml", "issuers: []\n");
    let mut command = site.command();
    command.env("VANTA_OIDC_FILE", site.path("oidc.yaml"));
    let vault = Program::start(command, "http");
    let generate = || {
        let answer = agent()
            .post(format!("{}/api/v1/vault/tokens/generate", vault.api))
            .header("authorization", format!("Bearer {}", issuer.token(&key, SUBJECT)))
            .send_json(json!({"environment": "dev", "key_pattern": "APP_*"}));
        answer.expect("the vault answers").status().as_u16()
    };
    assert_eq!(generate(), 401);
    let folder = site.path("");
    site.write("oidc.yaml", &entry(&issuer, folder.as_ref(), ""));
    until("the issuer is believed", || (generate() == 200).then_some(()));
    site.write("oidc.yaml", "issuers: [{issuer: 'http://a'}]\n");
    until("it is said", || vault.health("/readyz").1.contains("no https URL").then_some(()));
    assert_eq!(generate(), 200, "what was read before stays in use");
    std::fs::remove_file(site.path("oidc.yaml")).unwrap();
    until("there are no issuers", || (generate() == 401).then_some(()));
    let token = issuer.token(&key, SUBJECT);
    assert!(!vault.log().contains(token.split('.').nth(1).unwrap()));
}
