//! Signs heads and checks checkpoints (Ed25519, RFC 8032).

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::domain::checkpoint::{Checkpoint, Head, Removal};

/// A public key that checkpoints are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// The text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 64 hexadecimal digits")]
pub struct InvalidPublicKey;

impl std::str::FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim(), &mut key).map_err(|_| InvalidPublicKey)?;
        Ok(Self(key))
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Whether a checkpoint's signature is one of the key that it names.
pub fn signature_holds(checkpoint: &Checkpoint) -> bool {
    let Checkpoint { head, public_key, signature } = checkpoint;
    holds(&head.signed_text(), public_key, signature)
}

/// Whether a removal is signed with one of these keys.
pub fn removal_holds(removal: &Removal, keys: &[PublicKey]) -> bool {
    let Removal { head, public_key, signature } = removal;
    keys.iter().any(|key| key.to_string() == *public_key)
        && holds(&head.removal_text(), public_key, signature)
}

fn holds(text: &str, public_key: &str, signature: &str) -> bool {
    let Ok(PublicKey(key)) = public_key.parse() else { return false };
    let Ok(signature) = hex::decode(signature) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
}

/// The key that signs heads.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key of a seed.
    pub fn new(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.expect("each 32 bytes are a seed (RFC 8032 section 5.1.5)"))
    }

    /// What its signatures are checked with.
    pub fn public_key(&self) -> PublicKey {
        let key = self.0.public_key().as_ref();
        PublicKey(key.try_into().expect("an Ed25519 public key has 32 bytes"))
    }

    /// Signs a head.
    pub fn sign(&self, head: Head) -> Checkpoint {
        let signature = self.signature(&head.signed_text());
        Checkpoint { public_key: self.public_key().to_string(), signature, head }
    }

    /// Signs that the entries up to a head are removed.
    pub fn sign_removal(&self, head: Head) -> Removal {
        let signature = self.signature(&head.removal_text());
        Removal { public_key: self.public_key().to_string(), signature, head }
    }

    fn signature(&self, text: &str) -> String {
        hex::encode(self.0.sign(text.as_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64) -> Head {
        Head {
            replica: "r".to_owned(),
            sequence,
            hash: "0".repeat(64),
            time: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_signature_holds_for_what_was_signed_alone() {
        let key = SigningKey::new(&[7; 32]);
        let signed = key.sign(head(3));
        assert!(signature_holds(&signed));
        let mut another_head = signed.clone();
        another_head.head.sequence = 4;
        let mut another_key = signed.clone();
        another_key.public_key = SigningKey::new(&[8; 32]).public_key().to_string();
        let mut no_signature = signed.clone();
        no_signature.signature.clear();
        for changed in [another_head, another_key, no_signature] {
            assert!(!signature_holds(&changed), "{changed:?}");
        }
    }

    #[test]
    fn a_removal_holds_under_a_known_key_alone_and_a_checkpoint_is_none() {
        let (key, other) = (SigningKey::new(&[7; 32]), SigningKey::new(&[8; 32]).public_key());
        let signed = key.sign_removal(head(3));
        assert!(removal_holds(&signed, &[other.clone(), key.public_key()]));
        assert!(!removal_holds(&signed, &[other]));
        assert!(!removal_holds(&signed, &[]));
        let mut further = signed;
        further.head.sequence = 4;
        let Checkpoint { head, public_key, signature } = key.sign(head(3));
        for forged in [further, Removal { head, public_key, signature }] {
            assert!(!removal_holds(&forged, &[key.public_key()]), "{forged:?}");
        }
    }

    #[test]
    fn the_key_is_that_of_rfc_8032() {
        // Section 7.1, test 1.
        let mut seed = [0; 32];
        let text = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        hex::decode_to_slice(text, &mut seed).unwrap();
        assert_eq!(
            SigningKey::new(&seed).public_key().to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }
}
