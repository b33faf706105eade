//! Access tokens as JSON Web Tokens: HS256 alone, and stricter than the library's own checks.
//!
//! Invariant: [`UnverifiedToken`] and [`VerifiedToken`] are different types, and only
//! [`Validator`] makes the second from the first.

mod jwk;
mod key_ring;
mod sign;
mod unverified;
mod validator;

pub use key_ring::{CurrentRing, KeyRing, KeyRingError};
pub use sign::{SignError, sign};
pub use unverified::UnverifiedToken;
pub use validator::{TokenError, Validator, VerifiedToken};

/// The `typ` of every access token (RFC 8725 section 3.11: explicit typing).
pub const TOKEN_TYPE: &str = "vanta-at+jwt";

/// The `iss` of every access token.
pub const ISSUER: &str = "vanta-vault";

/// The `aud` of every access token.
pub const AUDIENCE: &str = "vanta-api";

#[cfg(test)]
mod validator_tests;
#[cfg(test)]
mod wycheproof_tests;
