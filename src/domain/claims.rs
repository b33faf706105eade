//! The claims of an access token, typed (RFC 7519 section 4.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::grants::Permission;
use super::identity::{PodReference, Subject};
use super::names::{Environment, InvalidName, Key};
use super::pattern::{GrantedPattern, KeyPattern};

/// An access token's identifier (`jti`): 128 random bits, as 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

impl TokenId {
    /// The identifier of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 32 && text.bytes().all(hexadecimal) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidName::new("token id", text, "a jti is 32 lower-case hexadecimal digits"))
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an access token may be used for. It bounds a read; the grants of the moment bound it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The one environment.
    pub environment: Environment,
    /// The keys that were asked for.
    pub key_pattern: KeyPattern,
    /// What was asked for and granted.
    pub permissions: Vec<Permission>,
    /// What the grants allowed at issue, so that a wide `key_pattern` does not grow with later
    /// grants. A key must match one of these.
    pub granted: Vec<GrantedPattern>,
}

impl Scope {
    /// Whether the token reaches this key, whatever the grants now say.
    pub fn covers(&self, key: &Key) -> bool {
        self.key_pattern.matches(key) && self.granted.iter().any(|granted| granted.matches(key))
    }
}

/// All claims of an access token. Times are whole seconds since the epoch (NumericDate).
///
/// Unknown and repeated claims are refused, and each claim has the one type that is shown here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The vault that issued it.
    pub iss: String,
    /// Whom it is meant for: the vault's API.
    pub aud: String,
    /// The subject that asked for it.
    pub sub: Subject,
    /// When it ends.
    pub exp: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its identifier.
    pub jti: TokenId,
    /// What it may be used for.
    pub scope: Scope,
    /// The most answers that carry a value; none means that the token is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<u32>,
    /// The pod that the subject's proof was bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodReference>,
    /// The uid of the service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_uid: Option<String>,
}
