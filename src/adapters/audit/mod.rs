//! The audit: a file of JSON lines, each written and synced before what it records is answered.
//!
//! Invariant: [`AuditLog::append`] returns `Ok` only once the line is on stable storage.

mod file;
mod log;

pub use log::{AuditError, AuditLog};
