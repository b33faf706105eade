//! The texts that people read when they ask for help or err.

use crate::support::cli::{run, without_identity};

#[test]
fn help_and_errors_of_usage_read_as_recorded() {
    trycmd::TestCases::new().case("tests/it/cli/cmd/*.md").env("COLUMNS", "100");
}

#[test]
fn a_wrong_command_line_is_64_and_help_is_0() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["version"], 0),
        (&["completion", "bash"], 0),
        (&[], 64),
        (&["nonsense"], 64),
        (&["get", "dev"], 64),
        (&["get", "Dev", "A"], 64),
        (&["run-with-secrets", "-e=dev", "-k=*", "--inject-as=env"], 64),
        (
            &[
                "run-with-secrets",
                "-e=dev",
                "-k=*",
                "--inject-as=env",
                "--ttl-minutes=0",
                "--",
                "a",
            ],
            64,
        ),
    ] {
        assert_eq!(run(without_identity(arguments)).code, Some(code), "{arguments:?}");
    }
}

#[test]
fn what_the_environment_gives_is_not_told_as_required() {
    for arguments in [
        &["token", "generate"][..],
        &["get", "dev"],
        &["list"],
        &["client", "hash"],
        &["run-with-secrets", "-e=dev", "--inject-as=env"],
    ] {
        let mut command = without_identity(arguments);
        command.env("VANTA_CLIENT_ID", "ci").env("VANTA_CA_FILE", "ca.crt");
        let ran = run(command);
        assert_eq!(ran.code, Some(64), "{arguments:?}");
        assert!(ran.stderr.contains("Usage: vanta-cli "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("--c"), "{}", ran.stderr);
    }
}
