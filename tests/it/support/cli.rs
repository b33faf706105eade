//! `vanta-cli` as its users start it, against whatever vault there is.

use std::process::{Command, Output, Stdio};

use super::fake_vault::{CLIENT_SECRET, FakeVault, TOKEN};

/// A value that the tests look for where it must not be.
pub(crate) const SECRET: &str = "hunter2-is-the-secret";

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The client with a made-up vault and an identity.
pub(crate) fn cli(vault: &FakeVault, arguments: &[&str]) -> Command {
    cli_at(&vault.address, CLIENT_SECRET, arguments)
}

/// The client as `ci` of the vault at an address.
pub(crate) fn cli_at(address: &str, client_secret: &str, arguments: &[&str]) -> Command {
    let mut command = without_identity(arguments);
    command
        .env("VANTA_ADDR", address)
        .env("VANTA_CLIENT_ID", "ci")
        .env("VANTA_CLIENT_SECRET", client_secret);
    command
}

/// The client with nothing configured.
pub(crate) fn without_identity(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vanta-cli"));
    for variable in [
        "VANTA_ADDR",
        "VANTA_CA_FILE",
        "VANTA_CLIENT_ID",
        "VANTA_CLIENT_SECRET",
        "VANTA_CLIENT_SECRET_FILE",
        "VANTA_IDENTITY_TOKEN_FILE",
        "VANTA_TOKEN",
        "VANTA_TOKEN_FILE",
        "VANTA_OUTPUT",
    ] {
        command.env_remove(variable);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// `run-with-secrets` of every key, with the command as a shell's script.
pub(crate) fn run_with_secrets(vault: &FakeVault, form: &str, script: &str) -> Command {
    cli(
        vault,
        &[
            "run-with-secrets",
            "--environment=dev",
            "--key-pattern=*",
            "--inject-as",
            form,
            "--",
            "sh",
            "-c",
            script,
        ],
    )
}

/// Runs to the end. Standard error never holds a secret, whatever was asked for.
pub(crate) fn run(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("the client starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    let ran = Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
    for secret in [SECRET, TOKEN, CLIENT_SECRET] {
        assert!(!ran.stderr.contains(secret), "standard error holds a secret: {}", ran.stderr);
    }
    ran
}
