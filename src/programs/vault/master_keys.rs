//! How the vault has master keys opened that are not age's.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::args::MasterKeyArgs;
use crate::adapters::key_service::{
    AllowList, AllowListError, Deadlines, KeyService, Launch, environment,
};
use crate::adapters::process::become_bound;

/// The hidden argument by which this program becomes sops, bound to the vault that started it.
const BOUND: &str = "bound-to";

/// Which master keys are allowed, and how sops is started.
pub(super) struct MasterKeys {
    pub(super) list: AllowList,
    pub(super) program: PathBuf,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// Why master keys cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum MasterKeysError {
    #[error("--sops-allowed-keys (VANTA_SOPS_ALLOWED_KEYS) cannot be used: {0}")]
    AllowedKeys(#[from] AllowListError),
    #[error(
        "there is no program {}, which the allowed master keys need: install sops, and name it in \
         --sops-program (VANTA_SOPS_PROGRAM)",
        .0.display()
    )]
    NoSops(PathBuf),
}

impl MasterKeys {
    /// What the settings mean; none where no key is allowed. Of the variables sops is given those
    /// that the keys need.
    pub(super) fn configured(
        args: MasterKeyArgs,
        variables: Vec<(OsString, OsString)>,
    ) -> Result<Option<Self>, MasterKeysError> {
        let MasterKeyArgs { sops_allowed_keys: allowed, sops_program: program } = args;
        let list = AllowList::parse(allowed.as_deref().unwrap_or_default())?;
        if list.is_empty() {
            return Ok(None);
        }
        let path = variables.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
        let found = found(&program, path.map(OsString::as_os_str));
        let program = found.ok_or(MasterKeysError::NoSops(program))?;
        let environment = environment(&list, variables.into_iter());
        Ok(Some(Self { list, program, environment }))
    }

    /// The service that opens them. It starts nothing yet.
    pub(super) fn service(self) -> io::Result<Arc<KeyService>> {
        let Self { list, program, environment } = self;
        // Also where the vault's file was replaced since.
        let host = PathBuf::from("/proc/self/exe");
        let arguments = vec![BOUND.into()];
        let folder = std::env::temp_dir();
        let launch = Launch { host, arguments, program, environment, folder };
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
    let found = candidates.into_iter().find(|candidate| candidate.is_file())?;
    std::path::absolute(found).ok()
}

/// Becomes what the vault has started it for, where it has; where it returns something, it failed.
pub(super) fn become_what_was_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|first| first == BOUND);
    asked.then(|| become_bound(arguments).into())
}
