//! Finds the real ssh-keygen, which signs, and says what the reader has to say of a signature.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{oracle, passed_over};

/// The program, or none where it is nowhere, which is said.
fn find() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || oracle::program("ssh-keygen", "VANTA_TEST_SSH_KEYGEN");
    let found = FOUND.get_or_init(find).as_deref();
    if found.is_none() {
        passed_over(
            "there is no ssh-keygen: run `scripts/setup test`, or install OpenSSH's client",
        );
    }
    found
}

/// A key that signs, in a folder of its own.
pub(crate) struct SigningKey {
    program: &'static Path,
    folder: tempfile::TempDir,
}

impl SigningKey {
    /// A new key of a type with so many bits; none without ssh-keygen.
    pub(crate) fn new(kind: &str, bits: Option<&str>) -> Option<Self> {
        let key =
            Self { program: find()?, folder: tempfile::tempdir().expect("a folder can be made") };
        let bits = bits.map(|bits| ["-b", bits]);
        let mut command = Command::new(key.program);
        command.args(["-q", "-t", kind, "-N", "", "-C", "a comment", "-f"]).arg(key.path("key"));
        command.args(bits.iter().flatten());
        assert!(command.status().expect("ssh-keygen starts").success());
        Some(key)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file of the private key.
    pub(crate) fn private(&self) -> PathBuf {
        self.path("key")
    }

    /// A line that trusts this key, with these options.
    pub(crate) fn line(&self, principal: &str, options: &str) -> String {
        let key = fs::read_to_string(self.path("key.pub")).expect("it has a public key");
        format!("{principal} {options} {key}")
    }

    /// The signature of these bytes for a namespace.
    pub(crate) fn sign(&self, namespace: &str, bytes: &[u8]) -> Vec<u8> {
        fs::write(self.path("file"), bytes).expect("a file can be written");
        // It asks before it writes over one.
        let _ = fs::remove_file(self.path("file.sig"));
        let mut command = Command::new(self.program);
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.path("key"));
        let done = command.arg(self.path("file")).stderr(Stdio::null()).status();
        assert!(done.expect("ssh-keygen starts").success());
        fs::read(self.path("file.sig")).expect("ssh-keygen has signed")
    }

    /// Whether ssh-keygen itself takes a signature, from the one principal, by these lines.
    pub(crate) fn takes(
        &self,
        lines: &str,
        principal: &str,
        namespace: &str,
        bytes: &[u8],
        signature: &[u8],
    ) -> bool {
        for (name, content) in
            [("signers", lines.as_bytes()), ("signed", bytes), ("signature", signature)]
        {
            fs::write(self.path(name), content).expect("a file can be written");
        }
        let signed = File::open(self.path("signed")).expect("the file is there");
        let mut command = Command::new(self.program);
        command.args(["-q", "-Y", "verify", "-I", principal, "-n", namespace]);
        command.arg("-f").arg(self.path("signers")).arg("-s").arg(self.path("signature"));
        // A time with a Z is in UTC whatever the zone.
        command.env("TZ", "Asia/Tokyo").stdin(signed).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("ssh-keygen starts").success()
    }
}
