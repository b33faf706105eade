//! The messages of SOPS's key service (`keyservice/keyservice.proto`) and how gRPC frames them.
//!
//! Only `Decrypt` is spoken.

use std::collections::BTreeMap;

use prost::Message as _;
use zeroize::Zeroizing;

use super::allowed::Allowed;
use super::name::{KeyName, KmsName};

/// The longest ciphertext of a data key, in bytes. Those that sops writes have a few hundred;
/// OpenPGP's, for large keys, a few thousand.
const MAX_CIPHERTEXT: usize = 64 * 1024;

/// An encrypted data key that is not too long to be one.
#[derive(Clone, Copy)]
pub struct Ciphertext<'a>(&'a [u8]);

impl<'a> Ciphertext<'a> {
    /// None where it is longer than 64 KiB.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() <= MAX_CIPHERTEXT).then_some(Self(bytes))
    }
}

/// The longest answer, in bytes. A data key has 32, a share of one 33.
pub(super) const MAX_ANSWER: usize = 4096;

/// A message is preceded by whether it is compressed and by its length.
const PREFIX: usize = 5;

#[derive(Clone, PartialEq, prost::Message)]
struct DecryptRequest {
    #[prost(message, optional, tag = "1")]
    key: Option<Key>,
    #[prost(bytes = "vec", tag = "2")]
    ciphertext: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Key {
    #[prost(oneof = "KeyType", tags = "1, 2, 3, 4, 5, 7")]
    key_type: Option<KeyType>,
}

/// Tag 6 is age, which is never asked for: its keys are read in this process.
#[derive(Clone, PartialEq, prost::Oneof)]
enum KeyType {
    #[prost(message, tag = "1")]
    Kms(KmsKey),
    #[prost(message, tag = "2")]
    Pgp(OneText),
    #[prost(message, tag = "3")]
    GcpKms(OneText),
    #[prost(message, tag = "4")]
    AzureKeyvault(ThreeTexts),
    #[prost(message, tag = "5")]
    Vault(ThreeTexts),
    #[prost(message, tag = "7")]
    Hckms(OneText),
}

#[derive(Clone, PartialEq, prost::Message)]
struct KmsKey {
    #[prost(string, tag = "1")]
    arn: String,
    #[prost(string, tag = "2")]
    role: String,
    #[prost(btree_map = "string, string", tag = "3")]
    context: BTreeMap<String, String>,
    #[prost(string, tag = "4")]
    aws_profile: String,
}

/// A fingerprint, a resource or an identifier.
#[derive(Clone, PartialEq, prost::Message)]
struct OneText {
    #[prost(string, tag = "1")]
    name: String,
}

/// An address, then where the key is below it.
#[derive(Clone, PartialEq, prost::Message)]
struct ThreeTexts {
    #[prost(string, tag = "1")]
    address: String,
    #[prost(string, tag = "2")]
    second: String,
    #[prost(string, tag = "3")]
    third: String,
}

/// A framed request.
pub(super) fn request(key: &Allowed, ciphertext: Ciphertext<'_>) -> Vec<u8> {
    // In the protocol, what is absent is empty.
    let or_empty = |part: &Option<String>| part.clone().unwrap_or_default();
    let text = |name: &str| OneText { name: name.to_owned() };
    let texts = |address: &str, second: &str, third: &str| ThreeTexts {
        address: address.to_owned(),
        second: second.to_owned(),
        third: third.to_owned(),
    };
    let key_type = match key.name() {
        KeyName::Kms(KmsName { arn, role, context, profile }) => KeyType::Kms(KmsKey {
            arn: arn.clone(),
            role: or_empty(role),
            context: context.clone(),
            aws_profile: or_empty(profile),
        }),
        KeyName::Pgp { fingerprint } => KeyType::Pgp(text(fingerprint)),
        KeyName::GcpKms { resource } => KeyType::GcpKms(text(resource)),
        KeyName::AzureKv { url, name, version } => {
            KeyType::AzureKeyvault(texts(url, name, &or_empty(version)))
        }
        KeyName::HcVault { address, engine, key } => KeyType::Vault(texts(address, engine, key)),
        KeyName::Hckms { id } => KeyType::Hckms(text(id)),
    };
    let message = DecryptRequest {
        key: Some(Key { key_type: Some(key_type) }),
        ciphertext: ciphertext.0.to_vec(),
    };
    let length = u32::try_from(message.encoded_len());
    let length = length.expect("a `Ciphertext` has at most 64 KiB, and a name is one of the list");
    let mut framed = vec![0; PREFIX];
    framed[1..].copy_from_slice(&length.to_be_bytes());
    message.encode(&mut framed).expect("a vector grows as it is needed");
    framed
}

/// The plaintext of a framed answer; none where it is not one whole message of that kind.
///
/// The message is `DecryptResponse`: field 1, bytes. It is read by hand, so that no copy of the
/// data key is left where nobody zeroes it.
pub(super) fn answer(framed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (prefix, mut message) = framed.split_at_checked(PREFIX)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    // Compression is for who offers it, and nobody does.
    if prefix[0] != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut plaintext = Zeroizing::default();
    while !message.is_empty() {
        let tag = prost::decode_length_delimiter(&mut message).ok()?;
        let length = prost::decode_length_delimiter(&mut message).ok()?;
        let (bytes, rest) = message.split_at_checked(length)?;
        if tag != (1 << 3 | 2) {
            return None;
        }
        plaintext = Zeroizing::new(bytes.to_vec());
        message = rest;
    }
    Some(plaintext)
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
