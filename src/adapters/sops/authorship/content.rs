//! A fingerprint of a file's content as it is encrypted: what a change of anything that is served
//! changes, and what `sops updatekeys`, which changes no value, does not.

use sha2::{Digest, Sha256};

use super::super::plaintext::Plaintext;
use super::super::sealed::{Kind, Sealed};
use super::super::tree::Scalar;
use super::super::walk::{Content, Leaf};

/// The digest, while leaves are added in their order.
#[derive(Default)]
pub(in super::super) struct ContentDigest(Sha256);

impl ContentDigest {
    /// Adds a value, by what the file says of it: what the administrator's leave makes of it is no
    /// part of the file.
    pub(in super::super) fn add(&mut self, path: &str, leaf: &Leaf) {
        self.part(path.as_bytes());
        // Without the lists that are in the path, so that a list is no mapping with numbers.
        self.part(leaf.place.as_bytes());
        self.part(&[u8::from(leaf.plain_by_rule)]);
        match &leaf.content {
            Content::Sealed(sealed) => self.sealed(sealed),
            Content::Plain(scalar) => self.plain(scalar),
        }
    }

    /// Of all that was added.
    pub(in super::super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn sealed(&mut self, sealed: &Sealed) {
        self.part(&sealed.ciphertext);
        self.part(&sealed.nonce);
        self.part(&sealed.tag);
        self.part(match sealed.kind {
            Kind::Str => b"str",
            Kind::Int => b"int",
            Kind::Float => b"float",
            Kind::Bool => b"bool",
            Kind::Time => b"time",
            Kind::Comment => b"comment",
        });
    }

    fn plain(&mut self, scalar: &Scalar) {
        self.part(match scalar {
            Scalar::Null => b"null",
            Scalar::Bool(_) => b"bool",
            Scalar::Int(_) => b"int",
            Scalar::Float(_) => b"float",
            Scalar::Text(_) => b"text",
            Scalar::Time(_) => b"time",
        });
        self.part(&Plaintext::from(scalar).hashed());
    }

    /// With its length before it, so that no boundary can be moved.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}
