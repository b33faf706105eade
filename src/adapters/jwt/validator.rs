//! Validation: from what a caller shows to what the vault knows.

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use secrecy::ExposeSecret;

use super::{AUDIENCE, CurrentRing, ISSUER, UnverifiedToken};
use crate::domain::claims::{Claims, LEEWAY_SECONDS};
use crate::domain::identity::{Administers, Identity, Method};
use crate::domain::policy::MAX_TTL_MINUTES;

/// Why a token is refused. No variant holds any part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not three base64url parts.
    #[error("it is not a token of three base64url parts")]
    Malformed,
    /// Its algorithm is not HS256.
    #[error("only HS256 is accepted")]
    Algorithm,
    /// Its header has a member too many, too few or twice, or is of another type.
    #[error("the header must hold exactly alg, typ and kid, as this vault writes them")]
    Header,
    /// It names a key that is not in the ring.
    #[error("its kid names no key of this vault; ask for a new token")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature does not belong to these claims")]
    Signature,
    /// A claim is missing, unknown, repeated, or of another type or range.
    #[error("a claim is missing, unknown, repeated, or not of the type that it must have")]
    Claims,
    /// It has ended.
    #[error("its life is over; ask for a new token")]
    Expired,
    /// It has not begun, or was issued in the future.
    #[error("its life has not begun; are the clocks apart?")]
    NotYetValid,
    /// It is for another audience.
    #[error("its audience is not this API")]
    Audience,
    /// Another issuer made it.
    #[error("its issuer is not this vault")]
    Issuer,
    /// It was issued before the state that would know of its revocation.
    #[error("it is older than the vault's state; ask for a new token")]
    OlderThanState,
}

/// A token whose signature and claims hold at the moment of validation.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    claims: Claims,
}

impl VerifiedToken {
    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// From when on the token is refused as expired, in epoch seconds: its end and the leeway.
    pub fn refused_from(&self) -> i64 {
        refused_from(&self.claims)
    }

    /// The identity that asked for the token.
    pub fn identity(&self) -> Identity {
        Identity {
            method: Method::AccessToken,
            subject: self.claims.sub.clone(),
            pod: self.claims.pod.clone(),
            service_account_uid: self.claims.service_account_uid.clone(),
            credential_id: None,
            // The validator has looked at the end already, with its leeway.
            expires_at: None,
            // Whoever holds a token has its grants and no more, whoever asked for it.
            administers: Administers::Nothing,
        }
    }
}

/// Validates access tokens against the ring of the moment.
#[derive(Debug, Clone)]
pub struct Validator {
    pub(super) ring: Arc<CurrentRing>,
    state_since: i64,
}

impl Validator {
    /// A validator for tokens of the ring that are no older than the state, which began at
    /// `state_since` (epoch seconds).
    pub fn new(ring: Arc<CurrentRing>, state_since: i64) -> Self {
        Self { ring, state_since }
    }

    /// Checks the signature, then the claims (RFC 7519 section 7.2, RFC 8725 section 3).
    pub fn verify(
        &self,
        token: &UnverifiedToken,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        let ring = self.ring.load();
        let key = ring.by_id(&token.key_id).ok_or(TokenError::UnknownKey)?;
        let claims = jsonwebtoken::decode::<Claims>(
            token.text.expose_secret(),
            &key.decoding(),
            &signature_and_parties(),
        )
        .map_err(|error| refusal(error.kind()))?
        .claims;
        self.check_times(&claims, now.as_second())?;
        Ok(VerifiedToken { claims })
    }

    fn check_times(&self, claims: &Claims, now: i64) -> Result<(), TokenError> {
        let Claims { iat, nbf, exp, .. } = *claims;
        let in_order = 0 < iat && iat <= nbf && nbf < exp;
        if !in_order || exp.saturating_sub(iat) > i64::from(MAX_TTL_MINUTES) * 60 {
            return Err(TokenError::Claims);
        }
        if refused_from(claims) <= now {
            return Err(TokenError::Expired);
        }
        if nbf.max(iat) > now + LEEWAY_SECONDS {
            return Err(TokenError::NotYetValid);
        }
        if iat < self.state_since {
            return Err(TokenError::OlderThanState);
        }
        Ok(())
    }
}

fn refused_from(claims: &Claims) -> i64 {
    claims.exp.saturating_add(LEEWAY_SECONDS)
}

/// What is left to the library. Times are checked here, by the clock that is passed in.
fn signature_and_parties() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

pub(super) fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::MissingAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidToken => TokenError::Malformed,
        // The signature's base64url is read before it is compared, the claims' after.
        _ => TokenError::Claims,
    }
}
