//! Finds the real sops, the oracle of the tests, which `scripts/setup test` installs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{oracle, passed_over};

/// The program, or none where it is nowhere, which is said.
pub(crate) fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| oracle::program("sops", "VANTA_TEST_SOPS")).as_deref();
    if found.is_none() {
        passed_over("there is no sops: run `scripts/setup test`, or name one in VANTA_TEST_SOPS");
    }
    found
}

/// Every generation of sops that files are made with, the newest first: what `find` finds, and
/// 3.11. Without one that is said.
pub(crate) fn generations() -> Vec<&'static Path> {
    static OLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let newest = find();
    // Where the newest could not be had, both names may stand for one program.
    let version = |sops: &Path| {
        let said = Command::new(sops).arg("--version").output();
        said.expect("sops says its version").stdout
    };
    let older = OLDER.get_or_init(|| {
        let older = oracle::program("sops-3.11", "VANTA_TEST_SOPS_3_11");
        older.filter(|older| newest.is_none_or(|newest| version(newest) != version(older)))
    });
    if older.is_none() {
        passed_over("there is no sops 3.11: run `scripts/setup test`");
    }
    newest.into_iter().chain(older.as_deref()).collect()
}

/// A call of sops in a folder, deaf to the configuration of whoever runs the tests.
pub(crate) fn command(sops: &Path, folder: &Path, key_file: &Path) -> Command {
    let mut command = Command::new(sops);
    command
        .current_dir(folder)
        .env_remove("SOPS_AGE_KEY")
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("SOPS_AGE_KEY_FILE", key_file);
    command
}
