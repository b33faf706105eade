//! A decrypted value: what it is, what of it SOPS hashes, and how it is served.

use zeroize::Zeroizing;

use super::number;
use super::sealed::Kind;
use super::time::Time;
use crate::domain::secret::SecretValue;

/// One value in the clear, for as short a time as possible.
pub(super) enum Plaintext {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Zeroizing<Vec<u8>>),
    Time(Time),
    Comment,
}

impl Plaintext {
    /// Reads bytes as what they are labelled (`aes/cipher.go`, `Decrypt`).
    pub(super) fn read(bytes: Zeroizing<Vec<u8>>, kind: Kind) -> Option<Self> {
        let text = || std::str::from_utf8(&bytes).ok();
        match kind {
            Kind::Str => Some(Self::Text(bytes)),
            Kind::Comment => Some(Self::Comment),
            Kind::Int => number::parse_int(text()?).map(Self::Int),
            Kind::Float => number::parse_float(text()?).map(Self::Float),
            Kind::Bool => number::parse_bool(text()?).map(Self::Bool),
            Kind::Time => Time::from_rfc3339(text()?).map(Self::Time),
        }
    }

    /// The bytes that go into the MAC (sops `ToBytes`).
    pub(super) fn hashed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Null | Self::Comment => Vec::new(),
            Self::Bool(true) => b"True".to_vec(),
            Self::Bool(false) => b"False".to_vec(),
            Self::Int(int) => int.to_string().into_bytes(),
            Self::Float(float) => number::positional(*float).into_bytes(),
            Self::Text(bytes) => bytes.to_vec(),
            Self::Time(time) => time.with_fraction().into_bytes(),
        })
    }

    /// The value as `sops exec-env` prints it (`stores.ValToString`); nothing for what is absent.
    pub(super) fn served(self) -> Option<SecretValue> {
        Some(match self {
            Self::Null | Self::Comment => return None,
            Self::Text(mut bytes) => SecretValue::new(std::mem::take(&mut *bytes)),
            Self::Bool(bool) => bool.to_string().into(),
            Self::Int(int) => int.to_string().into(),
            Self::Float(float) => number::shown_float(float).into(),
            Self::Time(time) => time.without_fraction().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, kind: Kind) -> Option<String> {
        let plain = Plaintext::read(Zeroizing::new(text.as_bytes().to_vec()), kind)?;
        let hashed = plain.hashed();
        let served = plain.served().map(|value| value.expose_str().unwrap().to_owned());
        Some(format!("{} {}", std::str::from_utf8(&hashed).unwrap(), served.unwrap_or_default()))
    }

    #[test]
    fn each_type_is_hashed_in_one_form_and_served_in_another() {
        for (text, kind, both) in [
            ("a", Kind::Str, "a a"),
            ("7", Kind::Int, "7 7"),
            ("2", Kind::Float, "2 2.0"),
            ("True", Kind::Bool, "True true"),
            ("f", Kind::Bool, "False false"),
            ("2020-01-02T03:04:05.5Z", Kind::Time, "2020-01-02T03:04:05.5Z 2020-01-02T03:04:05Z"),
            ("hello", Kind::Comment, " "),
        ] {
            assert_eq!(read(text, kind).as_deref(), Some(both));
        }
        for (text, kind) in
            [("a", Kind::Int), ("a", Kind::Float), ("yes", Kind::Bool), ("now", Kind::Time)]
        {
            assert_eq!(read(text, kind), None);
        }
    }
}
