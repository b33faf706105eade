//! Why the audit does not do what it is asked.

use std::io;

/// The audit cannot be written, so nothing may be answered; or it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// A record is not on stable storage.
    #[error("the audit cannot be written: {0}")]
    Write(String),
    /// What was written cannot be read.
    #[error("the audit cannot be read: {0}")]
    Read(String),
}

impl From<io::Error> for AuditError {
    fn from(error: io::Error) -> Self {
        Self::Write(error.to_string())
    }
}
