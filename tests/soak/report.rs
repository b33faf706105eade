//! What a run found, as a section of a Markdown file.

use std::fmt::Write as _;
use std::io::Write as _;

/// A section in the making, and whether what was promised was found.
pub(crate) struct Report {
    text: String,
    failed: bool,
}

impl Report {
    pub(crate) fn new(name: &str, what: &str) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut report = Self { text: String::new(), failed: false };
        report.line(format!("## {name}\n\n{what}, on {cores} cores.\n"));
        report
    }

    /// A line of Markdown.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) {
        writeln!(self.text, "{text}").expect("a text takes all");
        println!("{text}");
    }

    /// What was promised is not so: the run goes on, and fails in the end.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Adds the section to a file, where one is named; says whether what was promised is so.
    pub(crate) fn close(self, file: Option<&str>) -> bool {
        let Some(file) = file else { return !self.failed };
        let options = std::fs::OpenOptions::new().append(true).create(true).open(file);
        let mut file = options.expect("the report can be written");
        writeln!(file, "{}", self.text).expect("the report can be written");
        !self.failed
    }
}
