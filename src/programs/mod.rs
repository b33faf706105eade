//! The programs, which never import each other.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "vault")]
pub mod vault;
