//! What the validator refuses, each with its reason, to the second and to the byte.
//! `tests/it/vault/validation.rs` and `forgeries.rs` say the same of the API.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use proptest::prelude::*;
use serde_json::json;

use super::validator::refusal;
use super::*;
use crate::domain::claims::{Claims, Granted, Scope, TokenId};
use crate::domain::grants::Permission;
use crate::domain::identity::{Method, PodReference};
use crate::domain::policy::MAX_TTL_MINUTES;
use jiff::Timestamp;

/// The moment of these tests, an hour after the tokens' begin of time.
pub(super) const NOW: Timestamp = Timestamp::constant(NOW_SECOND, 0);
const NOW_SECOND: i64 = 3600;

const KEY: &[u8] = b"a signing key for unit tests, 0123456789";

/// Claims that hold from now on for a minute.
pub(super) fn claims() -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: "system:serviceaccount:shop:checkout".parse().unwrap(),
        exp: NOW_SECOND + 60,
        nbf: NOW_SECOND,
        iat: NOW_SECOND,
        jti: TokenId::from_random([1; 16]),
        scope: Scope {
            environment: "prod".parse().unwrap(),
            key_pattern: "*".parse().unwrap(),
            permissions: vec![Permission::Read],
            granted: Granted::default(),
        },
        usage_limit: None,
        pod: Some(PodReference {
            namespace: "shop".parse().unwrap(),
            name: "checkout-0".parse().unwrap(),
            uid: "u".to_owned(),
        }),
        service_account_uid: Some("v".to_owned()),
    }
}

fn validator() -> Validator {
    Validator::new(CurrentRing::new(KeyRing::parse(KEY).unwrap()), 1)
}

fn signed(claims: &Claims) -> String {
    sign(&KeyRing::parse(KEY).unwrap(), claims).unwrap()
}

fn verified(validator: &Validator, token: &str) -> Result<VerifiedToken, TokenError> {
    validator.verify(&UnverifiedToken::parse(token)?, NOW)
}

/// What becomes of the claims with a change.
fn with(change: impl FnOnce(&mut Claims)) -> Result<(), TokenError> {
    let mut claims = claims();
    change(&mut claims);
    verified(&validator(), &signed(&claims)).map(|_| ())
}

/// What becomes of times, in seconds from now.
fn times(iat: i64, nbf: i64, exp: i64) -> Result<(), TokenError> {
    with(|claims| {
        (claims.iat, claims.nbf, claims.exp) =
            (NOW_SECOND + iat, NOW_SECOND + nbf, NOW_SECOND + exp);
    })
}

/// What the shape and header of a token come to.
fn shape(token: &str) -> Result<(), TokenError> {
    UnverifiedToken::parse(token).map(|_| ())
}

fn with_header(header: &str) -> Result<(), TokenError> {
    let token = signed(&claims());
    let (_, rest) = token.split_once('.').unwrap();
    shape(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header)))
}

#[test]
fn a_verified_token_tells_its_claims_and_its_identity() {
    let token = verified(&validator(), &signed(&claims())).unwrap();
    assert_eq!(*token.claims(), claims());
    assert_eq!(token.refused_from(), claims().exp + 30);
    let identity = token.identity();
    assert_eq!(identity.method, Method::AccessToken);
    assert_eq!(identity.subject, claims().sub);
    assert_eq!(identity.pod, claims().pod);
    assert_eq!(identity.service_account_uid, claims().service_account_uid);
    assert_eq!((identity.credential_id, identity.expires_at), (None, None));
}

#[test]
fn a_token_ends_thirty_seconds_after_its_end() {
    assert_eq!(times(-60, -60, -29), Ok(()));
    assert_eq!(times(-60, -60, -30), Err(TokenError::Expired));
}

#[test]
fn a_token_begins_thirty_seconds_before_its_beginning() {
    assert_eq!(times(30, 30, 60), Ok(()));
    assert_eq!(times(0, 30, 60), Ok(()));
    assert_eq!(times(0, 31, 60), Err(TokenError::NotYetValid));
    assert_eq!(times(31, 31, 60), Err(TokenError::NotYetValid));
}

#[test]
fn times_are_in_order() {
    assert_eq!(times(0, 1, 2), Ok(()));
    assert_eq!(times(1, 0, 2), Err(TokenError::Claims));
    assert_eq!(times(0, 2, 2), Err(TokenError::Claims));
    assert_eq!(times(0, 3, 2), Err(TokenError::Claims));
    assert_eq!(times(-NOW_SECOND, 0, 60), Err(TokenError::Claims), "an iat of 0");
    assert_eq!(times(-NOW_SECOND - 1, 0, 60), Err(TokenError::Claims), "a negative iat");
}

