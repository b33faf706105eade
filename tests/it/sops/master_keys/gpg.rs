//! A key ring of the test's, by real GnuPG.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{oracle, passed_over, variable};

/// A key ring with one key without a passphrase; its agent ends with it.
pub(super) struct KeyRing {
    gpg: PathBuf,
    pub(super) home: TempDir,
    pub(super) fingerprint: String,
}

impl KeyRing {
    /// None where there is no gpg, which is said.
    pub(super) fn new() -> Option<Self> {
        let Some(gpg) = oracle::program("gpg", "VANTA_TEST_GPG") else {
            passed_over("there is no gpg: run `scripts/setup test`");
            return None;
        };
        // In a short path, for the agent's sockets.
        let home = tempfile::Builder::new()
            .prefix("gpg")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in("/tmp")
            .unwrap();
        let mut ring = Self { gpg, home, fingerprint: String::new() };
        ring.run(&[
            "--passphrase",
            "",
            "--quick-generate-key",
            "test@example.com",
            "future-default",
            "default",
            "never",
        ]);
        let listed = ring.run(&["--with-colons", "--list-secret-keys"]);
        let fingerprint = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        fingerprint.split(':').nth(9).unwrap().clone_into(&mut ring.fingerprint);
        Some(ring)
    }

    pub(super) fn home(&self) -> &str {
        self.home.path().to_str().unwrap()
    }

    /// Where gpg is.
    pub(super) fn path() -> String {
        variable("PATH").unwrap().to_str().unwrap().to_owned()
    }

    pub(super) fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.gpg)
            .env("GNUPGHOME", self.home.path())
            .args(["--batch", "--pinentry-mode", "loopback"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A file with this `word`, by real sops.
    pub(super) fn encrypt(&self, sops: &Path, word: &str) -> String {
        super::encrypt(
            sops,
            word,
            &["--pgp", &self.fingerprint],
            &[("GNUPGHOME", self.home()), ("PATH", &Self::path())],
        )
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        let mut gpgconf = Command::new("gpgconf");
        let _ = gpgconf.env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).status();
    }
}
