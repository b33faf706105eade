//! What VANTA is about, with no I/O, no clock and no async: the same input gives the same answer.
//!
//! Invariant: nothing below this folder reads a clock, a file, a socket or an environment
//! variable. `clippy.toml` lists the types, the line below turns the list on, and
//! `tests/it/layering.rs` holds the imports.
#![deny(clippy::disallowed_types)]

pub mod administration;
pub mod authority;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod chain;
pub mod checkpoint;
pub mod claims;
pub mod data_keys;
pub mod grants;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod held;
pub mod history;
pub mod identity;
#[cfg(any(feature = "injector", feature = "cli"))]
pub mod injection;
pub mod names;
pub mod pattern;
pub mod pod;
#[cfg(feature = "patterns")]
pub mod policy;
#[cfg(feature = "patterns")]
pub mod ports;
pub mod record;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod record_filter;
pub mod relative_path;
pub mod render;
#[cfg(feature = "patterns")]
pub mod revocation;
pub mod secret;
pub mod system;
pub mod versions;
