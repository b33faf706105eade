//! The vault, as its callers see it.

mod access;
mod administrators;
mod audit;
mod changes;
mod cluster;
mod cluster_sources;
mod configuration;
mod crash;
mod dev;
mod issue;
mod leaks;
mod listener;
mod reading;
mod tls;
mod uses;
mod validation;
mod watch;
mod watch_program;
