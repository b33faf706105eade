//! Signing.

use jsonwebtoken::{Algorithm, Header};

use super::{KeyRing, TOKEN_TYPE};
use crate::domain::claims::Claims;

/// The library could not sign.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError(#[source] jsonwebtoken::errors::Error);

/// Signs claims with the ring's first key, as a compact JWS (RFC 7515 section 7.1).
pub fn sign(ring: &KeyRing, claims: &Claims) -> Result<String, SignError> {
    let key = ring.signing();
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(TOKEN_TYPE.to_owned());
    header.kid = Some(key.id.clone());
    jsonwebtoken::encode(&header, claims, &key.encoding()).map_err(SignError)
}
