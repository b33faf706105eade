//! Keeps what this process holds out of core dumps and from other processes, and holds a file
//! that has no place on any disk.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::close;
use zeroize::Zeroizing;

use crate::domain::secret::SecretValue;

/// No core dump of this process or of a child, which cannot raise the limit again.
pub fn forbid_core_dumps() -> io::Result<()> {
    // The kernel takes 1 for "also not to a program that collects dumps", which 0 is not.
    Ok(setrlimit(Resource::RLIMIT_CORE, 1, 1)?)
}

/// Closes `/proc/PID` of this process to others of the same user, and ptrace with it.
///
/// A [`MemoryFile`] cannot be opened from outside then. A child is open again once it executes.
pub fn close_to_others() -> io::Result<()> {
    Ok(set_dumpable(false)?)
}

/// A file in memory, mode 0600, sealed, which is gone when this process is, however it ends.
pub struct MemoryFile(File);

impl MemoryFile {
    /// Holds the content; nobody can change it any more, this process included.
    pub fn holding(content: &SecretValue) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut file = File::from(create(flags)?);
        // Before there is anything in it.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(content.expose())?;
        let seals = SealFlag::F_SEAL_WRITE
            | SealFlag::F_SEAL_GROW
            | SealFlag::F_SEAL_SHRINK
            | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self(file))
    }

    /// Keeps the file open in the next image of this process, and gives its number there.
    pub fn keep_for_a_new_image(&self) -> io::Result<RawFd> {
        fcntl(&self.0, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(self.0.as_raw_fd())
    }

    /// Takes over the file that an earlier image of this process kept open under this number.
    pub fn adopt(number: RawFd) -> io::Result<Self> {
        let file = File::open(format!("/proc/self/fd/{number}"))?;
        close(number)?;
        Ok(Self(file))
    }

    /// All of it.
    pub fn read(&self) -> io::Result<SecretValue> {
        let mut content =
            Zeroizing::new(vec![0; usize::try_from(self.0.metadata()?.len()).unwrap_or(0)]);
        self.0.read_exact_at(&mut content, 0)?;
        Ok(SecretValue::new(std::mem::take(&mut content)))
    }

    /// Where any process of the same user opens it, each with a position of its own.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}

/// Not executable where the kernel knows how to say so (Linux 6.3).
fn create(flags: MFdFlags) -> nix::Result<OwnedFd> {
    const MFD_NOEXEC_SEAL: MFdFlags = MFdFlags::from_bits_retain(0x8);
    match memfd_create(c"vanta-secrets", flags | MFD_NOEXEC_SEAL) {
        Err(Errno::EINVAL) => memfd_create(c"vanta-secrets", flags),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_memory_file_is_its_owner_s_alone_and_cannot_be_changed() {
        let file = MemoryFile::holding(&SecretValue::from("A='b'\n".to_owned())).unwrap();
        for _ in 0..2 {
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "A='b'\n");
        }
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let mut again = OpenOptions::new().write(true).open(file.path()).unwrap();
        assert!(again.write_all(b"x").is_err());
        assert!(again.set_len(0).is_err());
    }
}
