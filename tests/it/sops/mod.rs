//! The SOPS reader, against real sops, against attackers, and as a store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bombs;
mod config_maps;
mod copies;
mod costs;
mod crowds;
mod damage;
mod data_key_owners;
mod data_keys;
mod environment_leaf;
mod exchange;
pub(crate) mod fixtures;
mod folder;
mod grants;
mod groups;
mod hostile;
mod hostile_formats;
mod hostile_json;
mod identity_changes;
#[cfg(target_os = "linux")]
mod kept;
mod leaf_forgeries;
mod made;
mod master_keys;
#[cfg(target_os = "linux")]
mod memory;
mod oracle;
mod reading;
mod remedies;
mod rollback;
mod settling;
mod signatures;
mod swaps;
mod workshop;
