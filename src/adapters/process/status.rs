//! The exit codes of VANTA's own failures, after sysexits(3).

use std::process::ExitCode;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// EX_OK
    Done = 0,
    /// It failed, for a reason that no other code names.
    Failed = 1,
    /// EX_USAGE
    Usage = 64,
    /// EX_NOINPUT
    NotFound = 66,
    /// EX_SOFTWARE
    Software = 70,
    /// EX_IOERR
    InputOutput = 74,
    /// EX_TEMPFAIL
    Temporary = 75,
    /// EX_NOPERM
    Refused = 77,
    /// EX_CONFIG
    Configuration = 78,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
