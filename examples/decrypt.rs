//! Prints a SOPS file as JSON: the file's own tree, and the same bytes as
//! `sops decrypt --output-type json`.
//!
//! `cargo run --example decrypt -- [--strict] FILE`, with `SOPS_AGE_KEY`,
//! `SOPS_AGE_KEY_FILE` or `SOPS_AGE_SSH_PRIVATE_KEY_FILE`.
//! By default everything is allowed that an administrator can allow (`--allow-all` says so
//! aloud); with `--strict` nothing is, and the file is checked as the vault checks it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use vanta::adapters::sops::{EncryptedFile, Format, Identities, Leave, OpenedFile};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a closed standard error.
            let _ = writeln!(std::io::stderr(), "decrypt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut strict = false;
    let mut files = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--strict" => strict = true,
            "--allow-all" => strict = false,
            flag if flag.starts_with("--") => bail!("{flag} is not an option"),
            _ => files.push(argument),
        }
    }
    let [path] = files.as_slice() else { bail!("usage: decrypt [--strict | --allow-all] FILE") };
    let path = Path::new(path);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let format = Format::from_extension(extension)?;
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let identities = identities()?;
    let leave = if strict { Leave::default() } else { Leave::ALL };
    if strict {
        EncryptedFile::open(&bytes, format, &identities, leave)?;
    }
    let json = OpenedFile::open(&bytes, format, &identities, leave)?.to_json()?;
    std::io::stdout().write_all(json.as_bytes())?;
    Ok(())
}

/// The identities of all variables that are set, as sops takes them.
#[expect(clippy::disallowed_methods, reason = "an example has no configuration of its own")]
fn identities() -> Result<Identities> {
    let mut found: Option<Identities> = None;
    let mut add = |more: Identities| {
        found = Some(match found.take() {
            Some(earlier) => earlier.and(more),
            None => more,
        });
    };
    if let Ok(text) = std::env::var("SOPS_AGE_KEY") {
        add(Identities::parse(&text).context("SOPS_AGE_KEY")?);
    }
    for name in ["SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"] {
        if let Some(path) = std::env::var_os(name) {
            add(Identities::read(Path::new(&path)).context(name)?);
        }
    }
    found.context("set SOPS_AGE_KEY, SOPS_AGE_KEY_FILE or SOPS_AGE_SSH_PRIVATE_KEY_FILE")
}
