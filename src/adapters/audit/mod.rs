//! The audit: a chain of JSON lines, each written and synced before what it records is answered.
//!
//! Invariant: [`AuditLog::append`] returns `Ok` only once the line is on stable storage.

mod folder;
mod lines;
#[cfg(feature = "vault")]
mod log;
mod signing;
mod verify;

#[cfg(feature = "vault")]
pub use log::{
    AppendError, AuditLog, Checkpointer, LogOptions, Observer, OpenError, Page, Query, QueryError,
    Rotation, SpoolError, SpoolOptions, Stream, TableError, TableOptions, Written,
};
pub use signing::{InvalidPublicKey, PublicKey, SigningKey, removal_holds, signature_holds};
pub use verify::{Checkpoints, join, verify_folder};
