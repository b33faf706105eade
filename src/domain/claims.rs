//! The claims of an access token, typed (RFC 7519 section 4.1).

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::grants::Permission;
use super::identity::{PodReference, Subject};
use super::names::{Environment, InvalidName};
use super::pattern::{GrantedPattern, KeyPattern};

/// How far the clocks of who issued a token and of who checks it may be apart, in seconds
/// (RFC 7519 sections 4.1.4 and 4.1.5).
pub const LEEWAY_SECONDS: i64 = 30;

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
    /// grants.
    #[serde(deserialize_with = "object")]
    pub granted: Granted,
}

/// The keys that each permission was granted for: a key must match one pattern of the permission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// Those whose values may be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<GrantedPattern>,
    /// Those whose names may be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<GrantedPattern>,
}

impl Granted {
    /// The patterns of one permission.
    pub fn of(&self, permission: Permission) -> &[GrantedPattern] {
        match permission {
            Permission::Read => &self.read,
            Permission::List => &self.list,
        }
    }

    /// The patterns of one permission, to be set.
    pub fn of_mut(&mut self, permission: Permission) -> &mut Vec<GrantedPattern> {
        match permission {
            Permission::Read => &mut self.read,
            Permission::List => &mut self.list,
        }
    }
}

#[cfg(feature = "patterns")]
impl Scope {
    /// Whether the token reaches this key in this way, whatever the grants now say.
    pub fn covers(&self, permission: Permission, key: &super::names::Key) -> bool {
        self.permissions.contains(&permission)
            && self.key_pattern.matches(key)
            && self.granted.of(permission).iter().any(|granted| granted.matches(key))
    }
}

/// All claims of an access token. Times are whole seconds since the epoch (NumericDate).
///
/// Unknown and repeated claims are refused, and each claim has the one type that is shown here: a
/// claims set is a JSON object (RFC 7519 section 4) and so is each claim with fields of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
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
    #[serde(deserialize_with = "object")]
    pub scope: Scope,
    /// The most answers that carry a value; none means that the token is not counted.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<u32>,
    /// The pod that the subject's proof was bound to.
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodReference>,
    /// The uid of the service account.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub service_account_uid: Option<String>,
}

#[cfg(feature = "patterns")]
impl Claims {
    /// What a revocation goes by.
    pub fn issued(&self) -> super::revocation::IssuedToken<'_> {
        super::revocation::IssuedToken { id: &self.jti, subject: &self.sub, at: self.iat }
    }
}

// The derives above make functions of these names that know no traits; the traits are given here,
// so that reading can begin with the check that there is an object.
impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Set;

        impl<'de> Visitor<'de> for Set {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Claims, A::Error> {
                Claims::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Set)
    }
}

/// Reads a claim that may be absent, though not `null`: absence is the one way to say nothing.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Reads a struct from an object alone; a derived reader takes an array of its fields too.
fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

fn present_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    object(deserializer).map(Some)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
