//! The vault's HTTP client: blocking, for programs that do one thing.
//!
//! Invariant: neither an error nor a `Debug` of this folder holds a token, a client's secret or
//! a value. Nothing is sent in clear but to this machine itself.

mod address;
#[cfg(feature = "cli")]
mod administration;
#[cfg(feature = "cli")]
mod audit;
mod authorities;
mod credential;
mod distrust;
mod error;
mod exchange;

use std::collections::BTreeMap;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::contract::api::BASE_PATH;
use crate::contract::api::access::AccessList;
use crate::contract::api::secrets::{Keys, Values};
use crate::contract::api::tokens::{GenerateRequest, GenerateResponse};
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::secret::SecretValue;

pub use address::{Address, InvalidAddress};
#[cfg(feature = "cli")]
pub use audit::AuditLines;
pub use authorities::Authorities;
pub use credential::{AccessToken, Credential, InvalidCredential};
pub use distrust::Distrust;
pub use error::ClientError;
pub use exchange::EntityTag;

use exchange::{Exchange, Tagged};

/// One vault, spoken to over connections that are kept.
pub struct VaultClient {
    exchange: Exchange,
}

/// All values in scope, and what they are known by.
pub struct TaggedValues {
    /// Changes when a name or a value does.
    pub tag: EntityTag,
    /// Key to value.
    pub values: BTreeMap<Key, SecretValue>,
}

impl VaultClient {
    /// A client of the vault at `address`.
    ///
    /// A server is believed when its certificate comes from an authority in `ca_file` (PEM), or
    /// without one from an authority that this system trusts
    /// (`SSL_CERT_FILE` and `SSL_CERT_DIR`, or where distributions keep them).
    #[cfg(feature = "cli")]
    pub fn new(address: Address, ca_file: Option<&std::path::Path>) -> Result<Self, ClientError> {
        let authorities = match ca_file {
            _ if !address.is_encrypted() => Authorities::default(),
            Some(file) => Authorities::in_file(file)?,
            None => Authorities::of_the_system()?,
        };
        Ok(Self::believing(address, authorities))
    }

    /// A client that believes a server whose certificate comes from one of these authorities.
    /// Without TLS they are of no use, and may be none.
    pub fn believing(address: Address, authorities: Authorities) -> Self {
        Self { exchange: Exchange::new(address, authorities) }
    }

    /// The same vault over the same connections, in a trace: each request shows `trace_parent` (W3C
    /// Trace Context).
    #[must_use]
    pub fn in_trace(&self, trace_parent: &str) -> Self {
        Self { exchange: self.exchange.in_trace(trace_parent) }
    }

    /// `POST /api/v1/vault/tokens/generate`
    pub fn generate(
        &self,
        identity: &Credential,
        request: &GenerateRequest,
    ) -> Result<GenerateResponse, ClientError> {
        let path = format!("{BASE_PATH}/vault/tokens/generate");
        self.exchange.post_json(&path, &identity.header(), request)
    }

    /// `POST /api/v1/vault/tokens/revoke`, which a token may ask for itself.
    pub fn revoke(&self, token: &AccessToken) -> Result<(), ClientError> {
        let path = format!("{BASE_PATH}/vault/tokens/revoke");
        self.exchange.post_form(&path, &token.header(), &[("token", token.expose())]).map(drop)
    }

    /// `GET /api/v1/vault/{environment}/{key}`
    pub fn value(
        &self,
        token: &AccessToken,
        environment: &Environment,
        key: &Key,
    ) -> Result<SecretValue, ClientError> {
        let path = format!("{BASE_PATH}/vault/{environment}/{key}");
        let body = self.exchange.get(&path, &[], &token.header(), "text/plain")?;
        Ok(SecretValue::new(body.to_vec()))
    }

    /// `GET /api/v1/vault/{environment}`: the names in scope.
    pub fn keys(
        &self,
        token: &AccessToken,
        environment: &Environment,
    ) -> Result<Keys, ClientError> {
        let path = format!("{BASE_PATH}/vault/{environment}");
        parse(&self.exchange.get(&path, &[], &token.header(), "application/json")?)
    }

    /// `GET /api/v1/vault/{environment}?values=true`: all values in scope that match, in one use.
    pub fn values(
        &self,
        token: &AccessToken,
        environment: &Environment,
        pattern: &KeyPattern,
    ) -> Result<BTreeMap<Key, SecretValue>, ClientError> {
        let path = format!("{BASE_PATH}/vault/{environment}");
        let query = [("values", "true"), ("pattern", pattern.as_str())];
        let body = self.exchange.get(&path, &query, &token.header(), "application/json")?;
        values_in(&body)
    }

    /// The values of [`Self::values`] together with their tag; with the tag of those that are
    /// known, only others than those, or none where nothing changed within `wait` (the vault looks
    /// for as long as it can, and may answer sooner).
    pub fn values_unless(
        &self,
        token: &AccessToken,
        environment: &Environment,
        pattern: &KeyPattern,
        known: Option<(&EntityTag, Duration)>,
    ) -> Result<Option<TaggedValues>, ClientError> {
        let path = format!("{BASE_PATH}/vault/{environment}");
        let query = [("values", "true"), ("pattern", pattern.as_str())];
        let answer = self.exchange.get_if_changed(&path, &query, &token.header(), known)?;
        answer
            .map(|Tagged { tag, body }| Ok(TaggedValues { tag, values: values_in(&body)? }))
            .transpose()
    }

    /// `GET /api/v1/access`: what the identity may have now.
    pub fn access(&self, identity: &Credential, names: &[&str]) -> Result<AccessList, ClientError> {
        let names = names.join(",");
        let query = if names.is_empty() { vec![] } else { vec![("names", names.as_str())] };
        let path = format!("{BASE_PATH}/access");
        parse(&self.exchange.get(&path, &query, &identity.header(), "application/json")?)
    }
}

fn values_in(body: &Zeroizing<Vec<u8>>) -> Result<BTreeMap<Key, SecretValue>, ClientError> {
    let Values { values, .. } = parse(body)?;
    Ok(values.into_iter().map(|(key, value)| (key, value.into())).collect())
}

/// serde_json's own message may repeat a text of the body, so only its place is kept.
fn parse<Body: serde::de::DeserializeOwned>(
    body: &Zeroizing<Vec<u8>>,
) -> Result<Body, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Protocol {
        what: format!("the answer is not the JSON that was expected (column {})", error.column()),
    })
}
