//! The programs, which never import each other.

#[cfg(feature = "vault")]
pub mod vault;
