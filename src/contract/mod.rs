//! What others see: the JSON of the API, the objects of the cluster, the file of clients.

pub mod api;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod clients;
#[cfg(feature = "kubernetes")]
pub mod crd;
