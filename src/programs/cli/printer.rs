//! What people and scripts see: answers on standard output, all else on standard error.
//!
//! Invariant: what came from outside never tells a terminal what to do, nor makes a line of its
//! own. Values alone, and scripts for a shell, are written as they are.

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

    /// Writes a line for people to standard output.
    pub(super) fn line(text: &str) -> Result<(), Failure> {
        Self::raw(format!("{}\n", harmless(text)).as_bytes())
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
                harmless_json(&text)
            }
            Output::Yaml => {
                serde_saphyr::to_string(document).map_err(|error| unprintable(error.to_string()))?
            }
        };
        Self::raw(text.as_bytes())
    }

    /// A line on standard error that tells, and asks for nothing.
    pub(super) fn note(text: &str) {
        tell("", text);
    }

    pub(super) fn warning(text: &str) {
        tell(&coloured("warning: ", "33"), text);
    }

    pub(super) fn failure(failure: &Failure) {
        tell(&coloured("error: ", "31"), &failure.what);
        if let Some(advice) = &failure.advice {
            tell("  ", advice);
        }
    }
}

/// Writes a line to standard error, whose beginning is the program's own.
fn tell(beginning: &str, text: &str) {
    // Where nobody can be told, there is nobody to tell it to.
    let _ = writeln!(io::stderr(), "{beginning}{}", harmless(text));
}

/// A text with nothing in it that a terminal acts on.
fn harmless(text: &str) -> String {
    escaped(text, |character| character.escape_default().collect())
}

/// A JSON document likewise. Its line ends are the document's own: in strings JSON escapes them,
/// and of what a terminal acts on only some.
fn harmless_json(document: &str) -> String {
    escaped(document, |character| match character {
        '\n' => "\n".to_owned(),
        other => format!("\\u{:04x}", u32::from(other)),
    })
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            harmless.push_str(&escape(character));
        } else {
            harmless.push(character);
        }
    }
    harmless
}

/// Whether a terminal may do something for a character other than show it: control characters, and
/// those that end lines, are not seen, or turn the direction of others (Unicode 16, section 23.2).
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

fn coloured(text: &str, colour: &str) -> String {
    if io::stderr().is_terminal() && !config::colours_are_unwanted() {
        return format!("\u{1b}[1;{colour}m{text}\u{1b}[0m");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\n\tb\u{7f}\u{9b}31m\u{202e}c\u{2028}\u{200b}\u{feff}\0";

    #[test]
    fn what_a_terminal_acts_on_is_written_out_and_the_rest_is_as_it_was() {
        assert_eq!(
            harmless(HOSTILE),
            r"a\u{1b}[2J\r\n\tb\u{7f}\u{9b}31m\u{202e}c\u{2028}\u{200b}\u{feff}\u{0}"
        );
        let plain = "größe \u{65e5} 'a' \"b\" \\ e\u{301}";
        assert_eq!(harmless(plain), plain);
    }

    #[test]
    fn documents_for_scripts_say_the_same_and_control_no_terminal() {
        let texts: Vec<String> =
            HOSTILE.chars().map(String::from).chain([HOSTILE.into()]).collect();
        let json = harmless_json(&serde_json::to_string_pretty(&texts).unwrap());
        let yaml = serde_saphyr::to_string(&texts).unwrap();
        let without_lines = |text: &str| text.replace('\n', "");
        assert!(!without_lines(&json).contains(acts), "{json:?}");
        assert!(!without_lines(&yaml).contains(char::is_control), "{yaml:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), texts);
        assert_eq!(serde_saphyr::from_str::<Vec<String>>(&yaml).unwrap(), texts);
    }
}
