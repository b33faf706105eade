//! A token of any bytes, or any header and claims signed with the vault's own key: what is
//! accepted says exactly what was signed, within all bounds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use vanta::adapters::jwt::{AUDIENCE, CurrentRing, ISSUER, KeyRing, UnverifiedToken, Validator};
use vanta::domain::identity::Subject;

const KEY: &[u8] = b"a signing key for fuzzing, 0123456789abcdef";

/// The moment of every validation, which the seeds' times are about.
const NOW: i64 = 1_700_000_000;

/// What stands for the ring's own `kid` in an input.
const KID: &str = "$KID";

/// An input is a token as it is shown, or `!`, a header, a line end and claims, to be signed.
pub(super) fn run(data: &[u8]) {
    is_accepted(data);
}

/// Whether an input is accepted, once all is asserted of it.
pub fn is_accepted(data: &[u8]) -> bool {
    let ring = KeyRing::parse(KEY).expect("the key is long enough");
    let kid = ring.ids().next().expect("a ring has a key").to_owned();
    let validator = Validator::new(CurrentRing::new(ring), 1);
    let now = Timestamp::from_second(NOW).expect("it is a moment");
    let Some(signed) = data.strip_prefix(b"!") else {
        let text = String::from_utf8_lossy(data);
        let verified = UnverifiedToken::parse(&text).and_then(|it| validator.verify(&it, now));
        assert!(verified.is_err(), "a token that nobody signed is accepted");
        return false;
    };
    let signed = String::from_utf8_lossy(signed).replace(KID, &kid);
    let (header, claims) = signed.split_once('\n').unwrap_or((&signed, ""));
    let token = sign(header, claims);
    let verified = UnverifiedToken::parse(&token).and_then(|it| validator.verify(&it, now));
    let Ok(verified) = verified else { return false };

    let header: Value = serde_json::from_str(header).expect("it was accepted");
    assert_eq!(header, json!({"alg": "HS256", "typ": "vanta-at+jwt", "kid": kid}));
    let known = verified.claims();
    let said: Value = serde_json::from_str(claims).expect("they were accepted");
    assert_eq!(tidied(said), serde_json::to_value(known).expect("claims are JSON"));
    assert_eq!((known.iss.as_str(), known.aud.as_str()), (ISSUER, AUDIENCE));
    assert!(0 < known.iat && known.iat <= known.nbf && known.nbf < known.exp);
    assert!(known.exp - known.iat <= 24 * 3600 && known.nbf <= NOW + 30 && NOW < known.exp + 30);
    true
}

fn sign(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("any length is taken");
    mac.update(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The claims in the one spelling that the vault writes: no empty list in `granted`, and the
/// subject as it is printed.
fn tidied(mut claims: Value) -> Value {
    if let Some(granted) = claims.pointer_mut("/scope/granted").and_then(Value::as_object_mut) {
        granted.retain(|_, patterns| patterns.as_array().is_none_or(|list| !list.is_empty()));
    }
    let subject = claims["sub"].as_str().and_then(|text| text.parse::<Subject>().ok());
    claims["sub"] = json!(subject.expect("it was accepted").to_string());
    claims
}
