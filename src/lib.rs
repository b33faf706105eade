//! VANTA: secrets stay SOPS-encrypted in Git; a workload gets just the ones that it is allowed.
//!
//! The layers, in the order in which they may import each other (`tests/it/layering.rs` holds
//! the table): [`domain`] ← [`contract`] ← [`adapters`] ← [`programs`] ← the binaries.

pub mod adapters;
pub mod contract;
pub mod domain;
pub mod programs;
