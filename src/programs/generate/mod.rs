//! `generate`: writes what is made from the code and committed, or says what of it is stale.

mod crds;

pub use crds::crds;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Where the OpenAPI document of the vault is, from the project's root.
const OPENAPI: &str = "docs/openapi.json";

/// Writes the files that are made from the code.
#[derive(Debug, Parser)]
#[command(name = "generate")]
struct Args {
    /// Write nothing, and fail where a file is not as the code is
    #[arg(long)]
    check: bool,
    /// The folder of the project
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

/// The program `generate`. The vault is another program, so its document is handed in.
pub fn main(openapi: fn() -> String) -> ExitCode {
    let args = Args::parse();
    let mut made = crds();
    made.push((OPENAPI.to_owned(), openapi()));
    match files(&args, made) {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => say(&format!(
            "{} is not as the code is: run `cargo run --bin generate`",
            stale.join(", ")
        )),
        Err(error) => say(&error.to_string()),
    }
}

fn say(problem: &str) -> ExitCode {
    // There is nowhere else to say it.
    let _ = writeln!(io::stderr(), "generate: {problem}");
    ExitCode::FAILURE
}

/// Writes each file, or gives the names of those that would change.
fn files(args: &Args, made: Vec<(String, String)>) -> io::Result<Vec<String>> {
    let mut stale = Vec::new();
    for (name, text) in made {
        let path = args.root.join(&name);
        if !args.check {
            write(&path, &text)?;
        } else if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            stale.push(name);
        }
    }
    Ok(stale)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
