//! `vanta-vault`: the API over SOPS-encrypted files.
//!
//! Invariant: a value leaves only after the token was verified, the grants of the moment allowed
//! it, a use was taken where they are counted, and the audit has it on stable storage.

mod alarms;
mod args;
mod attempt;
mod auditing;
mod auth;
mod authorship;
mod cluster;
mod complaints;
mod config;
mod context;
mod dev;
mod error;
mod freshness;
mod handlers;
mod health;
mod history;
mod identities;
mod identity_sources;
mod issue_rate;
mod master_keys;
mod newcomers;
mod observed;
mod openapi;
mod outcomes;
mod pace;
mod prefer;
mod reasons;
mod reload;
mod revision;
mod router;
mod run;
mod sampling;
mod service;
mod standing;
mod status;
mod telling;
mod view;
mod waiting;

pub use complaints::{Complaint, Complaints};
pub use error::ApiError;
pub use freshness::{Freshness, Silence};
pub use identities::Identities;
pub use openapi::document as openapi_document;
pub use router::router;
pub use run::main;
pub use service::{GrantsReceiver, Service, ServiceParts};
