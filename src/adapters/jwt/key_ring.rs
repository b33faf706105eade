//! The keys that sign access tokens, and their exchange while the vault runs.
//!
//! Invariant: a ring has at least one key, and no two of one name.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::jwk;

/// The shortest key, in bytes: the size of the hash (RFC 7518 section 3.2).
const MIN_KEY_LEN: usize = 32;

/// The most keys: each is one that somebody may have.
const MAX_KEYS: usize = 16;

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
    /// It begins as a JWK Set and is none.
    #[error(
        "it begins with a brace and is no JWK Set (RFC 7517 section 5), as can be seen at line {line}, column {column}: write {{\"keys\": [{{\"kty\": \"oct\", \"k\": \"…\"}}]}}"
    )]
    NoKeySet {
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
    },
    /// A JWK Set without a key, or with too many.
    #[error(
        "the JWK Set has {0} keys: between 1 and {MAX_KEYS} are taken, of which the first signs"
    )]
    Count(usize),
    /// One key of a JWK Set cannot be used.
    #[error("key {number} of the JWK Set cannot be used: {reason}")]
    Key {
        /// Counts from 1.
        number: usize,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// The signing keys, of which the first signs and all verify.
pub struct KeyRing {
    keys: Vec<Key>,
}

pub(super) struct Key {
    /// What tokens that it signs name as their `kid`.
    pub(super) id: String,
    /// The name that it has without a `kid` of its own: tokens from before it had one name this.
    thumbprint: String,
    secret: SecretSlice<u8>,
}

impl KeyRing {
    /// The ring that these bytes are: a JWK Set (RFC 7517 section 5) of symmetric keys, of which
    /// the first signs, or else one key, where they are text without the white space around it.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let text = std::str::from_utf8(bytes).map(str::trim);
        // Random bytes may begin with a brace; text they are not.
        if let Ok(text) = text
            && text.starts_with('{')
        {
            return Self::of_set(text.as_bytes());
        }
        let secret = text.map_or(bytes, str::as_bytes);
        check(secret)?;
        Ok(Self { keys: vec![Key::new(secret.to_vec(), None)] })
    }

    fn of_set(json: &[u8]) -> Result<Self, KeyRingError> {
        let set = jwk::read_set(json)?;
        if set.is_empty() || set.len() > MAX_KEYS {
            return Err(KeyRingError::Count(set.len()));
        }
        let mut ring = Self { keys: Vec::with_capacity(set.len()) };
        for (number, jwk) in (1..).zip(set) {
            let refuse = |reason: String| KeyRingError::Key { number, reason };
            let (secret, id) = jwk.symmetric().map_err(|reason| refuse(reason.to_owned()))?;
            check(&secret).map_err(|error| refuse(error.to_string()))?;
            let key = Key::new(secret.to_vec(), id);
            if ring.by_id(&key.id).or_else(|| ring.by_id(&key.thumbprint)).is_some() {
                return Err(refuse("it, or its kid, is that of a key before it".to_owned()));
            }
            ring.keys.push(key);
        }
        Ok(ring)
    }

    /// A ring of one key that was never seen before.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = vec![0; 48];
        getrandom::fill(&mut secret)?;
        Ok(Self { keys: vec![Key::new(secret, None)] })
    }

    /// The names of the keys, the one that signs first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    pub(super) fn signing(&self) -> &Key {
        self.keys.first().expect("every constructor puts a key in")
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id || key.thumbprint == id)
    }
}

fn check(secret: &[u8]) -> Result<(), KeyRingError> {
    if secret.len() < MIN_KEY_LEN {
        return Err(KeyRingError::TooShort(secret.len()));
    }
    let mut different = Zeroizing::new(secret.to_vec());
    different.sort_unstable();
    different.dedup();
    // 32 random bytes, even written in hexadecimal, have fewer than 8 different characters
    // about once in 10^13 times.
    if different.len() < 8 {
        return Err(KeyRingError::NotRandom(different.len()));
    }
    Ok(())
}

impl Key {
    pub(super) fn new(secret: Vec<u8>, id: Option<String>) -> Self {
        // The thumbprint of RFC 7638 section 3.2, whose members are `k` and `kty`.
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(&secret));
        let json = Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, *encoded));
        let digest = Sha256::digest(json.as_bytes());
        let thumbprint = URL_SAFE_NO_PAD.encode(&digest[..12]);
        Self { id: id.unwrap_or_else(|| thumbprint.clone()), thumbprint, secret: secret.into() }
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
        let ids: Vec<&str> = self.ids().collect();
        f.debug_struct("KeyRing").field("ids", &ids).finish_non_exhaustive()
    }
}

/// The ring that is in use at this moment, shared by whoever signs and verifies.
#[derive(Debug)]
pub struct CurrentRing(ArcSwap<KeyRing>);

impl CurrentRing {
    /// Begins with this ring.
    pub fn new(ring: KeyRing) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(ring)))
    }

    /// The ring at this moment.
    pub fn load(&self) -> Arc<KeyRing> {
        self.0.load_full()
    }

    /// Puts another ring in its place: at once, for all who sign and verify from now on.
    pub fn replace(&self, ring: KeyRing) {
        self.0.store(Arc::new(ring));
    }
}

#[cfg(test)]
#[path = "key_ring_tests.rs"]
mod tests;
