//! Lines of a file, one at a time in either direction, so that memory is bounded by the longest.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// The longest line that is read whole, in bytes. A longer one is cut, and so is no entry.
const LONGEST: u64 = 16 * 1024 * 1024;

/// How many bytes are read at once from the end.
#[cfg(feature = "vault")]
const BLOCK: u64 = 64 * 1024;

/// One line, and whether a newline ends it.
pub(super) struct Line {
    text: String,
    finished: bool,
}

impl Line {
    /// The line, where it was written to its end.
    pub(super) fn finished(&self) -> Option<&str> {
        self.finished.then_some(self.text.as_str())
    }

    /// The line, whether or not it was written to its end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The lines from an offset on.
pub(super) struct Forward<Source>(BufReader<Source>);

impl<Source: Read> Forward<Source> {
    pub(super) fn new(source: Source) -> Self {
        Self(BufReader::new(source))
    }
}

impl<Source: Read> Iterator for Forward<Source> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        let mut bytes = Vec::new();
        match (&mut self.0).take(LONGEST).read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
        let finished = bytes.last() == Some(&b'\n');
        if finished {
            bytes.pop();
        }
        // What is not UTF-8 was not written here: it reads as something else, whose hash differs.
        Some(Ok(Line { text: String::from_utf8_lossy(&bytes).into_owned(), finished }))
    }
}

/// The first line of a file.
pub(super) fn first_line(file: &mut File) -> io::Result<Option<Line>> {
    file.seek(SeekFrom::Start(0))?;
    Forward::new(file).next().transpose()
}

/// The lines before an offset, the last one first. The offset is that of a line's beginning.
#[cfg(feature = "vault")]
pub(super) struct Backward {
    file: File,
    /// Where what was read begins.
    from: u64,
    /// What was read and not given.
    bytes: Vec<u8>,
}

#[cfg(feature = "vault")]
impl Backward {
    pub(super) fn new(file: File, before: u64) -> Self {
        Self { file, from: before, bytes: Vec::new() }
    }

    fn read_more(&mut self) -> io::Result<()> {
        // More at once for a long line, so that what was read is not moved too often.
        let size = BLOCK.max(self.bytes.len() as u64).min(self.from);
        self.from -= size;
        self.file.seek(SeekFrom::Start(self.from))?;
        let mut block = Vec::new();
        (&mut self.file).take(size).read_to_end(&mut block)?;
        block.append(&mut self.bytes);
        self.bytes = block;
        Ok(())
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            let end = self.bytes.len().saturating_sub(1);
            let newline = self.bytes[..end].iter().rposition(|byte| *byte == b'\n');
            let begin = match newline {
                Some(newline) => newline + 1,
                None if self.from == 0 && self.bytes.is_empty() => return Ok(None),
                None if self.from == 0 => 0,
                None => {
                    self.read_more()?;
                    continue;
                }
            };
            let line = String::from_utf8_lossy(&self.bytes[begin..end]).into_owned();
            self.bytes.truncate(begin);
            return Ok(Some(line));
        }
    }
}

#[cfg(feature = "vault")]
impl Iterator for Backward {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<io::Result<String>> {
        self.line().transpose()
    }
}

/// Where the first line begins that is not before what is sought. The lines before it all are;
/// an unfinished one at the end is not.
#[cfg(feature = "vault")]
pub(super) fn partition_point(
    file: &mut File,
    is_before: impl Fn(&str) -> bool,
) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut start = low;
        if middle > low {
            file.seek(SeekFrom::Start(middle - 1))?;
            let rest = Forward::new(&mut *file).next().transpose()?;
            start = middle - 1 + rest.map_or(0, |rest| rest.text.len() as u64 + 1);
        }
        if start >= high {
            high = middle;
            continue;
        }
        file.seek(SeekFrom::Start(start))?;
        let line = Forward::new(&mut *file).next().transpose()?;
        match line.as_ref().and_then(Line::finished) {
            Some(line) if is_before(line) => low = start + line.len() as u64 + 1,
            _ => high = start,
        }
    }
    Ok(low)
}

/// The length up to the last newline, and the line that ends there; only the end is read.
#[cfg(feature = "vault")]
pub(super) fn last_complete_line(file: &mut File) -> io::Result<(u64, Option<String>)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = length;
    let mut block = vec![0; 64 * 1024];
    // Where the last newline is, then the line before it.
    while end > 0 {
        let size = end.min(block.len() as u64);
        file.seek(SeekFrom::Start(end - size))?;
        let bytes = &mut block[..usize::try_from(size).expect("a block fits")];
        file.read_exact(bytes)?;
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            end = end - size + newline as u64 + 1;
            let line = Backward::new(file.try_clone()?, end).next().transpose()?;
            return Ok((end, line));
        }
        end -= size;
    }
    Ok((0, None))
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
