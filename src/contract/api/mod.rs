//! The JSON of requests and answers, shared by the vault and its clients.
//!
//! Invariant: a type that holds a token or a value has no `Debug`.

pub mod access;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod audit;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod explanation;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod holders;
pub mod problem;
#[cfg(feature = "vault")]
pub mod schema;
pub mod secrets;
pub mod tokens;
mod whole;

/// Where the API's paths begin.
pub const BASE_PATH: &str = "/api/v1";
