//! The SOPS reader, against real sops, against attackers, and as a store.

mod bombs;
mod fixtures;
mod folder;
mod generate;
mod hostile;
mod oracle;
mod reading;
