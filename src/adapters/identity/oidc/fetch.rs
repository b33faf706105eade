//! Asking an issuer for its keys, within bounds of time and size, and nobody else for them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::Agent;

use super::IssuersError;
use super::cache::Fetched;
use super::keys::KeySet;
use crate::adapters::files::read_text;
use crate::adapters::trust;
use crate::contract::issuers::{IssuerEntry, is_https};

/// How long all questions of one fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const MAX_ANSWER: u64 = 1024 * 1024;

/// The longest file of authorities, in bytes.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// Asks one issuer, whose certificate must come from these authorities.
pub(super) struct Fetcher {
    agent: Agent,
    /// The file of authorities as it was; none for those of the system.
    authorities: Option<String>,
}

/// What an issuer says of itself (OpenID Connect Discovery 1.0 section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, IssuersError> {
        let authorities = ca_file.map(|path| {
            let read = read_text(path, MAX_CA_BYTES);
            let path = path.display().to_string();
            read.map_err(|source| IssuersError::Read { path, source })
        });
        let authorities = authorities.transpose()?;
        let certificates = match &authorities {
            Some(pem) => trust::of_pem(pem.as_bytes()).map_err(str::to_owned),
            None => trust::of_the_system().map_err(|why| {
                format!("{why}: name a file of them in caFile, as the images have none")
            }),
        };
        let certificates = certificates.map_err(|reason| IssuersError::Unusable {
            path: ca_file.map_or("without caFile", |path| path.to_str().unwrap_or("caFile")).into(),
            reason,
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            // Keys are those of whom the administrator named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(trust::believing(certificates))
            .user_agent(concat!("vanta/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: config.build().into(), authorities })
    }

    /// Whether another one believes the same authorities.
    pub(super) fn trusts_alike(&self, other: &Self) -> bool {
        self.authorities == other.authorities
    }

    /// The issuer's keys. It blocks.
    pub(super) fn fetch(&self, entry: &IssuerEntry) -> Result<Fetched, String> {
        let deadline = Instant::now() + TIMEOUT;
        let discovered = match &entry.jwks_uri {
            Some(_) => None,
            None => Some(self.discover(&entry.issuer, deadline)?),
        };
        let uri = entry.jwks_uri.as_ref().or(discovered.as_ref()).map_or("", String::as_str);
        let (text, max_age) = self.get(uri, deadline)?;
        Ok(Fetched { keys: KeySet::parse(&text)?, max_age })
    }

    fn discover(&self, issuer: &str, deadline: Instant) -> Result<String, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (text, _) = self.get(&url, deadline)?;
        let said: Discovery =
            serde_json::from_slice(&text).map_err(|_| format!("{url} is no discovery document"))?;
        if said.issuer != issuer {
            return Err(format!("{url} speaks of another issuer"));
        }
        if !is_https(&said.jwks_uri) {
            return Err(format!("{url} names a jwks_uri that is no https URL"));
        }
        if !is_at_the_host_of(issuer, &said.jwks_uri) {
            return Err(format!(
                "{url} names a jwks_uri of another host, which is not asked: {}; where its keys \
                 are there, say so with jwksUri in the file of OIDC issuers",
                said.jwks_uri
            ));
        }
        Ok(said.jwks_uri)
    }

    fn get(&self, url: &str, deadline: Instant) -> Result<(Vec<u8>, Option<Duration>), String> {
        let failed = |error: ureq::Error| format!("{url}: {error}");
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(format!("{url}: there is no answer in {} s", TIMEOUT.as_secs()));
        }
        let request = self.agent.get(url).header("accept", "application/json").config();
        let request = request.timeout_global(Some(remaining)).build();
        let mut answer = request.call().map_err(failed)?;
        match answer.status().as_u16() {
            200 => {}
            300..400 => return Err(format!("{url} redirects, which is not followed")),
            status => return Err(format!("{url} answers {status}")),
        }
        let header = answer.headers().get("cache-control").and_then(|value| value.to_str().ok());
        let max_age = header.and_then(max_age);
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        Ok((body.map_err(failed)?, max_age))
    }
}

/// Whether a URL is of the issuer's own host and port. Whom else to ask is the administrator's to
/// say: an issuer that chose would have the vault ask hosts that the issuer itself cannot reach.
fn is_at_the_host_of(issuer: &str, url: &str) -> bool {
    // As the client itself reads them.
    let place = |url: &str| {
        let uri: ureq::http::Uri = url.parse().ok()?;
        Some((uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(443)))
    };
    place(issuer).is_some_and(|issuer| place(url) == Some(issuer))
}

/// How long a response may be reused (RFC 9111 section 5.2.2).
fn max_age(header: &str) -> Option<Duration> {
    let mut directives = header.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_asked_for_at_the_issuers_own_host_alone() {
        for (issuer, url, expected) in [
            ("https://a.example", "https://a.example/keys", true),
            ("https://a.example/realm", "https://A.example:443/keys?x=https://b", true),
            ("https://a.example:8443", "https://a.example:8443/keys", true),
            ("https://a.example", "https://a.example:8443/keys", false),
            ("https://a.example:8443", "https://a.example/keys", false),
            ("https://a.example", "https://b.example/keys", false),
            ("https://a.example", "https://keys.a.example/", false),
            ("https://a.example", "https://a.example.b.example/", false),
            ("https://a.example", "https://a.example@b.example/", false),
            ("https://a.example", "https://a.example#@b.example/", true),
            ("https://a.example", "https://b.example?https://a.example/", false),
            ("https://a.example", "https://b.example#a.example/", false),
            ("https://a.example", "https://b.example\\@a.example/", false),
            ("https://a.example", "https://10.0.0.1/", false),
            ("https://a.example", "https://[::1]/", false),
            ("https://a.example", "https:///keys", false),
        ] {
            assert_eq!(is_at_the_host_of(issuer, url), expected, "{issuer} {url}");
        }
    }

    #[test]
    fn how_long_an_answer_may_be_reused_is_read_among_other_directives() {
        let seconds = |header| max_age(header).map(|age| age.as_secs());
        assert_eq!(seconds("public, max-age=600, must-revalidate"), Some(600));
        assert_eq!(seconds("Max-Age=\"60\""), Some(60));
        assert_eq!(seconds("no-store"), None);
        assert_eq!(seconds("max-age=soon"), None);
    }
}
