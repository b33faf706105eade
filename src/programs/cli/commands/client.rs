//! `client hash`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::domain::identity::CLIENT_SECRET_PREFIX;
use crate::programs::cli::args::Hash;
use crate::programs::cli::failure::{Failure, Status};
use crate::programs::cli::printer::Printer;

/// One entry of the vault's file of clients. The secret has 256 random bits, so SHA-256 serves.
#[derive(Serialize)]
struct Entry {
    name: String,
    id: String,
    sha256: String,
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    secret: &'a str,
}

pub(in crate::programs::cli) fn hash(args: &Hash, printer: &Printer) -> Result<(), Failure> {
    let secret = Zeroizing::new(format!(
        "{CLIENT_SECRET_PREFIX}{}",
        URL_SAFE_NO_PAD.encode(*random::<32>()?)
    ));
    let id = match &args.id {
        Some(id) => id.to_string(),
        None => hex::encode(*random::<4>()?),
    };
    let entry = Entry {
        name: args.name.to_string(),
        id,
        sha256: hex::encode(Sha256::digest(secret.as_bytes())),
    };
    // Quoted, since an id such as 1234 or 1e10 would be a number to YAML.
    let yaml = format!(
        "- name: \"{}\"\n  id: \"{}\"\n  sha256: \"{}\"\n",
        entry.name, entry.id, entry.sha256
    );
    match &args.secret_file {
        Some(file) => {
            write_new(file, &secret)?;
            if printer.for_people() {
                Printer::raw(yaml.as_bytes())
            } else {
                printer.document(&entry)
            }
        }
        None if printer.for_people() => {
            Printer::note(&format!(
                "Add this to the vault's file of clients; the secret is shown this once.\n\n{yaml}"
            ));
            Printer::raw(format!("{}\n", *secret).as_bytes())
        }
        None => printer.document(&Made { entry: &entry, secret: &secret }),
    }
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut()).map_err(|error| {
        Failure::new(Status::InputOutput, format!("the system gives no random bytes: {error}"))
    })?;
    Ok(bytes)
}

fn write_new(file: &Path, secret: &str) -> Result<(), Failure> {
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|error| unwritable(file, &error))?;
    writeln!(opened, "{secret}").map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Status::InputOutput,
        format!("the secret cannot be written to {}: {error}", file.display()),
    )
}
