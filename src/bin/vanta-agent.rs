//! The agent in each pod.

use std::process::ExitCode;

fn main() -> ExitCode {
    vanta::programs::agent::main()
}
