//! A configuration that cannot be meant is refused at the start, with what to do.

use std::process::Command;

use crate::support::program::Site;

/// How the vault ends, and what it says.
fn refusal(change: impl FnOnce(&Site, &mut Command)) -> (i32, String) {
    let site = Site::new();
    let mut command = site.command();
    change(&site, &mut command);
    let output = command.output().expect("the program starts");
    let said = String::from_utf8(output.stderr).expect("the log is text");
    (output.status.code().expect("it ends by itself"), said)
}

#[test]
fn each_mistake_ends_with_78_and_says_what_to_do() {
    type Change = fn(&Site, &mut Command);
    let cases: [(Change, &str); 11] = [
        (
            |_, command| {
                command.env("VANTA_JWT_SECRET_KEY", "k".repeat(40));
            },
            "VANTA_JWT_SECRET_KEY and VANTA_JWT_SECRET_KEY_FILE are both set",
        ),
        (
            |_, command| {
                command.env_remove("VANTA_JWT_SECRET_KEY_FILE");
            },
            "no key to sign",
        ),
        (|site, _| site.write("signing-key", "short"), "has 5 bytes"),
        (|site, _| site.write("signing-key", &"a".repeat(64)), "is not random"),
        (
            |_, command| {
                command.env("VANTA_LISTEN", "0.0.0.0:0");
            },
            "--tls-cert-file",
        ),
        (
            |_, command| {
                command.env_remove("VANTA_STATE_PATH");
            },
            "VANTA_STATE_PATH",
        ),
        (
            |_, command| {
                command.env("VANTA_STATE_URL", "postgres://vanta@localhost/vanta");
            },
            "VANTA_STATE_URL and VANTA_STATE_PATH are both set",
        ),
        (
            |_, command| {
                command.env_remove("VANTA_SOPS_FILES_PATH");
            },
            "VANTA_SOPS_FILES_PATH",
        ),
        (
            |_, command| {
                command.env("VANTA_KUBERNETES", "true");
            },
            "VANTA_KUBERNETES) and --access-path (VANTA_ACCESS_PATH) are both set",
        ),
        (
            |_, command| {
                command.env("SOPS_AGE_KEY", "x");
            },
            "SOPS_AGE_KEY",
        ),
        (
            |_, command| {
                command.env_remove("VANTA_STATE_PATH").env("VANTA_AUDIT_KEEP", "3");
                command.env("VANTA_STATE_URL", "postgres://vanta@localhost/vanta");
            },
            "VANTA_AUDIT_KEEP) is for an audit in a folder",
        ),
    ];
    for (change, expected) in cases {
        let (code, said) = refusal(change);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_state_that_cannot_be_reached_is_said_without_the_password() {
    for url in [
        "postgres://vanta:hunter2@127.0.0.1:1/vanta",
        "mysql://vanta:hunter2@localhost/vanta",
        "postgres://vanta:hunter2@[/vanta",
        "postgres://vanta:hunter2@localhost/vanta?sslmode=hunter2",
        "postgres://vanta@localhost/vanta?sslpassword=hunter2",
        "postgres://vanta@localhost/vanta?pasword=hunter2",
    ] {
        let (code, said) = refusal(|site, command| {
            site.write("state-url", url);
            command.env_remove("VANTA_STATE_PATH");
            command.env("VANTA_STATE_URL_FILE", site.path("state-url"));
        });
        assert_ne!(code, 0, "{said}");
        assert!(said.contains("state in PostgreSQL"), "{url}: {said}");
        assert!(!said.contains("hunter2"), "{url}: {said}");
    }
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    let (code, said) = refusal(|_, command| {
        command.arg("--nonsense");
    });
    assert_eq!(code, 64, "{said}");
}

#[test]
fn dev_listens_on_loopback_alone() {
    let (code, said) = refusal(|site, command| {
        command.args(["dev", "--listen", "0.0.0.0:0", "--data"]).arg(site.path("dev"));
    });
    assert_eq!(code, 78);
    assert!(said.contains("loopback"), "{said}");
}
