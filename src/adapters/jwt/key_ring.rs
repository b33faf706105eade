//! The keys that sign access tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

/// The shortest key, in bytes: the size of the hash (RFC 7518 section 3.2).
const MIN_KEY_LEN: usize = 32;

/// Why a text is no signing key. It never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// It is too short to sign with.
    #[error(
        "the signing key has {0} bytes, and HS256 needs at least {MIN_KEY_LEN} random ones: make one with `openssl rand -base64 48`"
    )]
    TooShort(usize),
    /// It repeats itself too much to be random.
    #[error(
        "the signing key is not random: it has only {0} different bytes. Make one with `openssl rand -base64 48`"
    )]
    NotRandom(usize),
}

/// The signing keys, of which the first signs and all verify.
pub struct KeyRing {
    keys: Vec<Key>,
}

pub(super) struct Key {
    pub(super) id: String,
    secret: SecretSlice<u8>,
}

impl KeyRing {
    /// The ring of one key: these bytes, where they are text without the white space around it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let secret = std::str::from_utf8(bytes).map_or(bytes, |text| text.trim().as_bytes());
        if secret.len() < MIN_KEY_LEN {
            return Err(KeyRingError::TooShort(secret.len()));
        }
        let mut different = secret.to_vec();
        different.sort_unstable();
        different.dedup();
        // 32 random bytes, even written in hexadecimal, have fewer than 8 different characters
        // about once in 10^13 times.
        if different.len() < 8 {
            return Err(KeyRingError::NotRandom(different.len()));
        }
        Ok(Self { keys: vec![Key::new(secret.to_vec())] })
    }

    /// A ring of one key that was never seen before.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = vec![0; 48];
        getrandom::fill(&mut secret)?;
        Ok(Self { keys: vec![Key::new(secret)] })
    }

    pub(super) fn signing(&self) -> &Key {
        self.keys.first().expect("every constructor puts a key in")
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    pub(super) fn new(secret: Vec<u8>) -> Self {
        // The thumbprint of RFC 7638 section 3.2, whose members are `k` and `kty`.
        let encoded = URL_SAFE_NO_PAD.encode(&secret);
        let thumbprint = Sha256::digest(format!(r#"{{"k":"{encoded}","kty":"oct"}}"#));
        Self { id: URL_SAFE_NO_PAD.encode(&thumbprint[..12]), secret: secret.into() }
    }

    pub(super) fn encoding(&self) -> EncodingKey {
        EncodingKey::from_secret(self.secret.expose_secret())
    }

    pub(super) fn decoding(&self) -> DecodingKey {
        DecodingKey::from_secret(self.secret.expose_secret())
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
        f.debug_struct("KeyRing").field("ids", &ids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_short_or_not_random_is_refused() {
        let refusal = |bytes: &[u8]| KeyRing::from_bytes(bytes).unwrap_err();
        assert_eq!(refusal(b"short"), KeyRingError::TooShort(5));
        assert_eq!(refusal(&[b'a'; 64]), KeyRingError::NotRandom(1));
        let spaces = format!("{}  \n", "0123456789abcdef0123456789abcde");
        assert_eq!(refusal(spaces.as_bytes()), KeyRingError::TooShort(31));
        let seven: Vec<u8> = (0..64).map(|at| b'a' + at % 7).collect();
        assert_eq!(refusal(&seven), KeyRingError::NotRandom(7));
        let eight: Vec<u8> = (0..64).map(|at| b'a' + at % 8).collect();
        assert!(KeyRing::from_bytes(&eight).is_ok());
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
        let known = KeyRing::from_bytes(b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(known.signing().id, "XOBEfwKZzZgziWfq");
    }

    #[test]
    fn a_text_and_its_line_are_one_key_and_bytes_are_taken_as_they_are() {
        let text = KeyRing::from_bytes(b"0123456789abcdef0123456789abcdef").unwrap();
        let line = KeyRing::from_bytes(b"0123456789abcdef0123456789abcdef\r\n").unwrap();
        assert_eq!(text.signing().id, line.signing().id);
        let bytes: Vec<u8> = (b'\n'..).chain(200..).take(31).chain([255]).collect();
        assert!(KeyRing::from_bytes(&bytes).is_ok(), "32 bytes, of which the first is white space");
    }

    #[test]
    fn debug_shows_only_the_ids() {
        let text = "0123456789abcdef0123456789abcdef";
        let shown = format!("{:?}", KeyRing::from_bytes(text.as_bytes()).unwrap());
        assert!(!shown.contains(text) && shown.contains("ids"), "{shown}");
    }
}
