//! `run-with-secrets`
//!
//! Invariant: the command gets the values and nothing with which it could ask for more. No value
//! is in an argument or on a disk.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use crate::adapters::process::hardening::MemoryFile;
use crate::adapters::process::{self, Child};
use crate::contract::api::tokens::GenerateRequest;
use crate::domain::grants::{FileFormat, Permission};
use crate::domain::names::Key;
use crate::domain::render::{Rendered, render_as, render_environment};
use crate::domain::secret::SecretValue;
use crate::programs::cli::args::{HOLD, Hold, InjectAs, RunWithSecrets};
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
    let values = fetch(config, args)?;
    match args.inject_as {
        InjectAs::Env => {
            let mut child = child(&args.command);
            for (name, value) in render_environment(&values, &BTreeMap::new())? {
                child.set(OsStr::new(&name), value.expose());
            }
            Ok(stay_with(child, || drop(values)))
        }
        InjectAs::File => {
            let format = args.format.map_or(FileFormat::Dotenv, Into::into);
            Err(hold_in_a_new_image(&values, format, &args.command)?)
        }
    }
}

/// Runs the command with the file that is open under this number; see [`hold_in_a_new_image`].
pub(in crate::programs::cli) fn hold(args: &Hold) -> Result<ExitCode, Failure> {
    let file = MemoryFile::adopt(args.descriptor)
        .map_err(|error| hardening("the file cannot be held", &error))?;
    let mut child = child(&args.command);
    child.set(OsStr::new(SECRETS_FILE), file.path().as_os_str().as_bytes());
    // Held until the command has ended, since its path leads through this process.
    Ok(stay_with(child, || ()))
}

/// Puts the file into memory and becomes a new image of this program, which holds it.
///
/// The command opens the file through this process, which must therefore stay open to others of
/// its user, the command among them. So nothing may be left in it that the command should not
/// have: the new image has no credential in its environment or arguments, and no token or value
/// in its memory. It returns only where it fails.
fn hold_in_a_new_image(
    values: &BTreeMap<Key, SecretValue>,
    format: FileFormat,
    command: &[OsString],
) -> Result<Failure, Failure> {
    let Rendered::Text(text) = render_as(values, format, &BTreeMap::new())? else {
        return Err(Failure::new(Status::Usage, "one file a key is not to be had in memory"));
    };
    let file = MemoryFile::holding(&text)
        .map_err(|error| hardening("the file cannot be made in memory", &error))?;
    let descriptor = file
        .keep_for_a_new_image()
        .map_err(|error| hardening("the file cannot be handed over", &error))?;
    let error = std::process::Command::new("/proc/self/exe")
        .arg0("vanta-cli")
        .args([HOLD, "--descriptor", &descriptor.to_string(), "--"])
        .args(command)
        .env_clear()
        .envs(inherited_environment())
        .exec();
    Ok(hardening("the program cannot be started again to hold the file", &error))
}

/// The command with what it inherits, which is no credential.
fn child(command: &[OsString]) -> Child {
    let (program, arguments) =
        command.split_first().expect("the command line is refused without a command");
    let mut child = Child::new(program, arguments);
    for (name, value) in inherited_environment() {
        child.set(&name, value.as_bytes());
    }
    child
}

fn stay_with(child: Child, started: impl FnOnce()) -> ExitCode {
    match process::run(child, started) {
        Ok(ended) => ended.into(),
        Err(error) => {
            Printer::note(&format!("vanta-cli: {error}"));
            ExitCode::from(error.code())
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

fn hardening(what: &str, error: &io::Error) -> Failure {
    Failure::new(Status::InputOutput, format!("{what}: {error}"))
}
