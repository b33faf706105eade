//! What several tests share.

pub(crate) mod cli;
pub(crate) mod fake_vault;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod sops;
