//! What a run found, as a section of a Markdown file.

use std::fmt::Write as _;
use std::io::Write as _;

/// A section in the making.
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn new(name: &str, what: &str) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut report = Self(String::new());
        report.line(format!("## {name}\n\n{what}, on {cores} cores.\n"));
        report
    }

    /// A line of Markdown.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) {
        writeln!(self.0, "{text}").expect("a text takes all");
        println!("{text}");
    }

    /// Adds the section to a file, where one is named.
    pub(crate) fn close(self, file: Option<&str>) {
        let Some(file) = file else { return };
        let options = std::fs::OpenOptions::new().append(true).create(true).open(file);
        let mut file = options.expect("the report can be written");
        writeln!(file, "{}", self.0).expect("the report can be written");
    }
}
