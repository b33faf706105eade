//! What a backup of the state brings back when it is restored, and what ends it.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::program::{Program, Site, agent};

/// The state's files, in place of those that are there.
fn restore(site: &Site) {
    fs::remove_dir_all(site.path("state")).unwrap();
    back_up(site, "backup", "state");
}

fn back_up(site: &Site, from: &str, to: &str) {
    fs::create_dir(site.path(to)).unwrap();
    for file in fs::read_dir(site.path(from)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), site.path(to).join(file.file_name())).unwrap();
    }
}

fn stop(mut vault: Program) {
    vault.signal(Signal::SIGTERM);
    assert!(vault.wait().success());
}

fn read(vault: &Program, token: &str) -> (u16, String) {
    let read = vault.read(&agent(), "dev/APP_DB_USER", token).expect("the vault answers");
    let problem: serde_json::Value = serde_json::from_str(&read.text).unwrap_or_default();
    (read.status, problem["type"].as_str().unwrap_or_default().to_owned())
}

/// What the documents say of a backup, and why they want another signing key with it.
#[test]
fn uses_and_revoked_tokens_come_back_with_a_backup_and_end_with_the_signing_key() {
    let site = Site::new();
    let vault = site.start();
    let once = vault.token_with(
        &site,
        &json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 1}),
    );
    let revoked = vault.token(&site, "APP_*");
    stop(vault);
    back_up(&site, "state", "backup");

    let vault = site.start();
    assert_eq!(read(&vault, &once).0, 200);
    assert_eq!(read(&vault, &once).0, 401);
    let form = [("token", revoked.as_str())];
    agent().post(format!("{}/api/v1/vault/tokens/revoke", vault.api)).send_form(form).unwrap();
    assert_eq!(read(&vault, &revoked).0, 401);
    stop(vault);

    restore(&site);
    let vault = site.start();
    assert_eq!((read(&vault, &once).0, read(&vault, &revoked).0), (200, 200), "no worse than said");
    stop(vault);

    restore(&site);
    site.write("signing-key", "another signing key for tests, 0123456789");
    let vault = site.start();
    for token in [&once, &revoked] {
        let (status, problem) = read(&vault, token);
        assert!(status == 401 && problem.ends_with("/token-unknown-key"), "{status} {problem}");
    }
    let new = vault.token(&site, "APP_*");
    assert_eq!(read(&vault, &new).0, 200);
}
