//! Secret values, which redact themselves.
//!
//! Invariant: a value has no `Display`, no `Serialize` and no `Debug` of its content, and its
//! memory is zeroed when it is dropped.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};

/// One secret's plaintext: bytes, nearly always UTF-8 text.
#[derive(Clone)]
pub struct SecretValue(SecretSlice<u8>);

impl SecretValue {
    /// Takes over the bytes of a plaintext.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// The plaintext. Each call is a place where a secret can leak: keep them few.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The plaintext as text, or `None` where it is not UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(self.expose()).ok()
    }
}

impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let value = SecretValue::from("hunter2".to_owned());
        assert_eq!(format!("{value:?}"), "SecretValue([redacted])");
        assert_eq!(value.expose_str(), Some("hunter2"));
    }
}
