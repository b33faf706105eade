//! Who checks a caller's proof of identity.

mod clients;

pub use clients::{ClientCredentials, ClientsError};
