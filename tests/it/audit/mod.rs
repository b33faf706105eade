//! The audit in a PostgreSQL that replicas share.

mod columns;
mod replicas;
mod table;
