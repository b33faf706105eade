//! Files that real sops makes while a test runs, and the folder that a store reads them from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use vanta::adapters::sops::{Alarm, Authorship, RefreshReport, SopsStore, StoreOptions};
use vanta::domain::ports::{SecretStore, SecretStoreError};

use super::fixtures::{options, path};
use super::grants::{environment, grant};
use super::made::keys::OURS;
use crate::support::sops;

/// Where files are made and served from.
pub(crate) struct Workshop {
    sops: &'static Path,
    made: TempDir,
    pub(crate) served: TempDir,
}

impl Workshop {
    /// None without sops.
    pub(super) fn new() -> Option<Self> {
        let (made, served) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Some(Self { sops: sops::find()?, made, served })
    }

    /// Encrypts a text for a recipient.
    pub(super) fn encrypt(&self, file: &str, plain: &str, recipient: &str) -> Vec<u8> {
        fs::write(self.made.path().join(file), plain).unwrap();
        self.run(&["encrypt", "--in-place", "--age", recipient, file]);
        fs::read(self.made.path().join(file)).unwrap()
    }

    /// The file of an environment, for the first of the test's identities, that names it and holds
    /// its name.
    pub(super) fn named(&self, name: &str) -> Vec<u8> {
        let plain = format!("PASSWORD: of-{name}\n_vanta_environment: {name}\n");
        self.encrypt(&format!("{name}.enc.yaml"), &plain, OURS)
    }

    /// What a call of sops with a file that holds these bytes makes of them.
    pub(super) fn change(&self, file: &str, bytes: &[u8], arguments: &[&str]) -> Vec<u8> {
        fs::write(self.made.path().join(file), bytes).unwrap();
        self.run(arguments);
        fs::read(self.made.path().join(file)).unwrap()
    }

    /// Writes a file beside the one that is made, `.sops.yaml` say.
    pub(super) fn beside(&self, file: &str, text: &str) {
        fs::write(self.made.path().join(file), text).unwrap();
    }

    /// What commands of a shell make of a file that holds these bytes, as somebody types them who
    /// has read a refusal: `FILE` stands for its name, and they have to succeed.
    pub(super) fn mend(&self, file: &str, bytes: &[u8], commands: &str) -> Vec<u8> {
        fs::write(self.made.path().join(file), bytes).unwrap();
        self.shell(&commands.replace("FILE", file));
        fs::read(self.made.path().join(file)).unwrap()
    }

    /// Runs commands in the folder in which files are made.
    pub(super) fn shell(&self, commands: &str) {
        let mut command = Command::new("sh");
        // Git is deaf to whoever runs the tests, as sops is.
        let git =
            ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
        command.envs(git.map(|name| (name, "test"))).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.current_dir(self.made.path()).env("HOME", self.made.path()).env("SOPS", self.sops);
        command.env_remove("SOPS_AGE_KEY").env("SOPS_AGE_KEY_FILE", self.key_file());
        let commands = format!("set -e\nsops() {{ \"$SOPS\" \"$@\"; }}\n{commands}");
        let done = command.args(["-c", &commands]).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{commands}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// What is in a file that was made.
    pub(super) fn made(&self, file: &str) -> Vec<u8> {
        fs::read(self.made.path().join(file)).unwrap()
    }

    fn key_file(&self) -> PathBuf {
        let keys = fs::read_to_string(path("age-key.txt")).unwrap()
            + &fs::read_to_string(path("other-age-key.txt")).unwrap();
        fs::write(self.made.path().join("keys"), keys).unwrap();
        self.made.path().join("keys")
    }

    fn run(&self, arguments: &[&str]) {
        let key_file = self.key_file();
        let mut command = sops::command(self.sops, self.made.path(), &key_file);
        let done = command.args(arguments).output().expect("sops was found, so it can be started");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.served.path().join(file)
    }

    /// Puts a file in place, whole.
    pub(super) fn put(&self, file: &str, bytes: &[u8]) {
        put(self.served.path(), file, bytes);
    }

    /// A store over the folder, whose environments share an identity, and which waits for no
    /// signature.
    pub(crate) fn open(&self, authorship: Authorship) -> (SopsStore, RefreshReport) {
        SopsStore::open(self.options(authorship))
    }

    pub(super) fn options(&self, authorship: Authorship) -> StoreOptions {
        StoreOptions { authorship, ..options(self.served.path()) }
    }
}

/// Puts a file in place in a folder, whole.
pub(super) fn put(folder: &Path, file: &str, bytes: &[u8]) {
    let beside = folder.join("beside");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, folder.join(file)).unwrap();
}

/// The value of a key.
pub(super) fn read(store: &SopsStore, of: &str, key: &str) -> Result<String, SecretStoreError> {
    Ok(store.read(&grant(of, key))?.expose_str().unwrap().to_owned())
}

/// The reason why an environment's newest version is refused.
pub(super) fn reason(store: &SopsStore, of: &str) -> Option<String> {
    let status = store.status().into_iter().find(|status| status.environment == environment(of));
    status.expect("there is such an environment").error
}

/// The alarm about an environment, and what it says.
pub(super) fn alarm(store: &SopsStore, of: &str) -> Option<(Alarm, String)> {
    let status = store.status().into_iter().find(|status| status.environment == environment(of));
    status.expect("there is such an environment").alarm
}

/// The names of the keys that are served.
pub(super) fn served(store: &SopsStore, of: &str) -> BTreeSet<String> {
    let keys = store.keys(&environment(of)).unwrap();
    keys.iter().map(ToString::to_string).collect()
}
