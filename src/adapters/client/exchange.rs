//! One request and its answer: TLS, time limits, sizes, and what a status means.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use super::{Address, ClientError};
use crate::contract::api::problem::{MEDIA_TYPE, Problem};

/// The longest answer that is read.
pub(super) const MAX_BODY: u64 = 16 * 1024 * 1024;
/// The longest answer that only says what went wrong.
const MAX_PROBLEM: u64 = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Exchange {
    agent: Agent,
    address: Address,
}

impl Exchange {
    pub(super) fn new(address: Address, ca_file: Option<&Path>) -> Result<Self, ClientError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A vault never redirects, and a token is not carried elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("vanta/", env!("CARGO_PKG_VERSION")));
        let config = if address.is_encrypted() {
            config.https_only(true).tls_config(tls(ca_file)?)
        } else {
            // Nothing for this machine itself goes through a proxy.
            config.proxy(None)
        };
        Ok(Self { agent: config.build().into(), address })
    }

    pub(super) fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        authorization: &SecretString,
        accept: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let request = self
            .agent
            .get(self.url(path))
            .query_pairs(query.iter().copied())
            .header("accept", accept)
            .header("authorization", authorization.expose_secret());
        self.body_of(request.call())
    }

    pub(super) fn post_json<Answer: DeserializeOwned>(
        &self,
        path: &str,
        authorization: &SecretString,
        body: &impl Serialize,
    ) -> Result<Answer, ClientError> {
        let request = self
            .agent
            .post(self.url(path))
            .header("accept", "application/json")
            .header("authorization", authorization.expose_secret());
        super::parse(&self.body_of(request.send_json(body))?)
    }

    pub(super) fn post_form(
        &self,
        path: &str,
        authorization: &SecretString,
        fields: &[(&str, &str)],
    ) -> Result<(), ClientError> {
        let request =
            self.agent.post(self.url(path)).header("authorization", authorization.expose_secret());
        self.body_of(request.send_form(fields.iter().copied())).map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn body_of(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let address = self.address.to_string();
        let transport = |error: ureq::Error| ClientError::of_transport(&error, &address);
        let mut answer = answer.map_err(transport)?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            let body = answer.body_mut().with_config().limit(MAX_BODY).read_to_vec();
            return body.map(Zeroizing::new).map_err(transport);
        }
        Err(failure(status, problem_of(&mut answer), address))
    }
}

/// The problem that an answer holds, where it is one.
fn problem_of(answer: &mut Response<Body>) -> Option<Problem> {
    let kind = answer.headers().get("content-type")?.to_str().ok()?.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case(MEDIA_TYPE) {
        return None;
    }
    let body = answer.body_mut().with_config().limit(MAX_PROBLEM).read_to_vec().ok()?;
    serde_json::from_slice(&body).ok()
}

fn failure(status: u16, problem: Option<Problem>, address: String) -> ClientError {
    let stranger = |what| ClientError::Protocol { what };
    match (status, problem) {
        (429 | 500..=599, problem) => ClientError::Temporary {
            address,
            kind: problem.as_ref().and_then(Problem::known_kind),
            why: problem.map_or_else(
                || format!("status {status}"),
                |problem| {
                    if problem.detail.is_empty() { problem.title } else { problem.detail }
                },
            ),
            connection_refused: false,
        },
        (401 | 403, Some(problem)) => ClientError::Refused(problem),
        (404, Some(problem)) => ClientError::NotFound(problem),
        (400..=499, Some(problem)) => ClientError::Rejected(problem),
        (300..=399, _) => stranger(format!("status {status} sends elsewhere, which no vault does")),
        _ => stranger(format!("status {status} without a problem that says why")),
    }
}

fn tls(ca_file: Option<&Path>) -> Result<TlsConfig, ClientError> {
    let authorities = match ca_file {
        Some(file) => authorities_in(file)?,
        None => authorities_of_the_system()?,
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// Those in `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set, as OpenSSL has it, and else
/// those where distributions keep them.
fn authorities_of_the_system() -> Result<Vec<Certificate<'static>>, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(ClientError::Configuration(format!(
            "this system has no certificate authorities{why}: name a file of them with --ca-file"
        )));
    }
    // One file of many that cannot be read is no reason to believe nobody.
    Ok(found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect())
}

fn authorities_in(file: &Path) -> Result<Vec<Certificate<'static>>, ClientError> {
    let refuse = |why: &str| {
        ClientError::Configuration(format!(
            "the certificate authorities in {} cannot be used: {why}",
            file.display()
        ))
    };
    let pem = std::fs::read(file).map_err(|error| refuse(&error.to_string()))?;
    let mut authorities = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => authorities.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(refuse("the file is not well-formed PEM")),
        }
    }
    if authorities.is_empty() {
        return Err(refuse("the file holds no certificate"));
    }
    Ok(authorities)
}
