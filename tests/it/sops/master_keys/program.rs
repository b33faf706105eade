//! The real vault with real sops: what it logs, and that nothing of it outlives it.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::fake::{FakeService, Says};
use super::gpg::KeyRing;
use super::{sops_below, transit, wrapped};
use crate::support::program::{Program, Site, agent, until};
use crate::support::sops;

/// A vault whose temporary files are below its own folder, and the file of one PGP key.
fn site(ring: &KeyRing, sops: &std::path::Path) -> (Site, Program) {
    let site = Site::new();
    fs::create_dir(site.path("t")).unwrap();
    site.write("secrets/dev.enc.yaml", &ring.encrypt(sops, "first"));
    let mut command = site.command();
    command
        .env("VANTA_SOPS_ALLOWED_KEYS", format!("pgp:{}", ring.fingerprint))
        .env("VANTA_SOPS_PROGRAM", sops)
        .env("TMPDIR", site.path("t"))
        .env("GNUPGHOME", ring.home())
        .env("PATH", KeyRing::path());
    let program = Program::start(command, "http");
    (site, program)
}

#[test]
fn the_vault_serves_a_file_for_a_pgp_key_and_ends_sops_with_itself() {
    let (Some(sops), Some(ring)) = (sops::find(), KeyRing::new()) else { return };
    let (site, mut vault) = site(&ring, sops);
    let token = vault.token(&site, "APP_*");
    let read = vault.read(&agent(), "dev/APP_WORD", &token).unwrap();
    assert_eq!((read.status, read.text.as_str()), (200, "first"));
    let process = until("sops runs", || sops_below(&site.path("t")));

    // It is asked again once it was killed.
    kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
    site.write("secrets/dev.enc.yaml", &ring.encrypt(sops, "second"));
    until("the change is served", || {
        vault.read(&agent(), "dev/APP_WORD", &token).filter(|read| read.text == "second")
    });
    until("sops runs again", || sops_below(&site.path("t")).filter(|again| *again != process));

    // However the vault ends.
    vault.signal(Signal::SIGKILL);
    vault.wait();
    until("sops has ended", || sops_below(&site.path("t")).is_none().then_some(()));
}

#[test]
fn what_a_loud_sops_writes_is_in_no_log() {
    // Its program writes to standard output and error, and its answer has a message.
    let fake = FakeService::new(Says::Failure("hunter2-answer"));
    let site = Site::new();
    let keys = transit("https://vault:8200", "transit", "sops", "vault:v1:eA==");
    site.write("secrets/dev.enc.yaml", &wrapped("app.enc.yaml", &keys));
    let mut command = site.command();
    command
        .env("VANTA_SOPS_ALLOWED_KEYS", "hc_vault:https://vault:8200/v1/transit/keys/sops")
        .env("VANTA_SOPS_PROGRAM", fake.program());
    let vault = Program::start(command, "http");
    let log = until("the failure is logged", || {
        Some(vault.log()).filter(|log| log.contains("sops could not decrypt the data key"))
    });
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn what_gpg_and_sops_write_is_in_no_log() {
    let (Some(sops), Some(ring), Some(other)) = (sops::find(), KeyRing::new(), KeyRing::new())
    else {
        return;
    };
    let site = Site::new();
    site.write("secrets/dev.enc.yaml", &ring.encrypt(sops, "first"));
    let mut command = site.command();
    command
        .env("VANTA_SOPS_ALLOWED_KEYS", format!("pgp:{}", ring.fingerprint))
        .env("VANTA_SOPS_PROGRAM", sops)
        .env("GNUPGHOME", other.home())
        .env("PATH", KeyRing::path());
    let vault = Program::start(command, "http");
    let log = until("the failure is logged", || {
        Some(vault.log()).filter(|log| log.contains("GnuPG has no secret key"))
    });
    // What gpg says of it, and what sops does.
    for theirs in
        ["decryption failed", "gpg: ", "Decryption failed", "level=", "KEYSERVICE", "PGP\""]
    {
        assert!(!log.contains(theirs), "{theirs}: {log}");
    }
}

#[test]
fn what_cannot_be_allowed_or_started_is_said_at_the_start() {
    let site = Site::new();
    let failed = |allowed: &str, program: &str| {
        let mut command = site.command();
        command.env("VANTA_SOPS_ALLOWED_KEYS", allowed).env("VANTA_SOPS_PROGRAM", program);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (code, said) = failed("pgp:hunter2", "sops");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("entry 1 of the allowed master keys"), "{said}");
    let (code, said) = failed("pgp:FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4", "/no/such/sops");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("there is no program /no/such/sops"), "{said}");
}
