//! A file's data key: AES-256-GCM with a nonce of any length (NIST SP 800-38D, section 7).
//!
//! Invariant: the key has no `Debug`, and its memory is zeroed when it is dropped. The tag is
//! compared in constant time, and nothing is decrypted before it has been found right.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::error::ValueError;
use super::plaintext::Plaintext;
use super::sealed::Sealed;

type Block = Array<u8, aes::cipher::consts::U16>;

/// The key that a file's values are encrypted with.
pub(super) struct DataKey {
    cipher: Aes256,
    /// Keyed with the encryption of the zero block; cloned for each use.
    hash: GHash,
}

impl DataKey {
    /// Takes a key of 32 bytes; `None` where it has another length.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let cipher = Aes256::new_from_slice(key).ok()?;
        let mut hash_key = Block::default();
        cipher.encrypt_block(&mut hash_key);
        let hash = GHash::new(&hash_key);
        hash_key.zeroize();
        Some(Self { cipher, hash })
    }

    /// Decrypts one value where it stands, and reads it as what it is labelled.
    pub(super) fn open(&self, sealed: &Sealed, place: &str) -> Result<Plaintext, ValueError> {
        let bytes = self
            .decrypt(&sealed.nonce, place.as_bytes(), &sealed.ciphertext, &sealed.tag)
            .ok_or(ValueError::Unauthentic)?;
        Plaintext::read(bytes, sealed.kind).ok_or(ValueError::WrongType)
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        additional: &[u8],
        ciphertext: &[u8],
        tag: &[u8; 16],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let first = self.first_counter(nonce);
        let mut mask = first;
        self.cipher.encrypt_block(&mut mask);
        let mut expected = self.digest(additional, ciphertext);
        for (byte, mask) in expected.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        if !bool::from(expected.as_slice().ct_eq(tag)) {
            return None;
        }
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let mut counter = first;
        for chunk in plain.chunks_mut(16) {
            increment(&mut counter);
            let mut stream = counter;
            self.cipher.encrypt_block(&mut stream);
            for (byte, stream) in chunk.iter_mut().zip(stream) {
                *byte ^= stream;
            }
            stream.zeroize();
        }
        Some(plain)
    }

    /// J0: the nonce with a counter of one where it has 96 bits, else its hash.
    fn first_counter(&self, nonce: &[u8]) -> Block {
        let mut block = Block::default();
        if nonce.len() == 12 {
            block[..12].copy_from_slice(nonce);
            block[15] = 1;
            return block;
        }
        self.digest(&[], nonce)
    }

    /// GHASH over both texts, each padded, and their lengths in bits.
    fn digest(&self, additional: &[u8], text: &[u8]) -> Block {
        let bits = |text: &[u8]| (text.len() as u64 * 8).to_be_bytes();
        let mut lengths = Block::default();
        lengths[..8].copy_from_slice(&bits(additional));
        lengths[8..].copy_from_slice(&bits(text));
        let mut hash = self.hash.clone();
        hash.update_padded(additional);
        hash.update_padded(text);
        hash.update(&[lengths]);
        hash.finalize()
    }
}

/// Adds one to the last 32 bits, which wrap around by themselves.
fn increment(counter: &mut Block) {
    for byte in counter[12..].iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use aes_gcm::AesGcm;
    use aes_gcm::aead::consts::{U1, U8, U12, U16, U32, U64};
    use aes_gcm::aead::{Aead, Payload};

    use super::*;

    fn pattern(length: usize, seed: u8) -> Vec<u8> {
        (0..=u8::MAX)
            .cycle()
            .map(|at| at.wrapping_mul(31).wrapping_add(seed))
            .take(length)
            .collect()
    }

    fn agree<N: aes_gcm::aead::array::ArraySize>() {
        let key = pattern(32, 1);
        let nonce = pattern(N::USIZE, 2);
        let other = AesGcm::<Aes256, N>::new_from_slice(&key).unwrap();
        let ours = DataKey::new(&key).unwrap();
        for (text, additional) in [(0, 0), (1, 5), (16, 16), (17, 33), (1000, 2)] {
            let (text, additional) = (pattern(text, 3), pattern(additional, 4));
            let payload = Payload { msg: &text, aad: &additional };
            let nonce_array: &aes_gcm::Nonce<N> = nonce.as_slice().try_into().unwrap();
            let mut sealed = other.encrypt(nonce_array, payload).unwrap();
            let tag = sealed.split_off(text.len()).try_into().unwrap();
            let opened = ours.decrypt(&nonce, &additional, &sealed, &tag);
            assert_eq!(opened.as_deref(), Some(&text), "a nonce of {} bytes", N::USIZE);
            for at in 0..16 {
                let mut tag = tag;
                tag[at] ^= 1;
                assert!(ours.decrypt(&nonce, &additional, &sealed, &tag).is_none());
            }
            assert!(ours.decrypt(&nonce, b"elsewhere", &sealed, &tag).is_none());
        }
    }

    #[test]
    fn it_agrees_with_another_implementation_on_every_length_of_nonce() {
        agree::<U1>();
        agree::<U8>();
        agree::<U12>();
        agree::<U16>();
        agree::<U32>();
        agree::<U64>();
    }

    #[test]
    fn the_counter_wraps_within_its_32_bits() {
        let mut counter = Block::from([0xff; 16]);
        increment(&mut counter);
        assert_eq!(counter[..12], [0xff; 12]);
        assert_eq!(counter[12..], [0; 4]);
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert!(DataKey::new(&[0; 16]).is_none());
        assert!(DataKey::new(&[0; 33]).is_none());
    }
}
