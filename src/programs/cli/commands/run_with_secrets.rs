//! `run-with-secrets`
//!
//! Invariant: the command gets the values and nothing with which it could ask for more. No value
//! is in an argument or on a disk.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::os::unix::process::CommandExt as _;

use crate::adapters::process::Status;
use crate::adapters::process::hardening::MemoryFile;
use crate::contract::api::tokens::GenerateRequest;
use crate::domain::grants::{FileFormat, Permission};
use crate::domain::names::Key;
use crate::domain::render::{Rendered, render_as, render_environment};
use crate::domain::secret::SecretValue;
use crate::programs::cli::args::{HOLD, InjectAs, RunWithSecrets};
use crate::programs::cli::config::{Config, inherited_environment};
use crate::programs::cli::failure::Failure;
use crate::programs::cli::session::with_token;

pub(in crate::programs::cli) fn run(
    config: &Config,
    args: &RunWithSecrets,
) -> Result<Infallible, Failure> {
    if args.inject_as == InjectAs::Env && args.format.is_some() {
        return Err(Failure::new(Status::Usage, "--format is the form of a file")
            .advise("use it with --inject-as file, or leave it out"));
    }
    let values = fetch(config, args)?;
    let content = match args.inject_as {
        InjectAs::Env => as_variables(&values)?,
        InjectAs::File => as_file(&values, args.format.map_or(FileFormat::Dotenv, Into::into))?,
    };
    Err(become_holder(&content, args)?)
}

/// `NAME=value` entries with a NUL byte after each, as an environment is laid out.
fn as_variables(values: &BTreeMap<Key, SecretValue>) -> Result<SecretValue, Failure> {
    let mut entries = Vec::new();
    for (name, value) in render_environment(values, &BTreeMap::new())? {
        entries.extend_from_slice(name.as_bytes());
        entries.push(b'=');
        entries.extend_from_slice(value.expose());
        entries.push(0);
    }
    Ok(SecretValue::new(entries))
}

fn as_file(
    values: &BTreeMap<Key, SecretValue>,
    format: FileFormat,
) -> Result<SecretValue, Failure> {
    match render_as(values, format, &BTreeMap::new())? {
        Rendered::Text(text) => Ok(text),
        Rendered::Files(_) => {
            Err(Failure::new(Status::Usage, "one file a key is not to be had in memory"))
        }
    }
}

/// Puts the content into memory and becomes a new image of this program, which runs the command
/// (see `hold.rs`). It returns only where it fails.
///
/// The new image has nothing that the command should not have: no credential is in its
/// environment or arguments, no token in its memory. And it has no thread but one, which a
/// client's look-up of names leaves behind: a signal would end the process through it.
fn become_holder(content: &SecretValue, args: &RunWithSecrets) -> Result<Failure, Failure> {
    let file = MemoryFile::holding(content)
        .map_err(|error| input_output("the file cannot be made in memory", &error))?;
    let descriptor = file
        .keep_for_a_new_image()
        .map_err(|error| input_output("the file cannot be handed over", &error))?;
    let form = if args.inject_as == InjectAs::Env { "env" } else { "file" };
    let error = std::process::Command::new("/proc/self/exe")
        .arg0("vanta-cli")
        .args([HOLD, "--descriptor", &descriptor.to_string(), "--inject-as", form, "--"])
        .args(&args.command)
        .env_clear()
        .envs(inherited_environment())
        .exec();
    Ok(input_output("the program cannot be started again to run the command", &error))
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

pub(super) fn input_output(what: &str, error: &io::Error) -> Failure {
    Failure::new(Status::InputOutput, format!("{what}: {error}"))
}
