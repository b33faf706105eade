//! JSON Web Keys, as far as they are symmetric (RFC 7517, RFC 7518 section 6.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::KeyRingError;

/// The longest `kid`: it is in every token's header.
const MAX_ID_LEN: usize = 64;

/// RFC 7517 section 5. Members that are not known are ignored, as it says.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// RFC 7517 section 4. It has no `Debug`: `k` is a secret.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(default, deserialize_with = "secret")]
    k: Option<Zeroizing<String>>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
}

fn secret<'de, D>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    String::deserialize(deserializer).map(|text| Some(Zeroizing::new(text)))
}

/// The keys of a set, in order. The error says where the JSON is wrong, and nothing of what it says.
pub(super) fn read_set(json: &[u8]) -> Result<Vec<Jwk>, KeyRingError> {
    let set: Result<JwkSet, _> = serde_json::from_slice(json);
    let set =
        set.map_err(|error| KeyRingError::NoKeySet { line: error.line(), column: error.column() })?;
    Ok(set.keys)
}

impl Jwk {
    /// The bytes of a key for HS256, and its `kid` where it has one.
    pub(super) fn symmetric(self) -> Result<(Zeroizing<Vec<u8>>, Option<String>), &'static str> {
        if self.kty != "oct" {
            return Err("its kty is not oct; access tokens are signed with symmetric keys alone");
        }
        if self.alg.is_some_and(|alg| alg != "HS256") {
            return Err("its alg is not HS256");
        }
        if self.usage.is_some_and(|usage| usage != "sig") {
            return Err("its use is not sig");
        }
        let needed = |ops: &Vec<String>| {
            ["sign", "verify"].iter().all(|needed| ops.iter().any(|op| op == needed))
        };
        if !self.key_ops.as_ref().is_none_or(needed) {
            return Err("its key_ops are not sign and verify");
        }
        let printable = |id: &String| {
            (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !self.kid.as_ref().is_none_or(printable) {
            return Err("its kid is not of 1 to 64 printable ASCII characters");
        }
        let k = self.k.ok_or("it has no k")?;
        let secret = URL_SAFE_NO_PAD.decode(k.as_bytes());
        let secret = secret.map_err(|_| "its k is not base64url without padding")?;
        Ok((Zeroizing::new(secret), self.kid))
    }
}
