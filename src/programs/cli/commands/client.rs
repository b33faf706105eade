//! `client hash`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::adapters::process::Status;
use crate::contract::clients::ClientEntry;
use crate::domain::identity::ClientSecret;
use crate::programs::cli::args::Hash;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    entry: &'a ClientEntry,
    secret: &'a str,
}

pub(in crate::programs::cli) fn hash(args: &Hash, printer: &Printer) -> Result<(), Failure> {
    let secret = ClientSecret::from_random(&*random()?);
    let id = match &args.id {
        Some(id) => id.to_string(),
        None => hex::encode(*random::<4>()?),
    };
    let entry = ClientEntry {
        administrator: args.administrator,
        ..ClientEntry::new(args.name.clone(), id, &secret)
    };
    let yaml = entry.yaml();
    match &args.secret_file {
        Some(file) => {
            write_new(file, secret.expose())?;
            if printer.for_people() {
                Printer::raw(yaml.as_bytes())
            } else {
                printer.document(&entry)
            }
        }
        None if printer.for_people() => {
            Printer::note(
                "Add this to the vault's file of clients; the secret is shown this once.",
            );
            Printer::note("");
            yaml.lines().for_each(Printer::note);
            Printer::note("");
            Printer::raw(format!("{}\n", secret.expose()).as_bytes())
        }
        None => printer.document(&Made { entry: &entry, secret: secret.expose() }),
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
