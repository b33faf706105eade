//! The audit in a PostgreSQL that replicas share.

mod replicas;
mod table;
