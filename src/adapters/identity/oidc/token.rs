//! One ID token (OpenID Connect Core 1.0 sections 2 and 3.1.3.7): what it says and who signed it.
//!
//! Invariant: a text that says what is wrong repeats nothing of the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::keys::KeySet;
use crate::contract::issuers::IssuerEntry;
use crate::domain::claims::LEEWAY_SECONDS;
use crate::domain::identity::{Administers, Identity, Method, Subject};

/// Longer tokens are refused unread.
const MAX_TOKEN_LEN: usize = 16 * 1024;

/// The longest subject, as in a SecretAccess.
const MAX_SUBJECT_LEN: usize = 1024;

/// The longest token id that is recorded.
const MAX_ID_LEN: usize = 128;

/// The longest that a token may live, in seconds: what lives longer is no ID token of a job.
const MAX_LIFE: i64 = 24 * 60 * 60;

/// What is needed of a token's header.
pub(super) struct Header {
    pub(super) key_id: String,
    algorithm: Algorithm,
}

/// A header as it is read. Of what could name a key or change the meaning none may be there.
#[derive(Deserialize)]
struct Said {
    alg: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
    enc: Option<IgnoredAny>,
}

/// The three parts of a compact JWS (RFC 7515 section 7.1).
fn parts(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('.').filter(|_| text.len() <= MAX_TOKEN_LEN);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

fn payload(text: &str) -> Option<Map<String, Value>> {
    let [_, payload, _] = parts(text)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The issuer that a token claims, which nobody has vouched for.
pub(super) fn claimed_issuer(text: &str) -> Option<String> {
    payload(text)?.get("iss")?.as_str().map(str::to_owned)
}

/// The header, where it is one that is taken.
pub(super) fn header(text: &str) -> Result<Header, String> {
    let [header, _, _] = parts(text).ok_or("it is not of the form of a signed token")?;
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let said: Option<Said> = header.and_then(|header| serde_json::from_slice(&header).ok());
    let said = said.ok_or("its header cannot be read, or names an algorithm that is not taken")?;
    let Said { alg, kid, typ, crit, jku, jwk, x5u, x5c, b64, zip, enc } = said;
    if matches!(alg, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
        return Err("its algorithm is one of a shared key".to_owned());
    }
    if [crit, jku, jwk, x5u, x5c, b64, zip, enc].iter().any(Option::is_some) {
        return Err("its header holds one of crit, jku, jwk, x5u, x5c, b64, zip and enc".to_owned());
    }
    if typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err("its typ is another than JWT".to_owned());
    }
    let key_id = kid.filter(|kid| !kid.is_empty()).ok_or("its header names no key")?;
    Ok(Header { key_id, algorithm: alg })
}

/// Whether one of the keys that the header means has signed it.
pub(super) fn verify(text: &str, header: &Header, keys: &KeySet) -> Result<(), String> {
    if !keys.has(&header.key_id) {
        return Err("it names a key that the issuer does not have".to_owned());
    }
    let (message, signature) = text.rsplit_once('.').ok_or("it has no signature")?;
    let mut fitting = keys.of(&header.key_id, header.algorithm);
    let signed = fitting.any(|key| {
        let verified =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, header.algorithm);
        verified.unwrap_or(false)
    });
    if signed { Ok(()) } else { Err("its signature is none of that key".to_owned()) }
}

/// The identity that the claims speak of, where they are as they have to be at this moment.
pub(super) fn claims(text: &str, entry: &IssuerEntry, now: Timestamp) -> Result<Identity, String> {
    let claims = payload(text).ok_or("its claims cannot be read")?;
    let text_of = |name: &str| claims.get(name).and_then(Value::as_str);
    if text_of("iss") != Some(&entry.issuer) {
        return Err("it is of another issuer".to_owned());
    }
    audience(&claims, &entry.audience)?;
    let expires_at = times(&claims, now.as_second())?;
    for (name, wanted) in &entry.required_claims {
        let value = claims.get(name).and_then(scalar);
        let value = value.ok_or_else(|| {
            format!("it has no claim {name} of one value, which requiredClaims wants")
        })?;
        if !wanted.accepts(&value) {
            return Err(format!("its claim {name} is none of those that requiredClaims takes"));
        }
    }
    let subject = text_of(&entry.subject_claim).filter(|subject| {
        !subject.is_empty()
            && subject.len() <= MAX_SUBJECT_LEN
            && !subject.contains(char::is_control)
    });
    let subject = subject.ok_or_else(|| {
        format!("its claim {} is no text that can be a subject", entry.subject_claim)
    })?;
    let credential_id = text_of("jti").filter(|id| !id.is_empty() && id.len() <= MAX_ID_LEN);
    Ok(Identity {
        method: Method::Oidc,
        subject: Subject::Oidc { issuer: entry.issuer.clone(), subject: subject.to_owned() },
        pod: None,
        service_account_uid: None,
        credential_id: credential_id.map(str::to_owned),
        expires_at: Some(expires_at),
        // What a CI system runs is decided by whoever can write to a repository.
        administers: Administers::Nothing,
    })
}

/// The token has to be for this vault: alone, or, among several, as its authorized party, since
/// each of the others could else show it here.
fn audience(claims: &Map<String, Value>, audience: &str) -> Result<(), String> {
    let is = |value: &Value| value.as_str() == Some(audience);
    let refuse = || Err(format!("it is not for the audience {audience}"));
    match claims.get("aud") {
        Some(Value::Array(all)) if all.len() > 1 => {
            if !all.iter().any(is) {
                return refuse();
            }
            if claims.get("azp").is_some_and(is) {
                return Ok(());
            }
            Err("it is for several audiences, and azp does not name this vault's".to_owned())
        }
        Some(Value::Array(all)) if all.iter().any(is) => Ok(()),
        Some(one) if is(one) => Ok(()),
        _ => refuse(),
    }
}

/// When it ends; it has begun, and lives for no longer than it may.
fn times(claims: &Map<String, Value>, now: i64) -> Result<Timestamp, String> {
    let exp = seconds(claims, "exp")?.ok_or("it does not say when it ends")?;
    let iat = seconds(claims, "iat")?.ok_or("it does not say when it was issued")?;
    let nbf = seconds(claims, "nbf")?.unwrap_or(iat);
    if exp <= now {
        return Err("it has ended".to_owned());
    }
    if iat > now + LEEWAY_SECONDS || nbf > now + LEEWAY_SECONDS {
        return Err("it is of the future".to_owned());
    }
    if exp.saturating_sub(iat.min(nbf)) > MAX_LIFE {
        return Err(format!("it lives for more than {} hours", MAX_LIFE / 3600));
    }
    Timestamp::from_second(exp).map_err(|_| "its end is no time".to_owned())
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, String> {
    /// Beyond the year 9999 all is nonsense, and all before is exact in both forms.
    const LAST: f64 = 253_402_300_799.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let number = value.as_f64().filter(|number| (0.0..=LAST).contains(number));
    let number = number.ok_or_else(|| format!("its claim {name} is no time"))?;
    #[expect(clippy::cast_possible_truncation, reason = "it is in range, and whole after floor")]
    Ok(Some(number.floor() as i64))
}

/// A text, or what a number or a truth value is written as.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
