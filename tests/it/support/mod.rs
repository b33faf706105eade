//! What several tests share.

pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod sops;
