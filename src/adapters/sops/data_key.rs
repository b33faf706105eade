//! A file's data key: AES-256-GCM (NIST SP 800-38D) with nonces of 8, 12, 16, 24 or 32 bytes.
//!
//! Sops writes 32 bytes and reads any length; the cipher has its length in its type, so that the
//! lengths that somebody might use are listed and all others refused.
//!
//! Invariant: the key has no `Debug`, and its memory is zeroed when it is dropped. Nothing is
//! decrypted before its tag has been found right, in constant time.

use aes_gcm::aead::array::ArraySize;
use aes_gcm::aead::consts::{U8, U12, U16, U24, U32};
use aes_gcm::aes::Aes256;
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

use super::data_keys;
use super::error::ValueError;
use super::plaintext::Plaintext;
use super::sealed::Sealed;
use crate::domain::data_keys::DataKeyCode;

/// The key that a file's values are encrypted with.
pub(super) struct DataKey {
    cipher: Aes256,
    code: DataKeyCode,
}

impl DataKey {
    /// Takes a key of 32 bytes; `None` where it has another length.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let cipher = Aes256::new_from_slice(key).ok()?;
        Some(Self { cipher, code: data_keys::code(key) })
    }

    /// What tells it from others.
    pub(super) fn code(&self) -> DataKeyCode {
        self.code
    }

    /// Decrypts one value where it stands, and reads it as what it is labelled.
    pub(super) fn open(&self, sealed: &Sealed, place: &str) -> Result<Plaintext, ValueError> {
        let bytes = self.decrypt(sealed, place.as_bytes())?;
        Plaintext::read(bytes, sealed.kind).ok_or(ValueError::WrongType)
    }

    fn decrypt(&self, sealed: &Sealed, place: &[u8]) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        match sealed.nonce.len() {
            8 => self.decrypt_with::<U8>(sealed, place),
            12 => self.decrypt_with::<U12>(sealed, place),
            16 => self.decrypt_with::<U16>(sealed, place),
            24 => self.decrypt_with::<U24>(sealed, place),
            32 => self.decrypt_with::<U32>(sealed, place),
            _ => Err(ValueError::NonceLength),
        }
    }

    fn decrypt_with<Length: ArraySize>(
        &self,
        sealed: &Sealed,
        place: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ValueError> {
        let nonce: &Nonce<Length> =
            (&*sealed.nonce).try_into().map_err(|_| ValueError::NonceLength)?;
        let mut bytes = Zeroizing::new(sealed.ciphertext.to_vec());
        AesGcm::<Aes256, Length>::from(self.cipher.clone())
            .decrypt_inout_detached(
                nonce,
                place,
                bytes.as_mut_slice().into(),
                &Tag::from(sealed.tag),
            )
            .map_err(|_| ValueError::Unauthentic)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sealed::Kind;
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn seal<Length: ArraySize>(text: &[u8], place: &[u8]) -> Sealed {
        let nonce = Nonce::<Length>::default();
        let mut ciphertext = text.to_vec();
        let tag = AesGcm::<Aes256, Length>::new(&KEY.into())
            .encrypt_inout_detached(&nonce, place, ciphertext.as_mut_slice().into())
            .unwrap();
        Sealed {
            ciphertext: ciphertext.into(),
            nonce: nonce.as_slice().into(),
            tag: tag.into(),
            kind: Kind::Str,
        }
    }

    fn opens<Length: ArraySize>() {
        let key = DataKey::new(&KEY).unwrap();
        for length in [0, 1, 16, 17, 1000] {
            let text = vec![b'x'; length];
            let sealed = seal::<Length>(&text, b"a:b:");
            assert_eq!(**key.decrypt(&sealed, b"a:b:").unwrap(), text);
            assert_eq!(key.decrypt(&sealed, b"a:"), Err(ValueError::Unauthentic));
            for at in 0..16 {
                let mut sealed = sealed.clone();
                sealed.tag[at] ^= 1;
                assert_eq!(key.decrypt(&sealed, b"a:b:"), Err(ValueError::Unauthentic));
            }
        }
    }

    #[test]
    fn a_value_opens_in_its_place_alone_with_a_nonce_of_each_length() {
        opens::<U8>();
        opens::<U12>();
        opens::<U16>();
        opens::<U24>();
        opens::<U32>();
    }

    #[test]
    fn a_nonce_of_another_length_is_refused_by_name() {
        let mut sealed = seal::<U32>(b"x", b"");
        sealed.nonce = Box::new([0; 13]);
        let error = DataKey::new(&KEY).unwrap().decrypt(&sealed, b"").unwrap_err();
        insta::assert_snapshot!(error, @"its nonce has a length that nobody writes: 32 bytes, or 8, 12, 16 or 24, are read");
    }

    #[test]
    fn it_is_the_cipher_of_nist() {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14.
        let sealed = Sealed {
            ciphertext: hex::decode("cea7403d4d606b6e074ec5d3baf39d18").unwrap().into(),
            nonce: Box::new([0; 12]),
            tag: hex::decode("d0d1c8a799996bf0265b98b5d48ab919").unwrap().try_into().unwrap(),
            kind: Kind::Str,
        };
        let opened = DataKey::new(&[0; 32]).unwrap().decrypt(&sealed, b"").unwrap();
        assert_eq!(**opened, [0; 16]);
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert!(DataKey::new(&[0; 16]).is_none());
        assert!(DataKey::new(&[0; 33]).is_none());
    }
}
