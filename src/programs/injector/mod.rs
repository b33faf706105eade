//! `vanta-injector`: gives pods that ask for it an agent, and keeps the system's certificates.
//!
//! Invariant: an outage of the API server ends nothing here: pods are looked at with what is known,
//! and what has to be written is tried again.

mod certificates;
mod config;
mod health;
mod metrics;
mod reading;
mod review;
mod router;
mod run;
mod standing;
mod workers;

pub use metrics::Metrics;
pub use router::{GrantsReceiver, Webhooks, router};
pub use run::main;
