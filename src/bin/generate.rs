//! Writes what is made from the code and committed.

use std::process::ExitCode;

fn main() -> ExitCode {
    vanta::programs::generate::main(vanta::programs::vault::openapi_document)
}
