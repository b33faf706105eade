//! The audit: a chain of JSON lines, each written and synced before what it records is answered.
//!
//! Invariant: [`AuditLog::append`] returns `Ok` only once the line is on stable storage.

#[cfg(feature = "vault")]
mod batch;
#[cfg(feature = "vault")]
mod checkpoints;
#[cfg(feature = "vault")]
mod error;
#[cfg(feature = "vault")]
mod file;
#[cfg(feature = "vault")]
mod file_writer;
mod folder;
#[cfg(feature = "vault")]
mod holders;
mod lines;
#[cfg(feature = "vault")]
mod log;
#[cfg(feature = "vault")]
mod observer;
#[cfg(feature = "vault")]
mod query;
mod signing;
#[cfg(feature = "vault")]
mod stream;
#[cfg(feature = "vault")]
mod table;
#[cfg(feature = "vault")]
mod table_query;
#[cfg(feature = "vault")]
mod table_session;
#[cfg(feature = "vault")]
mod table_writer;
mod verify;

#[cfg(feature = "vault")]
pub use checkpoints::Checkpointer;
#[cfg(feature = "vault")]
pub use error::{AppendError, OpenError, QueryError, SpoolError, TableError};
#[cfg(feature = "vault")]
pub use file_writer::Rotation;
#[cfg(feature = "vault")]
pub use holders::Holder;
#[cfg(feature = "vault")]
pub use log::{AuditLog, LogOptions, SpoolOptions, TableOptions};
#[cfg(feature = "vault")]
pub use observer::{Observer, Written};
#[cfg(feature = "vault")]
pub use query::{Page, Query};
pub use signing::{InvalidPublicKey, PublicKey, SigningKey, signature_holds};
#[cfg(feature = "vault")]
pub use stream::Stream;
pub use verify::{Checkpoints, join, verify_folder};
