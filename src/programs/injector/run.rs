//! From arguments to a running injector, and from a signal to its end.

use std::process::ExitCode;

/// The program `vanta-injector`.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
