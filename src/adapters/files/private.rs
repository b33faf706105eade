//! Folders and files for one user alone, made where others may have been before.
//!
//! Invariant: nothing is written into a folder that another user can write to or read, and
//! nothing through a link or into a file that was there before.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why a private folder or file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// It cannot be made or written.
    #[error("{} cannot be written: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link or a file stands where the folder should.
    #[error("{} is no folder of its own but a link or a file: remove it, or name another folder", .0.display())]
    NotAFolder(PathBuf),
    /// The folder is another user's, who may put anything in it.
    #[error("{} belongs to another user (uid {owner}): name a folder that is yours or does not exist", .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// Others have a way into the folder.
    #[error("{0} is open to others (mode {mode:03o}): run `chmod 700 {0}`, or name another folder", .path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// The bits of its mode.
        mode: u32,
    },
}

/// Makes a folder that its owner alone can use, where there is none, and all above it.
pub fn make_folder(path: &Path) -> Result<(), PrivateError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| PrivateError::Write { path: path.to_owned(), source })
}

/// Makes a folder, and makes sure that it is a real one, this user's and nobody else's.
pub fn make_private_folder(path: &Path) -> Result<(), PrivateError> {
    let path = path.to_owned();
    // Before it is made, too: making it goes through a link.
    check_folder(&path, true)?;
    make_folder(&path)?;
    check_folder(&path, false)
}

fn check_folder(path: &Path, may_be_missing: bool) -> Result<(), PrivateError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(PrivateError::Write { path: path.to_owned(), source }),
    };
    let path = path.to_owned();
    if !found.is_dir() {
        return Err(PrivateError::NotAFolder(path));
    }
    let owner = found.uid();
    if owner != nix::unistd::geteuid().as_raw() {
        return Err(PrivateError::Foreign { path, owner });
    }
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PrivateError::Open { path, mode });
    }
    Ok(())
}

/// Puts a file that its owner alone can read in the place of whatever has that name: a fresh one
/// beside it, renamed once it is whole.
pub fn write_private(path: &Path, text: &str) -> Result<(), PrivateError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // `tempfile` makes it with O_EXCL and mode 0600, and removes it where this fails.
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(io::Error::from)
    });
    written.map(drop).map_err(|source| PrivateError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_folder_that_others_have_a_hand_in_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (own, link) = (folder.path().join("own"), folder.path().join("link"));
        make_private_folder(&own).unwrap();
        make_private_folder(&own).unwrap();
        assert_eq!(mode(&own), 0o700);
        symlink(&own, &link).unwrap();
        assert!(matches!(make_private_folder(&link), Err(PrivateError::NotAFolder(_))));
        for open in [0o750, 0o707] {
            fs::set_permissions(&own, fs::Permissions::from_mode(open)).unwrap();
            let error = make_private_folder(&own).unwrap_err();
            assert!(error.to_string().contains("chmod 700"), "{error}");
        }
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
        // Root alone can give a folder away.
        if chown(&own, Some(65_534), None).is_ok() {
            assert!(matches!(make_private_folder(&own), Err(PrivateError::Foreign { .. })));
        }
    }

    #[test]
    fn a_link_or_an_open_file_in_the_place_of_a_private_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, file) = (folder.path().join("victim"), folder.path().join("file"));
        fs::write(&victim, "as it was").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o666)).unwrap();
        symlink(&victim, &file).unwrap();
        write_private(&file, "secret").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
        assert_eq!(mode(&file), 0o600);
        write_private(&victim, "secret").unwrap();
        assert_eq!(mode(&victim), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
