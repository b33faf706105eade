//! Which texts and bytes are signing keys, and which of them signs.

use super::*;

const TEXT: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn jwk(secret: &str, more: &str) -> String {
    format!(r#"{{"kty": "oct", "k": "{}"{more}}}"#, URL_SAFE_NO_PAD.encode(secret))
}

fn set(keys: &[String]) -> Result<KeyRing, KeyRingError> {
    KeyRing::parse(format!("\n{{\"keys\": [{}]}}\n", keys.join(", ")).as_bytes())
}

fn refusal(keys: &[String]) -> String {
    set(keys).unwrap_err().to_string()
}

#[test]
fn a_key_that_is_short_or_not_random_is_refused() {
    let refusal = |bytes: &[u8]| KeyRing::parse(bytes).unwrap_err();
    assert_eq!(refusal(b"short"), KeyRingError::TooShort(5));
    assert_eq!(refusal(&[b'a'; 64]), KeyRingError::NotRandom(1));
    let spaces = format!("{}  \n", "0123456789abcdef0123456789abcde");
    assert_eq!(refusal(spaces.as_bytes()), KeyRingError::TooShort(31));
    let seven: Vec<u8> = (0..64).map(|at| b'a' + at % 7).collect();
    assert_eq!(refusal(&seven), KeyRingError::NotRandom(7));
    let eight: Vec<u8> = (0..64).map(|at| b'a' + at % 8).collect();
    assert!(KeyRing::parse(&eight).is_ok());
}

#[test]
fn a_key_is_found_by_its_own_id_alone() {
    let (ring, other) = (KeyRing::generate().unwrap(), KeyRing::generate().unwrap());
    let id = &ring.signing().id;
    assert!(ring.by_id(id).is_some());
    for unknown in ["", &id[1..], &other.signing().id] {
        assert!(ring.by_id(unknown).is_none(), "{unknown}");
    }
    // What RFC 7638 section 3.2 makes of this key, its first 96 bits.
    let known = KeyRing::parse(TEXT.as_bytes()).unwrap();
    assert_eq!(known.signing().id, "XOBEfwKZzZgziWfq");
}

#[test]
fn a_text_and_its_line_are_one_key_and_bytes_are_taken_as_they_are() {
    let text = KeyRing::parse(TEXT.as_bytes()).unwrap();
    let line = KeyRing::parse(format!("{TEXT}\r\n").as_bytes()).unwrap();
    assert_eq!(text.signing().id, line.signing().id);
    let bytes: Vec<u8> = (b'\n'..).chain(200..).take(31).chain([255]).collect();
    assert!(KeyRing::parse(&bytes).is_ok(), "32 bytes, of which the first is white space");
    let bytes: Vec<u8> = (b'{'..).chain(200..).take(31).chain([255]).collect();
    assert!(KeyRing::parse(&bytes).is_ok(), "32 bytes, of which the first is a brace");
}

#[test]
fn the_first_key_of_a_set_signs_and_all_are_found() {
    let ring = set(&[
        jwk(TEXT, r#", "kid": "new""#),
        jwk(OTHER, r#", "alg": "HS256", "key_ops": ["verify", "sign"]"#),
    ])
    .unwrap();
    assert_eq!(ring.signing().id, "new");
    assert_eq!(ring.ids().count(), 2);
    assert!(ring.ids().all(|id| ring.by_id(id).is_some()));
}

#[test]
fn a_key_that_gets_a_kid_is_still_found_by_the_name_that_it_had_without() {
    let before = KeyRing::parse(TEXT.as_bytes()).unwrap();
    let after = set(&[jwk(TEXT, r#", "kid": "old""#)]).unwrap();
    assert_eq!(after.signing().id, "old");
    assert!(after.by_id(&before.signing().id).is_some());
}

#[test]
fn a_set_that_cannot_be_used_is_refused_with_the_keys_number() {
    assert_eq!(set(&[]).unwrap_err(), KeyRingError::Count(0));
    let many: Vec<String> = (0..17).map(|n| jwk(&format!("{n:02}{TEXT}"), "")).collect();
    assert_eq!(set(&many).unwrap_err(), KeyRingError::Count(17));
    assert!(set(&many[..16]).is_ok());
    for (bad, why) in [
        (jwk(OTHER, r#", "alg": "HS512""#), "its alg is not HS256"),
        (jwk(OTHER, r#", "use": "enc""#), "its use is not sig"),
        (
            jwk(OTHER, r#", "key_ops": ["wrapKey", "unwrapKey"]"#),
            "its key_ops are not sign and verify",
        ),
        (jwk(OTHER, r#", "key_ops": ["sign"]"#), "its key_ops are not sign and verify"),
        (jwk(OTHER, r#", "key_ops": ["verify"]"#), "its key_ops are not sign and verify"),
        (jwk(OTHER, r#", "kid": """#), "its kid is not of 1 to 64 printable ASCII characters"),
        (jwk(OTHER, r#", "kid": "a b""#), "its kid is not of 1 to 64 printable ASCII characters"),
        (r#"{"kty": "oct"}"#.to_owned(), "it has no k"),
        (r#"{"kty": "oct", "k": "AA=="}"#.to_owned(), "its k is not base64url without padding"),
        (
            r#"{"kty": "RSA", "n": "AA", "e": "AQAB"}"#.to_owned(),
            "its kty is not oct; access tokens are signed with symmetric keys alone",
        ),
        (jwk(TEXT, ""), "it, or its kid, is that of a key before it"),
        (jwk(TEXT, r#", "kid": "other""#), "it, or its kid, is that of a key before it"),
    ] {
        let said = refusal(&[jwk(TEXT, ""), bad]);
        assert_eq!(said, format!("key 2 of the JWK Set cannot be used: {why}"));
    }
    let same_id = [jwk(TEXT, r#", "kid": "a""#), jwk(OTHER, r#", "kid": "a""#)];
    assert!(refusal(&same_id).ends_with("that of a key before it"));
    assert!(refusal(&[jwk("short", "")]).contains("has 5 bytes"));
}

#[test]
fn what_is_no_set_is_refused_without_a_word_of_it() {
    for bad in ["{", "{}", r#"{"keys": {}}"#, r#"{"keys": [{"kty": "oct", "k": {"secret": 1}}]}"#] {
        let error = KeyRing::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyRingError::NoKeySet { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn debug_shows_only_the_ids() {
    let shown = format!("{:?}", KeyRing::parse(TEXT.as_bytes()).unwrap());
    assert!(!shown.contains(TEXT) && shown.contains("ids"), "{shown}");
}

#[test]
fn a_ring_is_exchanged_at_once() {
    let current = CurrentRing::new(KeyRing::parse(TEXT.as_bytes()).unwrap());
    let before = current.load().signing().id.clone();
    current.replace(KeyRing::parse(OTHER.as_bytes()).unwrap());
    assert_ne!(current.load().signing().id, before);
}
