//! What others see: the JSON of the API, the objects of the cluster, the files of clients and issuers.

pub mod api;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod clients;
#[cfg(feature = "kubernetes")]
pub mod crd;
#[cfg(feature = "kubernetes")]
pub mod grammar;
#[cfg(feature = "vault")]
pub mod issuers;
