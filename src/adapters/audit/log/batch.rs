//! Records that are written at once, joined to the chain.

use crate::domain::record::{Link, Record};

/// Lines that go on from a chain's end.
pub(super) struct Batch {
    /// The sequence of the first line.
    pub(super) first: u64,
    /// Without newlines.
    pub(super) lines: Vec<String>,
    /// The end of the chain with them.
    pub(super) end: Link,
}

impl Batch {
    pub(super) fn join(replica: &str, end: &Link, records: &[Record]) -> Self {
        let first = end.sequence() + 1;
        let mut end = end.clone();
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let (line, next) = end.join(replica, record.clone());
            lines.push(line);
            end = next;
        }
        Self { first, lines, end }
    }

    /// The lines as they are in a file.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.lines.iter().map(|line| line.len() + 1).sum());
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
