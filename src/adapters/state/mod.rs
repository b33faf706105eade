//! Uses left, revocations and the revision key, in SQLite.
//!
//! Invariant: a use is taken in one conditional statement, so that at most as many are taken as
//! there are, whoever races.

mod sqlite;

pub use sqlite::{SqliteState, StateError};
