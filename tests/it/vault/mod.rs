//! The vault, as its callers see it.

mod access;
mod administrators;
mod changes;
mod cluster;
mod cluster_sources;
mod configuration;
mod crash;
mod dev;
mod events;
mod explanation;
mod issue;
mod leaks;
mod listener;
mod oidc;
mod reading;
mod replicas;
mod revocation;
mod rotation;
mod staleness;
mod tls;
mod uses;
mod validation;
mod watch;
mod watch_program;
