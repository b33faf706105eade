//! `vanta-vault dev`: what it writes, and where it refuses to.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use crate::support::program::{Program, Site};

fn dev(site: &Site) -> Command {
    let mut command = site.command();
    command.env_remove("VANTA_SOPS_FILES_PATH").env_remove("VANTA_ACCESS_PATH");
    command.env_remove("VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF").env_remove("SOPS_AGE_KEY_FILE");
    command.arg("dev").arg("--data").arg(site.path("dev"));
    command
}

fn refusal(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("the program starts");
    let said = String::from_utf8(stderr).expect("the log is text");
    assert!(!status.success(), "{said}");
    said
}

#[test]
fn the_address_is_there_while_the_vault_is() {
    let site = Site::new();
    let mut vault = Program::start(dev(&site), "http");
    let mode = |name| site.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("dev"), mode("dev/client-secret"), mode("dev/env")), (0o700, 0o600, 0o600));
    // What it announces, it announces before it minds signals. It is ready, since `dev` does not
    // ask the example to name its environment.
    assert_eq!(vault.health("/readyz").0, 200);
    vault.signal(Signal::SIGTERM);
    assert!(vault.wait().success());
    assert!(!site.path("dev/env").exists());
}

#[test]
fn a_folder_that_others_can_write_to_or_that_is_a_link_is_refused() {
    let site = Site::new();
    let data = site.path("dev");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(refusal(dev(&site)).contains("chmod 700"));
    std::fs::remove_dir(&data).unwrap();
    std::os::unix::fs::symlink(site.path("state"), &data).unwrap();
    assert!(refusal(dev(&site)).contains("a link"));
    assert!(!site.path("state/client-secret").exists());
}

#[test]
fn a_port_in_use_is_answered_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new();
    let mut command = dev(&site);
    command.arg("--listen").arg(taken.local_addr().unwrap().to_string());
    assert!(refusal(command).contains("--listen 127.0.0.1:0"));
}
