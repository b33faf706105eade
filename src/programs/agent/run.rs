//! From arguments to a running agent, and from a signal to its end.

use std::process::ExitCode;

/// The program `vanta-agent`.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
