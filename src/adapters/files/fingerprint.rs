//! What is seen of a file without reading it.
//!
//! Polled rather than watched: it sees through symlinks (Kubernetes swaps `..data`), works on
//! every file system, and takes no inotify instance, of which a node has few.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// For so long after a change a file may change again without its times' showing it: clocks of
/// file systems are coarse, and some count in seconds.
const SETTLING: Duration = Duration::from_secs(2);

/// What the file at a path is, symbolic links followed; whatever changes the content changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Result<Stamp, io::ErrorKind>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Looks at the file.
    pub fn of(path: &Path) -> Self {
        let found = fs::metadata(path);
        Self(found.map(|found| Stamp::from(&found)).map_err(|error| error.kind()))
    }

    /// Whether enough time has gone by since the last change to rely on the times.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let Ok(stamp) = &self.0 else { return true };
        let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let last = stamp.modified.0.max(stamp.changed.0);
        u64::try_from(last).is_ok_and(|last| {
            now.checked_sub(SETTLING).is_some_and(|settled| last < settled.as_secs())
        })
    }
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_and_a_swapped_file_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("file");
        let look = || Fingerprint::of(&link);
        for version in ["1", "2"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("file"), version).unwrap();
        }
        let next = folder.path().join("next");
        std::os::unix::fs::symlink("1/file", &link).unwrap();
        let before = look();
        assert_eq!(look(), before);
        std::os::unix::fs::symlink("2/file", &next).unwrap();
        fs::rename(&next, &link).unwrap();
        let swapped = look();
        assert_ne!(swapped, before);
        fs::write(folder.path().join("2/file"), "longer").unwrap();
        assert_ne!(look(), swapped);
    }

    #[test]
    fn a_file_is_settled_some_time_after_its_last_change() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let stamp = Stamp { device: 0, inode: 0, length: 0, modified: (90, 0), changed: (100, 0) };
        let fingerprint = Fingerprint(Ok(stamp));
        assert!(!fingerprint.is_settled(at(50)));
        assert!(!fingerprint.is_settled(at(101)));
        assert!(fingerprint.is_settled(at(103)));
    }
}
