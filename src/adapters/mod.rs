//! Everything outside: one folder for each thing, none of which knows of another.

#[cfg(feature = "vault")]
pub mod access;
#[cfg(feature = "vault")]
pub mod audit;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "vault", feature = "agent"))]
pub mod files;
#[cfg(feature = "vault")]
pub mod identity;
#[cfg(feature = "vault")]
pub mod jwt;
#[cfg(all(feature = "kubernetes", feature = "server"))]
pub mod kubernetes;
#[cfg(any(feature = "vault", feature = "cli", feature = "agent"))]
pub mod process;
#[cfg(feature = "vault")]
pub mod serve;
#[cfg(feature = "vault")]
pub mod sops;
#[cfg(feature = "vault")]
pub mod state;
