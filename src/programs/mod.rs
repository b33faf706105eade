//! The programs, which never import each other.

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(all(feature = "kubernetes", feature = "cli"))]
pub mod generate;
#[cfg(feature = "injector")]
pub mod injector;
#[cfg(feature = "vault")]
pub mod vault;
