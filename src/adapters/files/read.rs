//! Reading a file whose path somebody else may have prepared: a pipe or a device instead of a file
//! neither stops the reader nor fills its memory.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Why a file's content cannot be had. No text of it holds a byte of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refuses it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A folder, a pipe, a socket or a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// There is more in it than is read.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: u64,
    },
    /// Text is wanted, and it is not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
}

impl ReadError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if Self::means_missing(error))
    }

    /// Whether an error says that there is no such file or folder.
    pub fn means_missing(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }

    /// Whether it may pass without a change of the file, such as a lack of file descriptors.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

/// Reads a regular file of at most `limit` bytes through one handle, so that what is read is one
/// version of it. Symbolic links are followed.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    // Without O_NONBLOCK, a pipe by that name would stop everything until somebody wrote to it.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(ReadError::NotRegular);
    }
    if found.len() > limit {
        return Err(ReadError::TooLong { limit });
    }
    // With room for all of it, so that a secret leaves no copy behind while the buffer grows.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default() + 64);
    // A file may grow while it is read.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLong { limit });
    }
    Ok(bytes)
}

/// [`read_bounded`], as text.
pub fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read_bounded(path, limit)?).map_err(|_| ReadError::NotText)
}

/// Whether every user of the machine may read a file.
pub fn is_readable_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_a_device_and_a_long_file_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(read_bounded(&pipe, 9), Err(ReadError::NotRegular)));
        assert!(matches!(read_bounded(Path::new("/dev/zero"), 9), Err(ReadError::NotRegular)));
        assert!(matches!(read_bounded(folder.path(), 9), Err(ReadError::NotRegular)));
        let file = folder.path().join("file");
        std::fs::write(&file, "0123456789").unwrap();
        assert!(matches!(read_bounded(&file, 9), Err(ReadError::TooLong { limit: 9 })));
        assert_eq!(read_bounded(&file, 10).unwrap(), b"0123456789");
        assert!(read_bounded(&folder.path().join("none"), 9).unwrap_err().is_missing());
    }
}