#[test]
fn a_life_is_at_most_a_day() {
    let most = i64::from(MAX_TTL_MINUTES) * 60;
    assert_eq!(times(0, 0, most), Ok(()));
    assert_eq!(times(0, 0, most + 1), Err(TokenError::Claims));
    assert_eq!(with(|claims| claims.exp = i64::MAX), Err(TokenError::Claims));
    assert_eq!(with(|claims| claims.exp = i64::MIN), Err(TokenError::Claims));
}

#[test]
fn a_token_is_no_older_than_the_state() {
    let ring = CurrentRing::new(KeyRing::parse(KEY).unwrap());
    let token = signed(&claims());
    let since = |second| verified(&Validator::new(ring.clone(), second), &token).map(|_| ());
    assert_eq!(since(NOW_SECOND), Ok(()));
    assert_eq!(since(NOW_SECOND + 1), Err(TokenError::OlderThanState));
}

#[test]
fn another_party_or_key_or_signature_is_refused() {
    assert_eq!(with(|claims| claims.iss = "vanta-api".to_owned()), Err(TokenError::Issuer));
    assert_eq!(with(|claims| claims.aud = "vanta-vault".to_owned()), Err(TokenError::Audience));
    let another = KeyRing::generate().unwrap();
    let token = sign(&another, &claims()).unwrap();
    assert_eq!(verified(&validator(), &token).err(), Some(TokenError::UnknownKey));
    let token = signed(&claims());
    let (input, _) = token.rsplit_once('.').unwrap();
    for signature in ["", "AA", &URL_SAFE_NO_PAD.encode([0; 32])] {
        let verified = verified(&validator(), &format!("{input}.{signature}"));
        assert_eq!(verified.err(), Some(TokenError::Signature), "{signature}");
    }
    for unreadable in ["A", "AA=", "*", "AA AA", "A\n"] {
        let verified = verified(&validator(), &format!("{input}.{unreadable}"));
        assert_eq!(verified.err(), Some(TokenError::Claims), "{unreadable:?}");
    }
}

#[test]
fn a_token_has_three_parts_and_sixteen_kib() {
    assert_eq!(shape(&signed(&claims())), Ok(()));
    for malformed in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e"] {
        assert_eq!(shape(malformed), Err(TokenError::Malformed), "{malformed}");
    }
    let token = signed(&claims());
    for (length, expected) in [(16 * 1024, Ok(())), (16 * 1024 + 1, Err(TokenError::Malformed))] {
        let long = format!("{token}{}", "A".repeat(length - token.len()));
        assert_eq!(shape(&long), expected, "{length} bytes");
    }
}

#[test]
fn a_header_is_exactly_what_the_vault_writes() {
    let good = json!({"alg": "HS256", "typ": TOKEN_TYPE, "kid": "k"});
    assert_eq!(with_header(&good.to_string()), Ok(()));
    for algorithm in ["none", "HS384", "hs256", "RS256", ""] {
        let mut header = good.clone();
        header["alg"] = json!(algorithm);
        assert_eq!(with_header(&header.to_string()), Err(TokenError::Algorithm), "{algorithm}");
    }
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("VANTA-AT+JWT")),
        ("kid", json!(1)),
        ("b64", json!(false)),
    ] {
        let mut header = good.clone();
        header[name] = value;
        assert_eq!(with_header(&header.to_string()), Err(TokenError::Header), "{header}");
    }
    for name in ["alg", "typ", "kid"] {
        let mut header = good.clone();
        header.as_object_mut().unwrap().remove(name);
        assert_eq!(with_header(&header.to_string()), Err(TokenError::Header), "without {name}");
    }
    assert_eq!(with_header("{"), Err(TokenError::Malformed));
}

#[test]
fn what_the_library_refuses_keeps_its_reason() {
    for (kind, expected) in [
        (ErrorKind::InvalidSignature, TokenError::Signature),
        (ErrorKind::InvalidAudience, TokenError::Audience),
        (ErrorKind::InvalidIssuer, TokenError::Issuer),
        (ErrorKind::InvalidAlgorithm, TokenError::Algorithm),
        (ErrorKind::InvalidAlgorithmName, TokenError::Algorithm),
        (ErrorKind::UnsupportedAlgorithm, TokenError::Algorithm),
        (ErrorKind::MissingAlgorithm, TokenError::Algorithm),
        (ErrorKind::InvalidToken, TokenError::Malformed),
        (ErrorKind::InvalidSubject, TokenError::Claims),
        (ErrorKind::MissingRequiredClaim("exp".to_owned()), TokenError::Claims),
    ] {
        assert_eq!(refusal(&kind), expected, "{kind:?}");
    }
}

proptest! {
    /// One changed character is a changed token, wherever it is.
    #[test]
    fn no_change_of_a_token_is_accepted(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let token = signed(&claims());
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &to);
        if changed != token {
            prop_assert!(verified(&validator(), &changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in "[ -~]{0,80}|[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_=-]{0,40}){2}") {
        prop_assert!(verified(&validator(), &text).is_err());
    }
}
