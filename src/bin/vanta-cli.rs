//! The command line client.

use std::process::ExitCode;

fn main() -> ExitCode {
    vanta::programs::cli::main()
}
