//! A fingerprint of a file's content as it is encrypted: what a change of anything that is served
//! changes, and what `sops updatekeys`, which changes no value, does not.

use sha2::{Digest, Sha256};

use super::super::leave::Withheld;
use super::super::plaintext::Plaintext;
use super::super::sealed::{Kind, Sealed};
use super::super::tree::Scalar;
use super::super::walk::Content;

/// The digest, while leaves are added in their order.
#[derive(Default)]
pub(in super::super) struct ContentDigest(Sha256);

impl ContentDigest {
    /// Adds a value.
    pub(in super::super) fn add(
        &mut self,
        path: &str,
        content: &Content,
        withheld: Option<Withheld>,
    ) {
        self.part(path.as_bytes());
        self.part(&[match withheld {
            None => 0,
            Some(Withheld::Plain) => 1,
            Some(Withheld::BelowList) => 2,
        }]);
        match content {
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
