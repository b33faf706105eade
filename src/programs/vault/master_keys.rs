//! How the vault has master keys opened that are not age's.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::args::MasterKeyArgs;
use crate::adapters::key_service::{
    AllowList, AllowListError, Deadlines, KeyService, Launch, variables_for,
};
use crate::adapters::process::become_bound;

/// The hidden argument by which this program becomes sops, bound to the vault that started it.
const BOUND: &str = "bound-to";

/// Which master keys are allowed, and how sops is started.
pub(super) struct MasterKeys {
    pub(super) list: AllowList,
    pub(super) program: PathBuf,
    pub(super) variables: Vec<(OsString, OsString)>,
    /// Where the folder of its socket is made.
    pub(super) folder: PathBuf,
}

/// What this process was started with.
pub(super) struct Inherited {
    /// Every variable.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// The folders that programs are looked for in.
    pub(super) path: Option<OsString>,
    /// The folder for what is not kept.
    pub(super) temporary: PathBuf,
}

/// Why master keys cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum MasterKeysError {
    #[error("--sops-allowed-keys (VANTA_SOPS_ALLOWED_KEYS) cannot be used: {0}")]
    AllowedKeys(#[from] AllowListError),
    #[error(
        "there is no program {} that can be executed, and the allowed master keys need one: install \
         sops, and name it in --sops-program (VANTA_SOPS_PROGRAM)",
        .0.display()
    )]
    NoSops(PathBuf),
}

impl MasterKeys {
    /// What the settings mean; none where no key is allowed. Of the variables sops is given those
    /// that the keys need.
    pub(super) fn configured(
        args: MasterKeyArgs,
        inherited: Inherited,
    ) -> Result<Option<Self>, MasterKeysError> {
        let MasterKeyArgs { sops_allowed_keys: allowed, sops_program: program } = args;
        let list = AllowList::parse(allowed.as_deref().unwrap_or_default())?;
        if list.is_empty() {
            return Ok(None);
        }
        let Inherited { variables: all, path, temporary: folder } = inherited;
        let found = found(&program, path.as_deref());
        let program = found.ok_or(MasterKeysError::NoSops(program))?;
        let variables = variables_for(&list, all.into_iter());
        Ok(Some(Self { list, program, variables, folder }))
    }

    /// The service that opens them. It starts nothing yet.
    pub(super) fn service(self) -> io::Result<Arc<KeyService>> {
        let Self { list, program, variables, folder } = self;
        // Also where the vault's file was replaced since.
        let host = PathBuf::from("/proc/self/exe");
        let launch = Launch { host, arguments: vec![BOUND.into()], program, variables, folder };
        KeyService::new(list, launch, Deadlines::default()).map(Arc::new)
    }
}

/// Where a program is: it is started without a path to look on.
fn found(program: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = if program.as_os_str().as_bytes().contains(&b'/') {
        vec![program.to_owned()]
    } else {
        let path = path.unwrap_or_default();
        std::env::split_paths(path).map(|folder| folder.join(program)).collect()
    };
    let found = candidates.into_iter().find(|candidate| is_executable(candidate))?;
    std::path::absolute(found).ok()
}

/// A plain file of its name, earlier on the path, is not the program.
fn is_executable(file: &Path) -> bool {
    const BY_ANYBODY: u32 = 0o111;
    let executable = |mode: u32| mode & BY_ANYBODY != 0;
    file.metadata().is_ok_and(|it| it.is_file() && executable(it.permissions().mode()))
}

/// Becomes sops, bound to the vault, where the vault has started this process for that; where it
/// returns something, it failed.
pub(super) fn become_bound_sops() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|first| first == BOUND);
    asked.then(|| become_bound(arguments).into())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_program_is_the_first_on_the_path_that_can_be_executed() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let file = |folder: usize| folders[folder].path().join("sops");
        let path = std::env::join_paths(folders.iter().map(tempfile::TempDir::path)).unwrap();
        let sops = || found(Path::new("sops"), Some(&path));
        assert_eq!(sops(), None);
        fs::write(file(0), "").unwrap();
        fs::create_dir(file(1)).unwrap();
        assert_eq!(sops(), None);
        assert_eq!(found(&file(0), None), None);
        fs::remove_dir(file(1)).unwrap();
        fs::write(file(1), "").unwrap();
        fs::set_permissions(file(1), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(sops(), Some(file(1)));
        fs::set_permissions(file(0), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(sops(), Some(file(0)));
        assert_eq!(found(&file(0), None), Some(file(0)));
    }
}
