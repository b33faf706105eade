//! Records that are written at once, joined to the chain.

use crate::domain::record::{Link, Record};

/// How many bytes of lines are written with one sync. More wait for the next, so that no statement
/// and no text in memory is larger; a line that is larger by itself is a batch by itself.
const MOST_BYTES: usize = 4 * 1024 * 1024;

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
    /// Joins the first of these records, as many as a batch may hold: one at least.
    pub(super) fn join(replica: &str, end: &Link, records: &[Record]) -> Self {
        Self::join_up_to(MOST_BYTES, replica, end, records)
    }

    fn join_up_to(most_bytes: usize, replica: &str, end: &Link, records: &[Record]) -> Self {
        let first = end.sequence() + 1;
        let mut batch = Self { first, lines: Vec::with_capacity(records.len()), end: end.clone() };
        let mut bytes = 0;
        for record in records {
            let (line, next) = batch.end.join(replica, record.clone());
            bytes += line.len() + 1;
            if bytes > most_bytes && !batch.lines.is_empty() {
                break;
            }
            batch.lines.push(line);
            batch.end = next;
        }
        batch
    }

    /// How many bytes the lines have in a file.
    pub(super) fn size(&self) -> usize {
        self.lines.iter().map(|line| line.len() + 1).sum()
    }

    /// The lines as they are in a file.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.size());
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::record::{Event, Outcome};

    #[test]
    fn a_batch_takes_as_many_bytes_as_it_may_and_one_line_at_least() {
        let record = Record::new(Timestamp::UNIX_EPOCH, Event::Read, Outcome::Granted);
        let records = vec![record; 5];
        let two = Batch::join("r", &Link::start(), &records[..2]);
        for (most, taken) in
            [(0, 1), (two.size() - 1, 1), (two.size(), 2), (two.size() + 1, 2), (MOST_BYTES, 5)]
        {
            let batch = Batch::join_up_to(most, "r", &Link::start(), &records);
            assert_eq!((batch.lines.len(), batch.end.sequence()), (taken, taken as u64), "{most}");
            assert_eq!(batch.text().len(), batch.size());
        }
    }
}
