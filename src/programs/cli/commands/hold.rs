//! What `run-with-secrets` becomes: the one thread that runs the command and stays with it.
//!
//! Invariant: this process never had a token or a credential.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use super::run_with_secrets::input_output;
use crate::adapters::process::hardening::MemoryFile;
use crate::adapters::process::{self, Child};
use crate::domain::secret::SecretValue;
use crate::programs::cli::args::{Hold, InjectAs};
use crate::programs::cli::config::inherited_environment;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

/// Tells the command where the file is.
const SECRETS_FILE: &str = "VANTA_SECRETS_FILE";

pub(in crate::programs::cli) fn run(args: &Hold) -> Result<ExitCode, Failure> {
    let file = MemoryFile::adopt(args.descriptor)
        .map_err(|error| input_output("the file cannot be held", &error))?;
    let mut child = child(args);
    // Held until the command has ended, since its path leads through this process.
    let _held = match args.inject_as {
        InjectAs::File => {
            child.set(OsStr::new(SECRETS_FILE), file.path().as_os_str().as_bytes());
            Some(file)
        }
        InjectAs::Env => {
            let content = file.read();
            let content =
                content.map_err(|error| input_output("the values cannot be read", &error))?;
            set_variables(&mut child, &content);
            None
        }
    };
    Ok(match process::run(child) {
        Ok(ended) => ended.into(),
        Err(error) => {
            Printer::note(&format!("vanta-cli: {error}"));
            ExitCode::from(error.code())
        }
    })
}

/// The command with what it inherits, which is no credential.
fn child(args: &Hold) -> Child {
    let (program, arguments) =
        args.command.split_first().expect("the command line is refused without a command");
    let mut child = Child::new(program, arguments);
    for (name, value) in inherited_environment() {
        child.set(&name, value.as_bytes());
    }
    child
}

fn set_variables(child: &mut Child, content: &SecretValue) {
    for entry in content.expose().split(|byte| *byte == 0) {
        if let Some(equals) = entry.iter().position(|byte| *byte == b'=') {
            child.set(OsStr::from_bytes(&entry[..equals]), &entry[equals + 1..]);
        }
    }
}
