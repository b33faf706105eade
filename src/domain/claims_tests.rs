//! What a token's claims may look like, and what is refused.

use serde_json::{Value, json};

use super::*;

fn claims() -> Value {
    json!({
        "iss": "https://vault.example",
        "aud": "vanta-vault",
        "sub": "system:serviceaccount:shop:checkout",
        "exp": 900, "nbf": 0, "iat": 0,
        "jti": "000102030405060708090a0b0c0d0e0f",
        "scope": {
            "environment": "prod",
            "key_pattern": "A*",
            "permissions": ["read", "list"],
            "granted": {"read": ["A*&*B", "A_1"]},
        },
        "usage_limit": 3,
        "pod": {"namespace": "shop", "name": "checkout-0", "uid": "u"},
        "service_account_uid": "v",
    })
}

fn read(claims: &Value) -> Result<Claims, serde_json::Error> {
    serde_json::from_str(&claims.to_string())
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

#[test]
fn claims_read_back_as_they_were_written() {
    let read_once = read(&claims()).unwrap();
    assert_eq!(serde_json::to_value(&read_once).unwrap(), claims());
    let mut few = claims();
    for optional in ["usage_limit", "pod", "service_account_uid"] {
        few.as_object_mut().unwrap().remove(optional);
    }
    assert_eq!(serde_json::to_value(read(&few).unwrap()).unwrap(), few);
}

#[test]
fn a_token_id_is_its_bytes_in_hexadecimal() {
    let id = TokenId::from_random(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    assert_eq!(id.as_str(), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(id.to_string(), id.as_str());
    assert_eq!(id.as_str().parse(), Ok(id));
    for bad in ["", "0", "000102030405060708090a0b0c0d0e0g", "000102030405060708090A0B0C0D0E0F"] {
        assert!(bad.parse::<TokenId>().is_err(), "{bad:?} was accepted");
    }
}

#[test]
fn each_permission_has_its_own_patterns() {
    let patterns = |text: &str| vec![GrantedPattern::try_from(text.to_owned()).unwrap()];
    let mut granted = Granted::default();
    *granted.of_mut(Permission::Read) = patterns("A");
    *granted.of_mut(Permission::List) = patterns("B");
    assert_eq!(granted, Granted { read: patterns("A"), list: patterns("B") });
    assert_eq!(granted.of(Permission::Read), patterns("A"));
    assert_eq!(granted.of(Permission::List), patterns("B"));
}

#[test]
fn a_refusal_of_claims_says_what_was_expected() {
    let refused = |claims: &Value| read(claims).unwrap_err().to_string();
    assert!(refused(&json!(["x"])).contains("expected an object of claims"));
    assert!(refused(&with("scope", json!([]))).contains("expected an object"));
    assert!(refused(&with("pod", json!([]))).contains("expected an object"));
}

#[test]
fn every_other_claim_is_needed() {
    for claim in ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(claim);
        assert!(read(&without).is_err(), "{claim} was not missed");
    }
}

#[test]
fn a_claim_has_one_type() {
    let mut scope_and_more = claims()["scope"].clone();
    scope_and_more["admin"] = json!(true);
    for (claim, value) in [
        ("exp", json!("900")),
        ("exp", json!(900.0)),
        ("exp", json!(900.5)),
        ("exp", json!(1e300)),
        ("exp", json!(null)),
        ("iat", json!(u64::MAX)),
        ("nbf", json!(true)),
        ("iss", json!(["https://vault.example"])),
        ("iss", json!(null)),
        ("aud", json!(["vanta-vault"])),
        ("sub", json!("root")),
        ("jti", json!("000102030405060708090A0B0C0D0E0F")),
        ("jti", json!("0")),
        ("usage_limit", json!(-1)),
        ("usage_limit", json!("3")),
        ("usage_limit", json!(null)),
        ("usage_limit", json!(u64::MAX)),
        ("pod", json!(null)),
        ("pod", json!(["shop", "checkout-0", "u"])),
        ("pod", json!({"namespace": "shop", "name": "checkout-0", "uid": "u", "node": "n"})),
        ("service_account_uid", json!(null)),
        ("scope", json!(["prod", "A*", ["read"], ["A*"]])),
        ("scope", scope_and_more),
    ] {
        assert!(read(&with(claim, value.clone())).is_err(), "{claim}: {value} was accepted");
    }
}

#[test]
fn unknown_claims_are_refused() {
    for claim in ["admin", "azp", "Exp", "exp ", "cnf"] {
        assert!(read(&with(claim, json!(1))).is_err(), "{claim:?} was accepted");
    }
}

#[test]
fn repeated_claims_are_refused() {
    let text = claims().to_string();
    assert!(serde_json::from_str::<Claims>(&text).is_ok());
    let (scope, pod) = (claims()["scope"].to_string(), claims()["pod"].to_string());
    for (place, twice) in [
        (r"{", r#"{"exp":1,"#.to_owned()),
        (r"{", r#"{"usage_limit":9,"#.to_owned()),
        (r"{", r#"{"\u0065xp":1,"#.to_owned()),
        (r"{", format!(r#"{{"scope":{scope},"#)),
        (r"{", format!(r#"{{"pod":{pod},"#)),
        (r#""scope":{"#, r#""scope":{"granted":{},"#.to_owned()),
    ] {
        let twice = text.replacen(place, &twice, 1);
        let refused = serde_json::from_str::<Claims>(&twice).unwrap_err().to_string();
        assert!(refused.contains("duplicate field"), "{twice}: {refused}");
    }
}

#[test]
fn a_claims_set_is_one_object() {
    let values: Vec<Value> = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope"]
        .map(|claim| claims()[claim].clone())
        .to_vec();
    for other in [json!(values), json!("claims"), json!(null), json!(1)] {
        assert!(read(&other).is_err(), "{other} was accepted");
    }
    assert!(serde_json::from_str::<Claims>(&format!("{} {{}}", claims())).is_err());
}

#[test]
fn a_scope_covers_what_was_asked_for_and_granted_alike() {
    for (asked, granted, key, expected) in [
        ("A*", &["*"][..], "A1", true),
        ("A*", &["*"], "B1", false),
        ("*", &["A*", "B1"], "A1", true),
        ("*", &["A*", "B1"], "B1", true),
        ("*", &["A*", "B1"], "B2", false),
        ("*", &["A*&*1"], "A1", true),
        ("*", &["A*&*1"], "A2", false),
        ("*", &["A*&*1"], "B1", false),
        ("A1", &["B*"], "A1", false),
        ("*", &[], "A1", false),
    ] {
        let scope = Scope {
            environment: "prod".parse().unwrap(),
            key_pattern: asked.parse().unwrap(),
            permissions: vec![Permission::Read],
            granted: Granted {
                read: granted.iter().map(|text| (*text).to_owned().try_into().unwrap()).collect(),
                list: vec!["*".to_owned().try_into().unwrap()],
            },
        };
        let covered = |permission| scope.covers(permission, &key.parse().unwrap());
        assert_eq!(covered(Permission::Read), expected, "{key} in {asked} of {granted:?}");
        assert!(!covered(Permission::List), "the token has no list permission");
    }
}
