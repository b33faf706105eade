//! All integration tests, in one target so that they are linked once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "agent")]
mod agent;
mod audit;
mod chart;
mod cli;
mod corpora;
mod crd;
mod docs;
mod injector;
mod layering;
mod sops;
mod state;
mod support;
mod tree;
mod vault;
