//! What an ID token may say, one deviation at a time. Signatures of real issuers are looked at in
//! `tests/it/vault/oidc.rs`.

use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

fn entry(more: &Value) -> IssuerEntry {
    let mut entry = json!({"issuer": "https://issuer.example", "requiredClaims": {"ref": "main"}});
    for (name, value) in more.as_object().unwrap() {
        entry[name] = value.clone();
    }
    serde_json::from_value(entry).unwrap()
}

fn good() -> Value {
    json!({
        "iss": "https://issuer.example",
        "aud": "vanta-vault",
        "sub": "repo:org/app",
        "ref": "main",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 300,
        "jti": "id-1",
    })
}

fn token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(header), part(claims))
}

fn check(claims: &Value, more: &Value) -> Result<Identity, String> {
    let text = token(&json!({"alg": "RS256", "kid": "a"}), claims);
    super::claims(&text, &entry(more), Timestamp::from_second(NOW).unwrap())
}

/// The good claims with one replaced, or left out where the value is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

#[test]
fn what_a_good_token_says_is_its_subject() {
    let identity = check(&good(), &json!({})).unwrap();
    assert_eq!(identity.subject.to_string(), "oidc:https://issuer.example:repo:org/app");
    assert_eq!(identity.expires_at.unwrap().as_second(), NOW + 300);
    assert_eq!(identity.credential_id.as_deref(), Some("id-1"));
    assert_eq!((identity.method, identity.administers), (Method::Oidc, Administers::Nothing));
}

#[test]
fn one_claim_that_is_not_as_it_has_to_be_is_enough() {
    for (name, value, expected) in [
        ("iss", json!("https://issuer.example/"), "another issuer"),
        ("iss", json!(["https://issuer.example"]), "another issuer"),
        ("aud", json!("other"), "audience"),
        ("aud", json!(null), "audience"),
        ("aud", json!([]), "audience"),
        ("aud", json!("vanta-vault-2"), "audience"),
        ("aud", json!(["vanta-vault", "other"]), "several audiences"),
        ("aud", json!(["other", "another"]), "audience"),
        ("exp", json!(null), "does not say when it ends"),
        ("exp", json!(NOW), "has ended"),
        ("exp", json!("soon"), "no time"),
        ("exp", json!(1e300), "no time"),
        ("exp", json!(-1), "no time"),
        ("exp", json!(NOW + 24 * 3600), "lives for more"),
        ("iat", json!(null), "does not say when it was issued"),
        ("iat", json!(NOW + 31), "of the future"),
        ("nbf", json!(NOW + 31), "of the future"),
        ("nbf", json!(NOW - 24 * 3600), "lives for more"),
        ("ref", json!("dev"), "claim ref"),
        ("ref", json!(null), "claim ref"),
        ("ref", json!(["main"]), "claim ref"),
        ("sub", json!(""), "claim sub"),
        ("sub", json!(null), "claim sub"),
        ("sub", json!(1), "claim sub"),
        ("sub", json!("a\nb"), "claim sub"),
        ("sub", json!("a".repeat(1025)), "claim sub"),
    ] {
        let refused = check(&with(name, value.clone()), &json!({})).unwrap_err();
        assert!(refused.contains(expected), "{name}={value}: {refused}");
    }
}

#[test]
fn what_is_allowed_to_differ_may() {
    for (name, value) in [
        ("aud", json!(["vanta-vault"])),
        ("iat", json!(NOW + 30)),
        ("exp", json!(NOW + 1)),
        ("exp", json!(f64::from(1_800_000_100_i32) + 0.5)),
        ("nbf", json!(null)),
        ("jti", json!(null)),
        ("jti", json!(7)),
        ("azp", json!("whoever")),
    ] {
        let identity = check(&with(name, value.clone()), &json!({}));
        assert!(identity.is_ok(), "{name}={value}: {identity:?}");
    }
    let mut several = with("aud", json!(["other", "vanta-vault"]));
    several["azp"] = json!("vanta-vault");
    assert!(check(&several, &json!({})).is_ok());
    several["azp"] = json!("other");
    assert!(check(&several, &json!({})).is_err());
}

#[test]
fn an_issuer_may_want_another_audience_subject_and_claims() {
    let entry = json!({
        "audience": "a", "subjectClaim": "project_path",
        "requiredClaims": {"protected": "true", "id": ["7", "8"]},
    });
    let mut claims = good();
    for (name, value) in [
        ("aud", json!("a")),
        ("project_path", json!("org/app")),
        ("protected", json!(true)),
        ("id", json!(8)),
    ] {
        claims[name] = value;
    }
    let subject = check(&claims, &entry).unwrap().subject.to_string();
    assert_eq!(subject, "oidc:https://issuer.example:org/app");
    claims["id"] = json!(9);
    assert!(check(&claims, &entry).is_err());
}

#[test]
fn a_header_is_of_one_form() {
    let header = |header: &Value| super::header(&token(header, &good()));
    let key_id = |value: &Value| header(value).map(|header| header.key_id);
    assert_eq!(
        key_id(&json!({"alg": "RS256", "kid": "a", "typ": "jwt", "x5t": "b"})).unwrap(),
        "a"
    );
    for (refused, expected) in [
        (json!({"alg": "none", "kid": "a"}), "algorithm"),
        (json!({"alg": "None", "kid": "a"}), "algorithm"),
        (json!({"alg": "HS256", "kid": "a"}), "shared key"),
        (json!({"alg": "HS512", "kid": "a"}), "shared key"),
        (json!({"alg": "RS256"}), "names no key"),
        (json!({"alg": "RS256", "kid": ""}), "names no key"),
        (json!({"alg": "RS256", "kid": "a", "typ": "at+jwt"}), "typ"),
        (json!({"alg": "RS256", "kid": "a", "crit": []}), "crit"),
        (json!({"alg": "RS256", "kid": "a", "jku": "https://a"}), "jku"),
        (json!({"alg": "RS256", "kid": "a", "jwk": {}}), "jwk"),
        (json!({"alg": "RS256", "kid": "a", "x5u": "https://a"}), "x5u"),
        (json!({"alg": "RS256", "kid": "a", "x5c": []}), "x5c"),
        (json!({"alg": "RS256", "kid": "a", "b64": false}), "b64"),
        (json!({"kid": "a"}), "cannot be read"),
        (json!([]), "cannot be read"),
    ] {
        let error = key_id(&refused).unwrap_err();
        assert!(error.contains(expected), "{refused}: {error}");
    }
    for text in ["", "a.b", "a.b.c.d", &"a".repeat(20_000)] {
        assert!(super::header(text).is_err(), "{text}");
    }
}

#[test]
fn the_issuer_that_a_token_claims_is_read_from_it() {
    assert_eq!(claimed_issuer(&token(&json!({}), &good())).unwrap(), "https://issuer.example");
    for text in ["", "a.b.c", "e30.e30.c2ln"] {
        assert_eq!(claimed_issuer(text), None, "{text}");
    }
}
