//! Everything outside: one folder for each thing, none of which knows of another.
#[cfg(feature = "vault")]
pub mod sops;
