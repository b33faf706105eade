//! The injector: the admission webhook and its certificates.

use std::process::ExitCode;

fn main() -> ExitCode {
    vanta::programs::injector::main()
}
