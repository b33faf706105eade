//! The file of OpenID Connect issuers: whose ID tokens prove who a caller is. It holds no secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::domain::pod::AUDIENCE;

/// All issuers that are believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuersFile {
    /// In no particular order.
    pub issuers: Vec<IssuerEntry>,
}

/// One issuer, and what its tokens have to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IssuerEntry {
    /// Its `https` URL, exactly as `iss` has it.
    pub issuer: String,
    /// What `aud` has to be.
    #[serde(default = "audience")]
    pub audience: String,
    /// Where its keys are; what its discovery document says otherwise.
    pub jwks_uri: Option<String>,
    /// The authorities that its certificate must come from, PEM; those of the system otherwise.
    pub ca_file: Option<PathBuf>,
    /// The claim that the subject is taken from.
    #[serde(default = "subject_claim")]
    pub subject_claim: String,
    /// Claims that have to be there, each with one of these values.
    #[serde(default)]
    pub required_claims: BTreeMap<String, Wanted>,
}

/// The values that are accepted of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts (numbers stand in quotation marks)")]
pub enum Wanted {
    /// This alone.
    One(String),
    /// Any of these.
    AnyOf(Vec<String>),
}

fn audience() -> String {
    AUDIENCE.to_owned()
}

fn subject_claim() -> String {
    "sub".to_owned()
}

impl Wanted {
    /// Whether this is one of the values.
    pub fn accepts(&self, value: &str) -> bool {
        match self {
            Self::One(one) => one == value,
            Self::AnyOf(all) => all.iter().any(|one| one == value),
        }
    }
}

impl IssuerEntry {
    /// What cannot work about it, where something cannot.
    pub fn problem(&self) -> Option<&'static str> {
        if !is_plain_url(&self.issuer) {
            return Some("its issuer is no https URL of host and path alone");
        }
        if self.jwks_uri.as_ref().is_some_and(|uri| !is_https(uri)) {
            return Some("its jwksUri is no https URL");
        }
        if self.audience.is_empty() || self.subject_claim.is_empty() {
            return Some("its audience or its subjectClaim is empty");
        }
        let nothing =
            |wanted: &Wanted| matches!(wanted, Wanted::AnyOf(values) if values.is_empty());
        self.required_claims
            .values()
            .any(nothing)
            .then_some("one of its requiredClaims has no value that would do")
    }
}

/// Whether this is a URL that names a host and can be asked over TLS.
pub fn is_https(url: &str) -> bool {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    !host.is_empty()
        && url.len() <= 1024
        && !host.contains('@')
        && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An issuer has neither query nor fragment (OpenID Connect Core 1.0 section 2).
fn is_plain_url(url: &str) -> bool {
    is_https(url) && !url.contains(['?', '#'])
}
