//! The audit in a PostgreSQL that replicas share.

mod columns;
mod replicas;
mod spool;
mod table;
