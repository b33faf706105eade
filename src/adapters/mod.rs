//! Everything outside: one folder for each thing, none of which knows of another.

#[cfg(feature = "vault")]
pub mod access;
#[cfg(any(feature = "vault", feature = "cli"))]
pub mod audit;
#[cfg(feature = "injector")]
pub mod authority;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "server", feature = "agent"))]
pub mod files;
#[cfg(feature = "vault")]
pub mod identity;
#[cfg(feature = "tokens")]
pub mod jwt;
#[cfg(feature = "vault")]
pub mod key_service;
#[cfg(all(feature = "kubernetes", feature = "server"))]
pub mod kubernetes;
#[cfg(feature = "vault")]
pub mod postgres;
#[cfg(any(feature = "server", feature = "cli", feature = "agent"))]
pub mod process;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "vault")]
pub mod sops;
#[cfg(feature = "vault")]
pub mod state;
#[cfg(any(feature = "client", feature = "vault"))]
pub mod trust;
