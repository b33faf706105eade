//! Who checks a caller's proof of identity.

mod clients;
mod oidc;

pub use clients::{ClientCredentials, ClientsError};
pub use oidc::{Issuer, IssuersError, OidcIssuers};
