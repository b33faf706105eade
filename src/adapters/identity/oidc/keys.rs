//! An issuer's public keys (RFC 7517), each for the algorithms that it is good for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations,
    PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// The least and the most bits of an RSA modulus, in bytes: shorter ones are weak, and longer ones
/// take a caller's token long to verify.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The most keys of a set, and the most by one name: whoever shows a token has each by its name
/// tried.
const MOST_KEYS: usize = 64;
const MOST_OF_ONE_NAME: usize = 2;

/// The keys of an issuer that can be used here.
pub(super) struct KeySet(Vec<Key>);

struct Key {
    id: String,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Those of a JWK set that can be used; one of another kind is passed over.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(text).map_err(|_| "the answer is no JWK set".to_owned())?;
        if document.keys.len() > MOST_KEYS {
            return Err(format!("the JWK set has more than {MOST_KEYS} keys"));
        }
        let keys: Vec<Key> = document.keys.into_iter().filter_map(key).collect();
        let namesakes = |key: &Key| keys.iter().filter(|other| other.id == key.id).count();
        if keys.iter().any(|key| namesakes(key) > MOST_OF_ONE_NAME) {
            return Err(format!("the JWK set has more than {MOST_OF_ONE_NAME} keys of one kid"));
        }
        Ok(Self(keys))
    }

    /// What is wrong with a set of which nothing can be used. It is one all the same: an issuer
    /// that takes its keys back says it so.
    pub(super) fn problem(&self) -> Option<&'static str> {
        self.0.is_empty().then_some(
            "no key of the JWK set can be used: it needs a kid, and RSA, P-256, P-384 or Ed25519 \
             for signatures",
        )
    }

    /// Whether there is a key by this name.
    pub(super) fn has(&self, key_id: &str) -> bool {
        self.0.iter().any(|key| key.id == key_id)
    }

    /// The keys by this name that are good for the algorithm.
    pub(super) fn of(
        &self,
        key_id: &str,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let fits = move |key: &&Key| key.id == key_id && key.algorithms.contains(&algorithm);
        self.0.iter().filter(fits).map(|key| &key.decoding)
    }

    #[cfg(test)]
    pub(super) fn for_test(key_ids: &[&str]) -> Self {
        let key = |id: &&str| Key {
            id: (*id).to_owned(),
            algorithms: vec![],
            decoding: DecodingKey::from_ed_der(&[0; 32]),
        };
        Self(key_ids.iter().map(key).collect())
    }
}

fn key(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let CommonParameters { public_key_use, key_operations, key_algorithm, key_id, .. } =
        &jwk.common;
    let for_signatures = public_key_use.as_ref().is_none_or(|one| *one == PublicKeyUse::Signature);
    let to_verify = key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let mut algorithms = algorithms(&jwk.algorithm)?;
    if let Some(said) = key_algorithm {
        algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == *said);
    }
    let id = key_id.clone().filter(|id| !id.is_empty())?;
    let usable = for_signatures && to_verify && !algorithms.is_empty();
    let decoding = DecodingKey::from_jwk(&jwk).ok().filter(|_| usable)?;
    Some(Key { id, algorithms, decoding })
}

/// What a key of this kind can verify: none where it is none to be used.
fn algorithms(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let length = modulus.iter().skip_while(|byte| **byte == 0).count();
            RSA_BYTES.contains(&length).then(|| {
                use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
                vec![RS256, RS384, RS512, PS256, PS384, PS512]
            })
        }
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some(vec![Algorithm::ES256]),
            EllipticCurve::P384 => Some(vec![Algorithm::ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) => {
            (key.curve == EllipticCurve::Ed25519).then(|| vec![Algorithm::EdDSA])
        }
        // A key that is shared with whoever can read the set proves nothing.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ed25519(more: &Value) -> Value {
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": URL_SAFE_NO_PAD.encode([1; 32])});
        for (name, value) in more.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    fn usable(keys: &[Value], algorithm: Algorithm) -> bool {
        let set = KeySet::parse(json!({"keys": keys}).to_string().as_bytes());
        set.is_ok_and(|set| set.of("a", algorithm).next().is_some())
    }

    #[test]
    fn a_key_is_used_for_what_it_says_it_is_for() {
        for (more, expected) in [
            (json!({}), true),
            (json!({"use": "sig"}), true),
            (json!({"use": "enc"}), false),
            (json!({"key_ops": ["verify"]}), true),
            (json!({"key_ops": ["sign"]}), false),
            (json!({"alg": "EdDSA"}), true),
            (json!({"alg": "ES256"}), false),
            (json!({"alg": "ML-DSA-44"}), false),
            (json!({"crv": "X25519"}), false),
            (json!({"kid": ""}), false),
            (json!({"kid": null}), false),
        ] {
            assert_eq!(usable(&[ed25519(&more)], Algorithm::EdDSA), expected, "{more}");
        }
        assert!(!usable(&[ed25519(&json!({}))], Algorithm::ES256));
    }

    #[test]
    fn a_shared_or_a_weak_key_is_no_key() {
        let shared = json!({"kty": "oct", "kid": "a", "k": URL_SAFE_NO_PAD.encode([1; 64])});
        assert!(!usable(&[shared], Algorithm::HS256));
        let rsa = |bytes: usize| json!({"kty": "RSA", "kid": "a", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xFF; bytes])});
        for (bytes, expected) in
            [(128, false), (255, false), (256, true), (512, true), (513, false)]
        {
            assert_eq!(usable(&[rsa(bytes)], Algorithm::RS256), expected, "{bytes}");
        }
    }

    #[test]
    fn a_set_that_would_take_long_to_try_is_refused() {
        let named = |id: usize| ed25519(&json!({"kid": id.to_string()}));
        let set = |keys: Vec<Value>| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
        assert!(set((0..64).map(named).collect()).is_ok());
        assert!(set((0..65).map(named).collect()).is_err());
        assert!(set(vec![named(1), named(1)]).is_ok());
        assert!(set(vec![named(1), named(1), named(1)]).is_err());
    }

    #[test]
    fn what_is_not_known_in_a_set_takes_nothing_from_the_rest() {
        let unknown = json!({"kty": "AKP", "kid": "z", "pub": "x"});
        assert!(usable(&[unknown, json!(1), ed25519(&json!({}))], Algorithm::EdDSA));
        assert!(KeySet::parse(b"{\"keys\": []}").unwrap().problem().is_some());
        assert!(KeySet::parse(b"<html>").is_err());
    }
}
