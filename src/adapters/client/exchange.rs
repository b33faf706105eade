//! One request and its answer: TLS, time limits, sizes, and what a status means.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};
use zeroize::Zeroizing;

use super::{Address, Authorities, ClientError};
use crate::adapters::trust;
use crate::contract::api::problem::{MEDIA_TYPE, Problem};

/// The longest answer that is read.
pub(super) const MAX_BODY: u64 = 16 * 1024 * 1024;
/// The longest answer that only says what went wrong.
const MAX_PROBLEM: u64 = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

/// What an answer is known by again (RFC 9110 section 8.8.3), with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An answer together with its tag.
pub(super) struct Tagged {
    pub(super) tag: EntityTag,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// A part of an answer.
#[cfg(feature = "cli")]
pub(super) struct Part {
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) next: Option<u64>,
    pub(super) last: Option<u64>,
}

pub(super) struct Exchange {
    agent: Agent,
    address: Address,
    /// What is sent of the trace that requests belong to, where they belong to one.
    trace_parent: Option<String>,
}

impl Exchange {
    pub(super) fn new(address: Address, authorities: Authorities) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A vault never redirects, and a token is not carried elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("vanta/", env!("CARGO_PKG_VERSION")));
        let config = if address.is_encrypted() {
            config.https_only(true).tls_config(trust::believing(authorities.into_certificates()))
        } else {
            // Nothing for this machine itself goes through a proxy.
            config.proxy(None)
        };
        Self { agent: config.build().into(), address, trace_parent: None }
    }

    /// The same over the same connections, whose requests belong to a trace (W3C Trace Context).
    pub(super) fn in_trace(&self, trace_parent: &str) -> Self {
        Self {
            agent: self.agent.clone(),
            address: self.address.clone(),
            trace_parent: Some(trace_parent.to_owned()),
        }
    }

    /// A request with what is sent of its trace.
    fn traced<Any>(&self, request: RequestBuilder<Any>) -> RequestBuilder<Any> {
        match &self.trace_parent {
            Some(trace_parent) => request.header("traceparent", trace_parent),
            None => request,
        }
    }

    pub(super) fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        authorization: &SecretString,
        accept: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let request = self
            .traced(self.agent.get(self.url(path)))
            .query_pairs(query.iter().copied())
            .header("accept", accept)
            .header("authorization", authorization.expose_secret());
        self.answered(request.call())
    }

    /// A `GET` whose answer is a part of more: headers say where the next part begins and where this
    /// one ended.
    #[cfg(feature = "cli")]
    pub(super) fn get_part(
        &self,
        path: &str,
        query: &[(&str, &str)],
        authorization: &SecretString,
        accept: &str,
        [next, last]: [&str; 2],
    ) -> Result<Part, ClientError> {
        let request = self
            .traced(self.agent.get(self.url(path)))
            .query_pairs(query.iter().copied())
            .header("accept", accept)
            .header("authorization", authorization.expose_secret());
        let mut answer = request.call().map_err(|error| self.transport(&error))?;
        let cursor = |name| answer.headers().get(name)?.to_str().ok()?.parse().ok();
        let (next, last) = (cursor(next), cursor(last));
        Ok(Part { body: self.body_of(&mut answer)?, next, last })
    }

    /// A `GET` whose answer may be that nothing changed, which is none here. With a tag that is
    /// known, the vault may wait for a change for as long as is said.
    pub(super) fn get_if_changed(
        &self,
        path: &str,
        query: &[(&str, &str)],
        authorization: &SecretString,
        known: Option<(&EntityTag, Duration)>,
    ) -> Result<Option<Tagged>, ClientError> {
        let mut request = self
            .traced(self.agent.get(self.url(path)))
            .query_pairs(query.iter().copied())
            .header("accept", "application/json")
            .header("authorization", authorization.expose_secret());
        if let Some((tag, wait)) = known {
            // RFC 9110 section 13.1.2, RFC 7240 section 4.3.
            request = request.header("if-none-match", &tag.0);
            if !wait.is_zero() {
                let prefer = format!("wait={}", wait.as_secs());
                let config = request.header("prefer", prefer).config();
                request = config.timeout_global(Some(TIMEOUT + wait)).build();
            }
        }
        let mut answer = request.call().map_err(|error| self.transport(&error))?;
        if answer.status() == 304 && known.is_some() {
            return Ok(None);
        }
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = self.body_of(&mut answer)?;
        let tag = tag.map(EntityTag).ok_or_else(|| ClientError::Protocol {
            what: "it has no ETag to ask for changes with".to_owned(),
        })?;
        Ok(Some(Tagged { tag, body }))
    }

    pub(super) fn post_json<Answer: DeserializeOwned>(
        &self,
        path: &str,
        authorization: &SecretString,
        body: &impl Serialize,
    ) -> Result<Answer, ClientError> {
        let request = self
            .traced(self.agent.post(self.url(path)))
            .header("accept", "application/json")
            .header("authorization", authorization.expose_secret());
        super::parse(&self.answered(request.send_json(body))?)
    }

    pub(super) fn post_form(
        &self,
        path: &str,
        authorization: &SecretString,
        fields: &[(&str, &str)],
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let request =
            self.agent.post(self.url(path)).header("authorization", authorization.expose_secret());
        self.answered(request.send_form(fields.iter().copied()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn answered(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.body_of(&mut answer.map_err(|error| self.transport(&error))?)
    }

    fn body_of(&self, answer: &mut Response<Body>) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            let body = answer.body_mut().with_config().limit(MAX_BODY).read_to_vec();
            return body.map(Zeroizing::new).map_err(|error| self.transport(&error));
        }
        Err(failure(status, problem_of(answer), self.address.to_string()))
    }

    fn transport(&self, error: &ureq::Error) -> ClientError {
        ClientError::of_transport(error, &self.address.to_string())
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
