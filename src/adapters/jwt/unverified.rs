//! A token as it came: its shape and header checked, its signature not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::Deserialize;

use super::{TOKEN_TYPE, TokenError};

/// Longer ones are refused unread.
const MAX_TOKEN_LEN: usize = 16 * 1024;

/// A well-formed token that proves nothing yet.
pub struct UnverifiedToken {
    pub(super) text: SecretString,
    pub(super) key_id: String,
}

/// The only header that is accepted. Every other member (`crit`, `jku`, `jwk`, `x5u`, …) is
/// refused, and so is a repeated one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "alg")]
    _algorithm: Algorithm,
    typ: String,
    kid: String,
}

#[derive(Deserialize)]
enum Algorithm {
    #[serde(rename = "HS256")]
    HmacSha256,
}

impl UnverifiedToken {
    /// Reads a compact JWS (RFC 7515 section 7.1) without believing it.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.split('.');
        let (Some(header), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        if text.len() > MAX_TOKEN_LEN {
            return Err(TokenError::Malformed);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        // The algorithm is looked at first, so that `none` is named for what it is.
        let any: serde_json::Value =
            serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        if any.get("alg").is_some_and(|algorithm| algorithm != "HS256") {
            return Err(TokenError::Algorithm);
        }
        let header: Header = serde_json::from_slice(&header).map_err(|_| TokenError::Header)?;
        if header.typ != TOKEN_TYPE {
            return Err(TokenError::Header);
        }
        Ok(Self { text: text.into(), key_id: header.kid })
    }
}
