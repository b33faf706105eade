//! What is seen of files and folders without reading them.
//!
//! Polled rather than watched: it sees through symlinks (Kubernetes swaps `..data`), works on
//! every file system, and takes no inotify instance, of which a node has few.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The state of some files, equal for as long as none of them changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, Option<Stamp>)>);

/// Device, inode, size, and the times of the last change of content and of metadata.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

impl Fingerprint {
    /// Looks at files, and at all that is directly in those that are folders.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut seen = Vec::new();
        for path in paths {
            seen.push((path.to_owned(), stamp(path)));
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                seen.push((entry.path(), stamp(&entry.path())));
            }
        }
        seen.sort();
        Self(seen)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |metadata: &Metadata| {
        (
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            (metadata.mtime(), metadata.mtime_nsec()),
            (metadata.ctime(), metadata.ctime_nsec()),
        )
    };
    fs::metadata(path).ok().as_ref().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_new_and_a_swapped_file_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let look = || Fingerprint::of([folder.path()]);
        for version in ["1", "2"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("file"), version).unwrap();
        }
        let link = folder.path().join("file");
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
}
