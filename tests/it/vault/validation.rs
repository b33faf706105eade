//! The validator is stricter than the library: each forgery is refused with a kind of its own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use crate::support::service::{GREETING, SIGNING_KEY, Vault};

/// A token that the vault issued, taken apart, to be changed and signed again.
pub(super) struct Forge {
    pub(super) vault: Vault,
    pub(super) header: Value,
    pub(super) claims: Value,
}

impl Forge {
    pub(super) async fn new() -> Self {
        let vault = Vault::start().await;
        let body = json!({"environment": "dev", "key_pattern": "GREETING"});
        let token = vault.token_with(body).await;
        let part = |index| {
            let part = token.split('.').nth(index).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (part(0), part(1));
        Self { vault, header, claims }
    }

    pub(super) fn now(&self) -> i64 {
        self.claims["iat"].as_i64().unwrap()
    }

    pub(super) async fn show(&self, token: &str) -> String {
        let reply = self.vault.read("dev/GREETING", token, &[]).await;
        if reply.status == 200 {
            return "accepted".to_owned();
        }
        assert!(token.is_empty() || !reply.text.contains(token), "the token is in the answer");
        assert!(!reply.text.contains(GREETING), "a refusal holds the value");
        let problem = reply.problem();
        if reply.status == 401 {
            assert!(reply.header("www-authenticate").starts_with("Bearer "), "{reply:?}");
        }
        problem
    }

    pub(super) async fn header(&self, change: impl Fn(&mut Value)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        self.show(&sign(&header.to_string(), &self.claims.to_string())).await
    }

    pub(super) async fn claims(&self, change: impl Fn(&mut Value)) -> String {
        let mut claims = self.claims.clone();
        change(&mut claims);
        self.claims_text(&claims.to_string()).await
    }

    pub(super) async fn claims_text(&self, claims: &str) -> String {
        self.show(&sign(&self.header.to_string(), claims)).await
    }
}

pub(super) fn signing_input(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

pub(super) fn sign(header: &str, claims: &str) -> String {
    sign_with(SIGNING_KEY.as_bytes(), header, claims)
}

pub(super) fn sign_with(key: &[u8], header: &str, claims: &str) -> String {
    let input = signing_input(header, claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn what_the_vault_signs_is_accepted_also_when_it_is_signed_here() {
    let forge = Forge::new().await;
    assert_eq!(forge.claims(|_| ()).await, "accepted");
}

#[tokio::test]
async fn algorithms_other_than_hs256_are_refused() {
    let forge = Forge::new().await;
    for algorithm in ["none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", ""] {
        let kind = forge.header(|header| header["alg"] = json!(algorithm)).await;
        assert_eq!(kind, "token-algorithm", "{algorithm}");
    }
    let mut none = forge.header.clone();
    none["alg"] = json!("none");
    let unsigned = format!("{}.", signing_input(&none.to_string(), &forge.claims.to_string()));
    assert_eq!(forge.show(&unsigned).await, "token-algorithm");
    let mut longer = forge.header.clone();
    longer["alg"] = json!("HS512");
    let input = signing_input(&longer.to_string(), &forge.claims.to_string());
    let mut mac = Hmac::<Sha512>::new_from_slice(SIGNING_KEY.as_bytes()).unwrap();
    mac.update(input.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    assert_eq!(forge.show(&format!("{input}.{signature}")).await, "token-algorithm");
}

#[tokio::test]
async fn a_header_holds_what_the_vault_writes_and_nothing_else() {
    let forge = Forge::new().await;
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("jku", json!("https://attacker.example/keys")),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
        ("x5u", json!("https://attacker.example/cert")),
        ("x5c", json!([])),
        ("cty", json!("JWT")),
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("kid", json!(1)),
    ] {
        let kind = forge.header(|header| header[name] = value.clone()).await;
        assert_eq!(kind, "token-header", "{name}");
    }
    for name in ["typ", "kid"] {
        let remove = |header: &mut Value| drop(header.as_object_mut().unwrap().remove(name));
        assert_eq!(forge.header(remove).await, "token-header", "without {name}");
    }
    let twice = forge.header.to_string().replacen('{', r#"{"alg":"HS256","#, 1);
    assert_eq!(forge.show(&sign(&twice, &forge.claims.to_string())).await, "token-header");
}

#[tokio::test]
async fn an_unknown_kid_is_refused_before_any_signature_is_checked() {
    let forge = Forge::new().await;
    for kid in ["another", "", "../keys/dev"] {
        let kind = forge.header(|header| header["kid"] = json!(kid)).await;
        assert_eq!(kind, "token-unknown-key", "{kid}");
    }
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let forge = Forge::new().await;
    let good = sign(&forge.header.to_string(), &forge.claims.to_string());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let mut claims = forge.claims.clone();
    claims["scope"]["key_pattern"] = json!("*");
    let stolen =
        format!("{}.{signature}", signing_input(&forge.header.to_string(), &claims.to_string()));
    assert_eq!(forge.show(&stolen).await, "token-signature");
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    assert_eq!(forge.show(&format!("{input}.{zeros}")).await, "token-signature");
    assert_eq!(forge.show(&format!("{input}.")).await, "token-signature");
}

#[tokio::test]
async fn what_is_no_token_is_refused_as_such() {
    let forge = Forge::new().await;
    for text in ["x", "a.b", "a.b.c.d", "..", "a.b.c", &"a".repeat(20_000)] {
        assert_eq!(forge.show(text).await, "token-malformed", "{text:.20}");
    }
}

#[tokio::test]
async fn another_issuer_or_audience_is_refused() {
    let forge = Forge::new().await;
    assert_eq!(forge.claims(|claims| claims["iss"] = json!("another")).await, "token-issuer");
    assert_eq!(forge.claims(|claims| claims["aud"] = json!("vanta-vault")).await, "token-audience");
}

#[tokio::test]
async fn a_token_is_used_within_its_life_and_thirty_seconds_around_it() {
    let forge = Forge::new().await;
    let now = forge.now();
    let life = |iat: i64, nbf: i64, exp: i64| {
        let forge = &forge;
        async move {
            let set = |claims: &mut Value| {
                claims["iat"] = json!(now + iat);
                claims["nbf"] = json!(now + nbf);
                claims["exp"] = json!(now + exp);
            };
            forge.claims(set).await
        }
    };
    assert_eq!(life(0, 0, -1).await, "token-claims");
    assert_eq!(life(-100, -100, -31).await, "token-expired");
    assert_eq!(life(0, 60, 120).await, "token-not-yet-valid");
    assert_eq!(life(60, 60, 120).await, "token-not-yet-valid");
    assert_eq!(life(20, 20, 120).await, "accepted");
    assert_eq!(life(0, 0, 24 * 3600).await, "accepted");
    assert_eq!(life(0, 0, 24 * 3600 + 1).await, "token-claims");
    // The state began with the vault: whatever was issued before may have been revoked.
    assert_eq!(life(-100, -100, 120).await, "token-unknown");
}

#[tokio::test]
async fn claims_have_one_type_each_and_there_is_none_too_many_or_twice() {
    let forge = Forge::new().await;
    let exp = forge.claims["exp"].clone();
    for (name, value) in [
        ("exp", json!(exp.to_string())),
        ("exp", json!(1e300)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("iat", json!(0)),
        ("iss", json!(["vanta-vault"])),
        ("aud", json!(["vanta-api"])),
        ("sub", json!("nobody")),
        ("jti", json!("short")),
        ("usage_limit", json!("10")),
        ("usage_limit", json!(null)),
        ("scope", json!({"environment": "dev"})),
        ("scope", json!("dev")),
        ("surprise", json!(1)),
    ] {
        let kind = forge.claims(|claims| claims[name] = value.clone()).await;
        assert_eq!(kind, "token-claims", "{name} = {value}");
    }
    for name in ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "scope"] {
        let kind = forge.claims(|claims| drop(claims.as_object_mut().unwrap().remove(name))).await;
        assert_eq!(kind, "token-claims", "without {name}");
    }
    let claims = forge.claims.to_string();
    for twice in [
        claims.replacen('{', r#"{"exp":9999999999,"#, 1),
        claims.replacen(r#""scope":{"#, r#""scope":{"environment":"prod","#, 1),
        claims.replacen(r#""scope":{"#, r#""scope":{"more":1,"#, 1),
        format!("{claims}{{}}"),
        format!("[{claims}]"),
    ] {
        assert_eq!(forge.claims_text(&twice).await, "token-claims", "{twice}");
    }
}

#[tokio::test]
async fn a_token_of_another_environment_or_key_does_not_read_this_one() {
    let forge = Forge::new().await;
    for (field, value) in [
        ("environment", json!("prod")),
        ("key_pattern", json!("GREET")),
        ("key_pattern", json!("GREETING_2")),
        ("granted", json!({"read": ["APP_*"]})),
        ("granted", json!({"list": ["GREETING"]})),
        ("granted", json!({})),
        ("granted", json!({"read": ["*&APP_*"]})),
        ("permissions", json!(["list"])),
        ("permissions", json!([])),
    ] {
        let kind = forge.claims(|claims| claims["scope"][field] = value.clone()).await;
        assert_eq!(kind, "out-of-scope", "{field} = {value}");
    }
    let kind = forge.claims(|claims| claims["sub"] = json!("client:another")).await;
    assert_eq!(kind, "out-of-scope");
}
