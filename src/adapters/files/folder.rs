//! A folder in memory that files of secrets are written into, for others to read at any moment.
//!
//! Invariant: a reader sees a file whole, as it was or as it is, and never without its mode. No
//! path leads through a symbolic link, so nothing is written or removed outside the folder.

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use zeroize::Zeroizing;

use crate::domain::pod::{FileMode, UNFINISHED_FILE};
use crate::domain::relative_path::RelativePath;
use crate::domain::secret::SecretValue;

const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const FILE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// The folder, open. One process writes into it, from one thread.
#[derive(Debug)]
pub struct SecretsFolder {
    root: OwnedFd,
    mode: FileMode,
}

/// Why the folder or a file in it cannot be used. It holds no byte of a file.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no such folder, or it is a link.
    #[error("the secrets folder {} cannot be opened: {source}", .path.display())]
    Root {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part of a path is a link, a file, or another user's folder.
    #[error("{path} in the secrets folder is refused: {folder} is no folder of the agent's own")]
    NotOurs {
        /// The file's path.
        path: RelativePath,
        /// The part that is in the way.
        folder: String,
    },
    /// The system refuses it.
    #[error("{path} in the secrets folder cannot be {verb}: {source}")]
    System {
        /// The file's path.
        path: RelativePath,
        /// What was being done: `written`, `read`, `removed`.
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl SecretsFolder {
    /// Opens the folder; files in it get this mode, and folders that let the same users in.
    pub fn open(path: &Path, mode: FileMode) -> Result<Self, FolderError> {
        let opened = open(path, OFlag::O_RDONLY | FOLDER, Mode::empty());
        let refuse = |errno: Errno| FolderError::Root { path: path.into(), source: errno.into() };
        Ok(Self { root: opened.map_err(refuse)?, mode })
    }

    /// Whether the folder is a tmpfs, so that nothing of it reaches a disk.
    pub fn is_in_memory(&self) -> bool {
        fstatfs(&self.root).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
    }

    /// Puts a file with this content in its place, whatever was there, and says whether that
    /// changed anything: a file that is so already is not touched.
    pub fn write(&self, path: &RelativePath, content: &SecretValue) -> Result<bool, FolderError> {
        let parent = self.make_parent(path)?;
        let name = name_of(path);
        if self.is_so_already(&parent, name, content.expose()) {
            return Ok(false);
        }
        let result = self.replace(&parent, name, content.expose());
        if result.is_err() {
            // It may never have been there.
            let _ = unlinkat(&parent, UNFINISHED_FILE, UnlinkatFlags::NoRemoveDir);
        }
        result.map(|()| true).map_err(|source| failed(path, "written", source))
    }

    fn is_so_already(&self, parent: &OwnedFd, name: &str, content: &[u8]) -> bool {
        let Ok(Some(mut file)) = open_file(parent, name) else { return false };
        let same = file.metadata().is_ok_and(|found| {
            found.len() == content.len() as u64
                && found.uid() == geteuid().as_raw()
                && found.mode() & 0o7777 == self.mode.bits()
        });
        let mut present = Zeroizing::new(vec![0; content.len()]);
        same && file.read_exact(&mut present).is_ok() && *present == content
    }

    fn replace(&self, parent: &OwnedFd, name: &str, content: &[u8]) -> io::Result<()> {
        match unlinkat(parent, UNFINISHED_FILE, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | FILE;
        let mut file = File::from(openat(parent, UNFINISHED_FILE, flags, Mode::S_IRUSR)?);
        // Before there is anything in it, and whatever the umask took away.
        file.set_permissions(Permissions::from_mode(self.mode.bits()))?;
        file.write_all(content)?;
        // Not synced: what is in memory is gone with the machine.
        Ok(renameat(parent, UNFINISHED_FILE, parent, name)?)
    }

    /// The file's content, of at most `limit` bytes, or none where there is no such file.
    pub fn read(&self, path: &RelativePath, limit: u64) -> Result<Option<Vec<u8>>, FolderError> {
        let failed = |source| failed(path, "read", source);
        let Some(parent) = self.find_parent(path)? else { return Ok(None) };
        let Some(file) = open_file(&parent, name_of(path)).map_err(failed)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        file.take(limit).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(content))
    }

    /// Whether there is a regular file of the agent's user with the right mode.
    pub fn holds(&self, path: &RelativePath) -> bool {
        let Ok(Some(parent)) = self.find_parent(path) else { return false };
        let Ok(Some(file)) = open_file(&parent, name_of(path)) else { return false };
        file.metadata().is_ok_and(|found| {
            found.uid() == geteuid().as_raw() && found.mode() & 0o7777 == self.mode.bits()
        })
    }

    /// Removes a file, and the folders above it that are empty then.
    pub fn remove(&self, path: &RelativePath) -> Result<(), FolderError> {
        let Some(parent) = self.find_parent(path)? else { return Ok(()) };
        match unlinkat(&parent, name_of(path), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(failed(path, "removed", errno.into())),
        }
        let mut below = path.as_str();
        while let Some((folder, _)) = below.rsplit_once('/') {
            let path: RelativePath = folder.parse().expect("a path above a path is a path");
            let Some(parent) = self.find_parent(&path)? else { break };
            // One that is not empty stays, and so does all above it.
            if unlinkat(&parent, name_of(&path), UnlinkatFlags::RemoveDir).is_err() {
                break;
            }
            below = folder;
        }
        Ok(())
    }

    /// The folder that a file is in, where it is there.
    fn find_parent(&self, path: &RelativePath) -> Result<Option<OwnedFd>, FolderError> {
        self.walk(path, |_, _| Err(Errno::ENOENT))
    }

    /// The folder that a file is to be in, made where there is none, and all above it.
    fn make_parent(&self, path: &RelativePath) -> Result<OwnedFd, FolderError> {
        let bits = match self.mode {
            FileMode::Owner => Mode::S_IRWXU,
            FileMode::Group => Mode::S_IRWXU | Mode::S_IRGRP | Mode::S_IXGRP,
        };
        let found = self.walk(path, |folder, name| mkdirat(folder, name, bits))?;
        found.ok_or_else(|| failed(path, "written", Errno::ENOENT.into()))
    }

    fn walk(
        &self,
        path: &RelativePath,
        make: impl Fn(&OwnedFd, &str) -> nix::Result<()>,
    ) -> Result<Option<OwnedFd>, FolderError> {
        let system = |errno: Errno| failed(path, "reached", errno.into());
        let mut folder = self.root.try_clone().map_err(|source| failed(path, "reached", source))?;
        let mut names = path.as_str().split('/').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                break;
            }
            let enter =
                |folder: &OwnedFd| openat(folder, name, OFlag::O_RDONLY | FOLDER, Mode::empty());
            let entered = match enter(&folder) {
                Err(Errno::ENOENT) => match make(&folder, name) {
                    Ok(()) => enter(&folder),
                    Err(Errno::ENOENT) => return Ok(None),
                    Err(errno) => Err(errno),
                },
                entered => entered,
            };
            let not_ours = || FolderError::NotOurs { path: path.clone(), folder: name.to_owned() };
            folder = match entered {
                Ok(entered) => entered,
                // A link is the one or the other, as the kernel has it.
                Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(not_ours()),
                Err(errno) => return Err(system(errno)),
            };
            let found = nix::sys::stat::fstat(&folder).map_err(system)?;
            if found.st_uid != geteuid().as_raw() || found.st_mode & 0o002 != 0 {
                return Err(not_ours());
            }
        }
        Ok(Some(folder))
    }
}

fn name_of(path: &RelativePath) -> &str {
    path.as_str().rsplit('/').next().unwrap_or_default()
}

fn failed(path: &RelativePath, verb: &'static str, source: io::Error) -> FolderError {
    FolderError::System { path: path.clone(), verb, source }
}

/// A regular file, or none where there is nothing or something else.
fn open_file(parent: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    match openat(parent, name, OFlag::O_RDONLY | FILE, Mode::empty()) {
        Ok(opened) => {
            let file = File::from(opened);
            Ok(file.metadata()?.is_file().then_some(file))
        }
        Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
