//! The state store: the same promises in SQLite and in PostgreSQL.

mod outage;
mod promises;
