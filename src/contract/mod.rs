//! What others see: the JSON of the API and the objects of the cluster.

pub mod api;
pub mod crd;
