//! VANTA: secrets stay SOPS-encrypted in Git; a workload gets just the ones that it is allowed.
//!
//! The layers, in the order in which they may import each other (`tests/it/layering.rs` holds
//! the table): [`domain`] ← [`contract`] ← [`adapters`] ← [`programs`] ← the binaries.
//!
//! - [`domain`] decides: names and patterns, grants, the policy, claims, the audit's records, the
//!   forms of secrets as text. No I/O, no clock, no async.
//! - [`contract`] is what others see: the JSON of the API, SecretAccess and SecretPolicy.
//! - [`adapters`] has a folder for each thing outside: SOPS files, tokens, clients, the state, the
//!   audit, listeners, child processes, the vault's HTTP client. They do not know each other.
//! - [`programs`] are `vanta-vault` (feature `vault`) and `vanta-cli` (feature `cli`), which share
//!   nothing but the layers below.
//!
//! What always holds, each with what holds it:
//!
//! - A value leaves only with a `Grant`, which the policy alone makes: its fields are private.
//! - A value is redacted by its type: `SecretValue` has no `Display`, no `Serialize` and no
//!   content in its `Debug`, and is zeroed when it is dropped (`tests/it/vault/leaks.rs`).
//! - A value leaves only once the audit has it on stable storage (`tests/it/vault/crash.rs`).
//! - A token is worth what the grants of this moment say (`tests/it/vault/changes.rs`).
//! - A SOPS file is served as real sops reads it, or not at all (`tests/it/sops/oracle.rs`);
//!   what it cannot prove needs the administrator's leave (`tests/it/sops/hostile.rs`).
//! - Sops itself is started for master keys on the administrator's list alone
//!   (`tests/it/sops/master_keys`).
//! - A change that cannot be read leaves what was read before in use (`tests/it/sops/folder.rs`).
//! - Names, paths and patterns are parsed once, into types that hold no bad one.

pub mod adapters;
pub mod contract;
pub mod domain;
pub mod programs;
