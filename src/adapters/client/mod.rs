//! The vault's HTTP client: blocking, for programs that do one thing.
//!
//! Invariant: neither an error nor a `Debug` of this folder holds a token, a client's secret or
//! a value. Nothing is sent in clear but to this machine itself.

mod address;
#[cfg(feature = "cli")]
mod administration;
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
use crate::contract::api::audit::{
    AuditCheckpoints, AuditPage, AuditQuery, FormatWanted, LAST_CURSOR, NDJSON, NEXT_CURSOR,
};
use crate::contract::api::secrets::{Keys, Values};
use crate::contract::api::tokens::{GenerateRequest, GenerateResponse};
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::secret::SecretValue;

pub use address::{Address, InvalidAddress};
pub use authorities::Authorities;
pub use credential::{AccessToken, Credential, InvalidCredential};
pub use distrust::Distrust;
pub use error::ClientError;
pub use exchange::EntityTag;

use exchange::{Exchange, Part, Tagged};

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

/// Lines of the audit.
pub struct AuditLines {
    /// Without newlines.
    pub lines: Vec<String>,
    /// The cursor of the next page, where there is more.
    pub next: Option<u64>,
    /// The cursor of this page's end.
    pub last: Option<u64>,
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

    /// `GET /api/v1/audit`: a page of entries.
    pub fn audit(
        &self,
        identity: &Credential,
        query: &AuditQuery,
    ) -> Result<AuditPage, ClientError> {
        let query = AuditQuery { format: Some(FormatWanted::Json), ..query.clone() };
        let (path, query) = (format!("{BASE_PATH}/audit"), pairs(&query));
        let accept = "application/json";
        parse(&self.exchange.get(&path, &borrowed(&query), &identity.header(), accept)?)
    }

    /// `GET /api/v1/audit`: a page of lines, exactly as they were written.
    pub fn audit_lines(
        &self,
        identity: &Credential,
        query: &AuditQuery,
    ) -> Result<AuditLines, ClientError> {
        let query = AuditQuery { format: Some(FormatWanted::Lines), ..query.clone() };
        let (path, query) = (format!("{BASE_PATH}/audit"), pairs(&query));
        let (header, query) = (identity.header(), borrowed(&query));
        let cursors = [NEXT_CURSOR, LAST_CURSOR];
        let Part { body, next, last } =
            self.exchange.get_part(&path, &query, &header, NDJSON, cursors)?;
        let text = str::from_utf8(&body).map_err(|_| ClientError::Protocol {
            what: "the lines of the audit are not UTF-8".to_owned(),
        })?;
        let lines = text.split_terminator('\n').map(str::to_owned).collect();
        Ok(AuditLines { lines, next, last })
    }

    /// `GET /api/v1/audit/checkpoints`: the signed heads of a replica, or of all.
    pub fn audit_checkpoints(
        &self,
        identity: &Credential,
        replica: Option<&str>,
    ) -> Result<AuditCheckpoints, ClientError> {
        let path = format!("{BASE_PATH}/audit/checkpoints");
        let query: Vec<_> = replica.into_iter().map(|replica| ("replica", replica)).collect();
        parse(&self.exchange.get(&path, &query, &identity.header(), "application/json")?)
    }
}

/// The parameters of a query that are there.
fn pairs(query: &AuditQuery) -> Vec<(String, String)> {
    let query = serde_json::to_value(query).expect("a query holds only text and numbers");
    let query = query.as_object().into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    });
    query.collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
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
