//! Project Wycheproof's vectors of HMAC-SHA-256, all of them, against what verifies a token.
//!
//! - Each vector's key, message and tag go to the function that [`jsonwebtoken::decode`] verifies
//!   with, by way of the ring's own keys. A message of a vector is no `header.claims`, so it cannot
//!   come as a token.
//! - What a vector changes of a tag is changed of a token's signature, which goes through the whole
//!   validator.
//! - Vectors of 128-bit tags have to be refused, right ones too: HS256 knows no truncation (RFC
//!   7518 section 3.2).
//! - Not covered: keys shorter than a ring takes come to the first check alone, and how long a
//!   comparison takes is not measured.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::Algorithm;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sha2::Sha256;

use super::key_ring::Key;
use super::validator_tests::{NOW, claims};
use super::{CurrentRing, KeyRing, TokenError, UnverifiedToken, Validator, sign};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    tag_size: usize,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    tc_id: usize,
    comment: String,
    #[serde(deserialize_with = "bytes")]
    key: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    msg: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    tag: Vec<u8>,
    result: String,
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Each vector, and whether HS256 takes its tag.
fn vectors() -> Vec<(Vector, bool)> {
    let text = include_str!("../../../tests/fixtures/wycheproof/hmac_sha256_test.json");
    let all: Vectors = serde_json::from_str(text).unwrap();
    let of_group = |group: Group| {
        let whole = group.tag_size == 256;
        group.tests.into_iter().map(move |vector| {
            let valid = vector.result == "valid";
            assert!(valid || vector.result == "invalid", "{} is neither", vector.tc_id);
            (vector, valid && whole)
        })
    };
    let vectors: Vec<_> = all.test_groups.into_iter().flat_map(of_group).collect();
    assert_eq!(vectors.len(), all.number_of_tests);
    vectors
}

#[test]
fn every_vector_is_taken_or_refused_as_it_says() {
    let mut taken = 0;
    for (vector, expected) in vectors() {
        let key = Key::new(vector.key, None).decoding();
        let tag = URL_SAFE_NO_PAD.encode(&vector.tag);
        let verified = jsonwebtoken::crypto::verify(&tag, &vector.msg, &key, Algorithm::HS256);
        assert_eq!(verified.unwrap(), expected, "{}: {}", vector.tc_id, vector.comment);
        taken += usize::from(expected);
    }
    assert_eq!(taken, 33, "27 vectors of a 256-bit key, 3 each of shorter and longer ones");
}

#[test]
fn a_signature_that_is_changed_as_the_vectors_change_a_tag_is_refused() {
    let mut refused = 0;
    for (vector, expected) in vectors() {
        let Ok(ring) = KeyRing::parse(&vector.key) else { continue };
        let validator = Validator::new(CurrentRing::new(ring), 0);
        let token = sign(&validator.ring.load(), &claims()).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();

        // The tag that is right, whole, and so what the vector changed of it.
        let mut mac = Hmac::<Sha256>::new_from_slice(&vector.key).unwrap();
        mac.update(&vector.msg);
        let whole = mac.finalize().into_bytes();
        let changes = whole.iter().zip(&vector.tag).map(|(whole, tag)| whole ^ tag);
        signature = signature.iter().zip(changes).map(|(byte, change)| byte ^ change).collect();

        let other = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        let other = UnverifiedToken::parse(&other).unwrap();
        let outcome = validator.verify(&other, NOW).map(|_| ());
        let expected = if expected { Ok(()) } else { Err(TokenError::Signature) };
        assert_eq!(outcome, expected, "{}: {}", vector.tc_id, vector.comment);
        refused += usize::from(outcome.is_err());
    }
    assert_eq!(refused, 138, "108 changed tags, and 30 right ones of 128 bits");
}
