//! Uses left, revocations, the audit's checkpoints, what was served of files and two keys, in SQLite
//! for one replica or in PostgreSQL for many.
//!
//! Invariant: a use is taken in one conditional statement, so that at most as many are taken as
//! there are, whichever replicas race; and a replica that has not heard of revocations for
//! [`STALE_AFTER`] says of no token that it is good.

mod checkpoints;
mod database;
mod facts;
mod history;
mod revocations;
mod store;
mod view;

use std::path::PathBuf;

use secrecy::SecretString;

pub use checkpoints::CheckpointQuery;
pub use database::StateError;
pub use store::{StateCheck, StateStore};
pub use view::STALE_AFTER;

/// Where the state is kept.
pub enum StateSource {
    /// In an SQLite file in this folder, of one replica alone.
    Folder(PathBuf),
    /// In a PostgreSQL that replicas share, by its URL, which may hold a password:
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`.
    Postgres(SecretString),
}
