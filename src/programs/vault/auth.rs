//! From what a request shows to who is asking.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tracing::Instrument as _;

use super::attempt::Attempt;
use super::error::ApiError;
use super::service::Service;
use crate::adapters::jwt::{UnverifiedToken, VerifiedToken};
use crate::adapters::serve::step;
use crate::contract::api::problem::ProblemKind;
use crate::domain::administration::Administration;
use crate::domain::identity::Identity;
use crate::domain::ports::Credentials;
use crate::domain::secret::SecretValue;

impl Service {
    /// The identity that a request's credentials prove.
    pub async fn identify(&self, headers: &HeaderMap) -> Result<Identity, ApiError> {
        let credentials = credentials(headers)?;
        let identity =
            self.authenticator.authenticate(&credentials).instrument(step("authenticate"));
        identity.await.map_err(ApiError::authentication)
    }

    /// Lets only an administrator pass, as it stands at this moment: else 403, or 503 where the API
    /// server, whose rules decide it in a cluster, does not answer.
    pub async fn require_administrator(
        &self,
        identity: &Identity,
        what: Administration,
    ) -> Result<(), ApiError> {
        let asked = self.authenticator.administers(identity, what).await;
        asked.map_err(|error| ApiError::administration(error, what))
    }

    /// The administrator in this whom a request's credentials prove; the attempt is its own from
    /// the moment that they do.
    pub(super) async fn administrator(
        &self,
        headers: &HeaderMap,
        attempt: &mut Attempt,
        what: Administration,
    ) -> Result<(), ApiError> {
        let identity = self.identify(headers).await?;
        attempt.by(&identity);
        self.require_administrator(&identity, what).await
    }

    /// The access token that a request shows, verified and not revoked. The attempt is its
    /// subject's from the moment that the signature holds, so that a revoked token's use is
    /// always recorded.
    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        attempt: &mut Attempt,
    ) -> Result<VerifiedToken, ApiError> {
        let step = step("authenticate");
        step.record("vanta.method", "access_token");
        let _entered = step.enter();
        let token = self.verify_text(bearer(headers)?, attempt.record.time)?;
        attempt.with(&token);
        let revoked = self.tokens.is_revoked(token.claims().issued());
        if revoked.map_err(ApiError::stale_revocations)? {
            return Err(ApiError::new(
                ProblemKind::TokenRevoked,
                "it was revoked before its end; ask for a new token",
            ));
        }
        Ok(token)
    }

    /// A token whose signature and claims hold, revoked or not.
    pub(super) fn verify_text(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<VerifiedToken, ApiError> {
        let token = UnverifiedToken::parse(token).map_err(ApiError::token)?;
        self.validator.verify(&token, now).map_err(ApiError::token)
    }
}

fn missing() -> ApiError {
    ApiError::new(
        ProblemKind::CredentialsMissing,
        "send an Authorization header: Basic for a client, Bearer for a token",
    )
}

/// The scheme and the rest of the one Authorization header.
fn authorization(headers: &HeaderMap) -> Result<(&str, &str), ApiError> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (header, none) = (given.next().ok_or_else(missing)?, given.next());
    let refuse = || {
        ApiError::new(
            ProblemKind::InvalidRequest,
            "send one Authorization header, of a scheme and its credentials",
        )
    };
    if none.is_some() {
        return Err(refuse());
    }
    let (scheme, rest) =
        header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refuse)?;
    Ok((scheme, rest.trim_matches(' ')))
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    match authorization(headers)? {
        (scheme, token) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(ApiError::new(
            ProblemKind::CredentialsMissing,
            "this call takes an access token: send it as `Authorization: Bearer …`",
        )),
    }
}

fn credentials(headers: &HeaderMap) -> Result<Credentials, ApiError> {
    let (scheme, rest) = authorization(headers)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Bearer(SecretValue::from(rest.to_owned())));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return basic(rest).ok_or_else(|| {
            ApiError::new(
                ProblemKind::CredentialsRefused,
                "Basic credentials are the base64 of a client's name, a colon and its secret",
            )
        });
    }
    Err(missing())
}

/// RFC 7617 section 2: the name ends at the first colon.
fn basic(encoded: &str) -> Option<Credentials> {
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&decoded[..colon]).ok()?.parse().ok()?;
    Some(Credentials::Basic { name, secret: SecretValue::new(decoded[colon + 1..].to_vec()) })
}
