//! The vault's HTTP client: blocking, for programs that do one thing.
//!
//! Invariant: neither an error nor a `Debug` of this folder holds a token, a client's secret or
//! a value. Nothing is sent in clear but to this machine itself.

mod address;
mod credential;
mod distrust;
mod error;
mod exchange;

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::contract::api::BASE_PATH;
use crate::contract::api::access::AccessList;
use crate::contract::api::secrets::{Keys, Values};
use crate::contract::api::tokens::{GenerateRequest, GenerateResponse};
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::secret::SecretValue;

pub use address::{Address, InvalidAddress};
pub use credential::{AccessToken, Credential, InvalidCredential};
pub use distrust::Distrust;
pub use error::ClientError;

use exchange::Exchange;

/// One vault, spoken to over connections that are kept.
pub struct VaultClient {
    exchange: Exchange,
}

impl VaultClient {
    /// A client of the vault at `address`.
    ///
    /// A server is believed when its certificate comes from an authority in `ca_file` (PEM), or
    /// without one from an authority that this system trusts
    /// (`SSL_CERT_FILE` and `SSL_CERT_DIR`, or where distributions keep them).
    pub fn new(address: Address, ca_file: Option<&Path>) -> Result<Self, ClientError> {
        Ok(Self { exchange: Exchange::new(address, ca_file)? })
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
        self.exchange.post_form(&path, &token.header(), &[("token", token.expose())])
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
        let Values { values, .. } = parse(&body)?;
        Ok(values.into_iter().map(|(key, value)| (key, value.into())).collect())
    }

    /// `GET /api/v1/access`: what the identity may have now.
    pub fn access(&self, identity: &Credential, names: &[&str]) -> Result<AccessList, ClientError> {
        let names = names.join(",");
        let query = if names.is_empty() { vec![] } else { vec![("names", names.as_str())] };
        let path = format!("{BASE_PATH}/access");
        parse(&self.exchange.get(&path, &query, &identity.header(), "application/json")?)
    }
}

/// serde_json's own message may repeat a text of the body, so only its place is kept.
fn parse<Body: serde::de::DeserializeOwned>(
    body: &Zeroizing<Vec<u8>>,
) -> Result<Body, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Protocol {
        what: format!("the answer is not the JSON that was expected (column {})", error.column()),
    })
}
