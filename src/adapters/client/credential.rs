//! What a caller shows to the vault.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::names::Label;

/// A text that cannot stand in a header. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredential {
    /// There is nothing, or white space alone.
    #[error("it is empty")]
    Empty,
    /// There is more than one word of printable ASCII.
    #[error("it is not one word of printable ASCII characters")]
    NotOneWord,
}

fn one_word(text: &str) -> Result<SecretString, InvalidCredential> {
    let word = text.trim();
    if word.is_empty() {
        return Err(InvalidCredential::Empty);
    }
    if !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidCredential::NotOneWord);
    }
    Ok(word.to_owned().into())
}

/// An access token of the vault's.
#[derive(Clone)]
pub struct AccessToken(SecretString);

impl AccessToken {
    /// Takes a token as text; white space around it, such as a file's last line end, is dropped.
    pub fn new(text: &str) -> Result<Self, InvalidCredential> {
        one_word(text).map(Self)
    }

    /// The token as text. Each call is a place where it can leak.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn header(&self) -> SecretString {
        bearer(&self.0)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}

/// What proves an identity.
#[derive(Clone)]
pub enum Credential {
    /// A client's name and secret (RFC 7617).
    Client {
        /// The client's name.
        name: Label,
        /// Its secret.
        secret: SecretString,
    },
    /// A service account's or an OpenID Connect issuer's token (RFC 6750).
    IdentityToken(SecretString),
}

impl Credential {
    /// A client's name and secret.
    pub fn client(name: Label, secret: &str) -> Result<Self, InvalidCredential> {
        Ok(Self::Client { name, secret: one_word(secret)? })
    }

    /// Somebody else's token.
    pub fn identity_token(token: &str) -> Result<Self, InvalidCredential> {
        one_word(token).map(Self::IdentityToken)
    }

    pub(super) fn header(&self) -> SecretString {
        match self {
            Self::Client { name, secret } => {
                let pair = SecretString::from(format!("{name}:{}", secret.expose_secret()));
                format!("Basic {}", STANDARD.encode(pair.expose_secret())).into()
            }
            Self::IdentityToken(token) => bearer(token),
        }
    }
}

fn bearer(token: &SecretString) -> SecretString {
    format!("Bearer {}", token.expose_secret()).into()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client { name, .. } => write!(f, "Client({name}, [redacted])"),
            Self::IdentityToken(_) => f.write_str("IdentityToken([redacted])"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_whose_credential_it_is_and_no_more() {
        let client = Credential::client("ci".parse().unwrap(), "hunter2").unwrap();
        assert_eq!(format!("{client:?}"), "Client(ci, [redacted])");
        assert_eq!(client.header().expose_secret(), "Basic Y2k6aHVudGVyMg==");
        let token = AccessToken::new("hunter2\n").unwrap();
        assert_eq!(format!("{token:?}"), "AccessToken([redacted])");
        assert_eq!(token.expose(), "hunter2");
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_refused() {
        for bad in ["", " \n", "a b", "a\nb", "é", "a\0"] {
            assert!(AccessToken::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
