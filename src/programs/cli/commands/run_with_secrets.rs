//! `run-with-secrets`
//!
//! Invariant: the command gets the values and nothing with which it could ask for more. No value
//! is in an argument or on a disk.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use crate::adapters::process::hardening::{MemoryFile, close_to_others, forbid_core_dumps};
use crate::adapters::process::{self, Child};
use crate::contract::api::tokens::GenerateRequest;
use crate::domain::grants::{FileFormat, Permission};
use crate::domain::names::Key;
use crate::domain::render::{Rendered, render_as, render_environment};
use crate::domain::secret::SecretValue;
use crate::programs::cli::args::{InjectAs, RunWithSecrets};
use crate::programs::cli::config::{Config, inherited_environment};
use crate::programs::cli::failure::{Failure, Status};
use crate::programs::cli::printer::Printer;
use crate::programs::cli::session::with_token;

/// Tells the command where the file is.
const SECRETS_FILE: &str = "VANTA_SECRETS_FILE";

pub(in crate::programs::cli) fn run(
    config: &Config,
    args: &RunWithSecrets,
) -> Result<ExitCode, Failure> {
    if args.inject_as == InjectAs::Env && args.format.is_some() {
        return Err(Failure::new(Status::Usage, "--format is the form of a file")
            .advise("use it with --inject-as file, or leave it out"));
    }
    // Before there is anything in memory that a dump could show.
    forbid_core_dumps().map_err(|error| hardening("core dumps cannot be forbidden", &error))?;
    let values = fetch(config, args)?;
    let (program, arguments) =
        args.command.split_first().expect("the command line is refused without a command");
    let mut command = Child::new(program, arguments);
    for (name, value) in inherited_environment() {
        command.set(&name, value.as_bytes());
    }
    // Held until the command has ended, since its path leads through this process.
    let file = match args.inject_as {
        InjectAs::Env => {
            inject_environment(&mut command, &values)?;
            None
        }
        InjectAs::File => {
            let format = args.format.map_or(FileFormat::Dotenv, Into::into);
            Some(inject_file(&mut command, &values, format)?)
        }
    };
    let ended = process::run(command, || drop(values));
    drop(file);
    match ended {
        Ok(ended) => Ok(ended.into()),
        Err(error) => {
            Printer::note(&format!("vanta-cli: {error}"));
            Ok(ExitCode::from(error.code()))
        }
    }
}

fn fetch(config: &Config, args: &RunWithSecrets) -> Result<BTreeMap<Key, SecretValue>, Failure> {
    let request = || GenerateRequest {
        subject: None,
        environment: args.environment.clone(),
        key_pattern: args.key_pattern.clone(),
        ttl_minutes: Some(args.ttl_minutes),
        usage_limit: Some(args.usage_limit),
        permissions: vec![Permission::Read, Permission::List],
    };
    let values = with_token(config, request, |client, token| {
        Ok(client.values(token, &args.environment, &args.key_pattern)?)
    })?;
    if values.is_empty() {
        return Err(Failure::new(
            Status::NotFound,
            format!(
                "no key of {} that you may read matches {}",
                args.environment, args.key_pattern
            ),
        )
        .advise("the command was not run; `vanta-cli list ENVIRONMENT` shows the keys"));
    }
    Ok(values)
}

fn inject_environment(
    command: &mut Child,
    values: &BTreeMap<Key, SecretValue>,
) -> Result<(), Failure> {
    close_to_others().map_err(|error| hardening("the process cannot be closed", &error))?;
    for (name, value) in render_environment(values, &BTreeMap::new())? {
        command.set(OsStr::new(&name), value.expose());
    }
    Ok(())
}

/// This process stays open to others of its user here: the command opens the file through it.
fn inject_file(
    command: &mut Child,
    values: &BTreeMap<Key, SecretValue>,
    format: FileFormat,
) -> Result<MemoryFile, Failure> {
    let Rendered::Text(text) = render_as(values, format, &BTreeMap::new())? else {
        return Err(Failure::new(Status::Usage, "one file a key is not to be had in memory"));
    };
    let file = MemoryFile::holding(&text)
        .map_err(|error| hardening("the file cannot be made in memory", &error))?;
    command.set(OsStr::new(SECRETS_FILE), file.path().as_os_str().as_bytes());
    Ok(file)
}

fn hardening(what: &str, error: &io::Error) -> Failure {
    Failure::new(Status::InputOutput, format!("{what}: {error}"))
}
