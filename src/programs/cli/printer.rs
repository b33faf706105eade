//! What people and scripts see: answers on standard output, all else on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::args::Output;
use super::config;
use super::failure::Failure;
use crate::adapters::process::Status;

/// Prints in the form that was asked for.
pub(super) struct Printer {
    output: Output,
}

impl Printer {
    pub(super) fn new(output: Output) -> Self {
        Self { output }
    }

    pub(super) fn for_people(&self) -> bool {
        self.output == Output::Table
    }

    /// Whether a person sees standard output directly.
    pub(super) fn on_a_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Writes to standard output, as it is.
    pub(super) fn raw(bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            // Whoever read it had enough, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| {
                Failure::new(
                    Status::InputOutput,
                    format!("standard output takes nothing more: {error}"),
                )
            }),
        }
    }

    /// Writes a document to standard output as JSON or YAML, whichever was asked for.
    pub(super) fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let unprintable = |error: String| Failure::new(Status::Software, error);
        let text = match self.output {
            Output::Table | Output::Json => {
                let mut text = serde_json::to_string_pretty(document)
                    .map_err(|error| unprintable(error.to_string()))?;
                text.push('\n');
                text
            }
            Output::Yaml => {
                serde_saphyr::to_string(document).map_err(|error| unprintable(error.to_string()))?
            }
        };
        Self::raw(text.as_bytes())
    }

    /// A line on standard error that tells, and asks for nothing.
    pub(super) fn note(text: &str) {
        // Where nobody can be told, there is nobody to tell it to.
        let _ = writeln!(io::stderr(), "{text}");
    }

    pub(super) fn warning(text: &str) {
        Self::note(&format!("{} {text}", coloured("warning:", "33")));
    }

    pub(super) fn failure(failure: &Failure) {
        Self::note(&format!("{} {}", coloured("error:", "31"), failure.what));
        if let Some(advice) = &failure.advice {
            Self::note(&format!("  {advice}"));
        }
    }
}

fn coloured(text: &str, colour: &str) -> String {
    if io::stderr().is_terminal() && !config::colours_are_unwanted() {
        return format!("\u{1b}[1;{colour}m{text}\u{1b}[0m");
    }
    text.to_owned()
}
