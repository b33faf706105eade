//! What one file may cost: every bound is checked before the work that it bounds is done.

/// The longest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The most text that a file may hold once its aliases are expanded, in bytes.
pub const MAX_TEXT_BYTES: usize = 2 * MAX_FILE_BYTES;

/// How deep collections may be nested, the document's own mapping included.
pub const MAX_DEPTH: usize = 64;

/// The most nodes of all documents together: each map, list, scalar and comment is one, and an
/// alias counts for all that it stands for.
pub const MAX_NODES: usize = 100_000;

/// The most text of keys and comments that a file's regular expression is matched against, in
/// bytes. What an expression takes beyond one step a byte is bounded by itself.
pub const MAX_MATCHED_BYTES: usize = 1024 * 1024;

/// The most memory that is kept of one file while it is served, in bytes.
pub const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// The most memory that is kept of the files of all environments together, in bytes.
pub const MAX_KEPT_BYTES_OF_ALL: usize = 128 * 1024 * 1024;

/// The longest key and the longest list of recipients that an error repeats.
pub(super) const MAX_SHOWN: usize = 100;

use super::error::FileError;

/// What is left of the bounds on nodes and text while one file is read.
pub(super) struct Budget {
    nodes: usize,
    text: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { nodes: MAX_NODES, text: MAX_TEXT_BYTES }
    }

    /// Pays for one node at a depth, with this much text of its own.
    pub(super) fn spend(&mut self, depth: usize, text: usize) -> Result<(), FileError> {
        if depth > MAX_DEPTH {
            return Err(FileError::TooDeep { limit: MAX_DEPTH });
        }
        self.nodes =
            self.nodes.checked_sub(1).ok_or(FileError::TooManyNodes { limit: MAX_NODES })?;
        self.text =
            self.text.checked_sub(text).ok_or(FileError::TooMuchText { limit: MAX_TEXT_BYTES })?;
        Ok(())
    }
}

/// A file's length against its bound, before anything is parsed.
pub(super) fn check_length(bytes: &[u8]) -> Result<(), FileError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLong { limit: MAX_FILE_BYTES });
    }
    Ok(())
}
