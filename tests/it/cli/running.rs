//! `run-with-secrets`: what the command gets, what it does not, and how it all ends.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use vanta::contract::api::problem::ProblemKind;

use crate::support::cli::{SECRET, cli, cli_at, run, run_with_secrets};
use crate::support::fake_vault::{CLIENT_SECRET, FakeVault, Mood, TOKEN};

fn vault() -> FakeVault {
    FakeVault::with(&[("DB_PASS", SECRET), ("api.key", "it's")])
}

#[test]
fn the_environment_form_sets_variables_of_the_command_alone() {
    let vault = vault();
    let ran = run(run_with_secrets(&vault, "env", "printf '%s|%s' \"$DB_PASS\" \"$api_key\""));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hunter2-is-the-secret|it's"));
    assert!(vault.token_was_revoked());
}

#[test]
fn the_file_form_is_a_private_file_that_a_grandchild_can_open() {
    let script = "stat -L -c %a \"$VANTA_SECRETS_FILE\"; sh -c 'cat \"$VANTA_SECRETS_FILE\"'";
    let ran = run(run_with_secrets(&vault(), "file", script));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, format!("600\nDB_PASS='{SECRET}'\napi_key=\"it's\"\n"));
}

#[test]
fn a_user_who_is_not_root_gets_the_file_form_and_no_credential_with_it() {
    let script = "id -u; cat \"$VANTA_SECRETS_FILE\"; sh -c 'cat \"$VANTA_SECRETS_FILE\"'; \
                  tr '\\0' '\\n' </proc/$PPID/environ";
    let vault = vault();
    let client = run_with_secrets(&vault, "file", script);
    let Some((_folder, command)) = as_nobody(&client) else { return };
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("65534\nDB_PASS="), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("DB_PASS=").count(), 2, "{}", ran.stdout);
    // What it was told that is no secret is there, so it was read.
    assert!(ran.stdout.contains("VANTA_ADDR="), "{}", ran.stdout);
    for credential in [CLIENT_SECRET, "VANTA_CLIENT_SECRET", "VANTA_TOKEN"] {
        assert!(!ran.stdout.contains(credential), "{credential}");
    }
}

#[test]
fn a_token_on_the_command_line_is_not_on_that_of_the_holder() {
    let arguments = [
        "--token",
        TOKEN,
        "run-with-secrets",
        "-e=dev",
        "-k=*",
        "--inject-as=file",
        "--",
        "sh",
        "-c",
        "tr '\\0' ' ' </proc/$PPID/cmdline",
    ];
    let ran = run(cli(&vault(), &arguments));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(" hold ") && !ran.stdout.contains(TOKEN), "{}", ran.stdout);
}

#[test]
fn a_command_that_runs_nothing_is_closed_to_dumps_and_to_its_user_too() {
    // It takes the connection and never answers.
    let vault = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", vault.local_addr().unwrap());
    let client = cli_at(&address, CLIENT_SECRET, &["list", "dev"]);
    let (_folder, mut command) = match as_nobody(&client) {
        Some((folder, command)) => (Some(folder), command),
        None => (None, client),
    };
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let connection = vault.accept().unwrap();
    let process = format!("/proc/{}", child.id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    // The kernel gives what it closes to root.
    let owner = std::fs::metadata(format!("{process}/environ")).unwrap().uid();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(connection);
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["1", "1"]);
    assert_eq!(owner, 0);
}

/// The client as a user who is not root, where we are; the folder holds its binary.
fn as_nobody(client: &Command) -> Option<(TempDir, Command)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    // The binary may lie in a folder that only root enters.
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("vanta-cli");
    // By another process: a file that we had open to write might still be so in a fork of ours.
    let mut install = Command::new("install");
    install.args(["-m", "755"]).arg(client.get_program()).arg(&binary);
    assert!(install.status().unwrap().success());
    open_to_all(folder.path());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
    command.args(client.get_args()).stdin(Stdio::null());
    for (name, value) in client.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Some((folder, command))
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn the_file_takes_the_format_that_is_asked_for() {
    let arguments = |format| {
        let script = "cat \"$VANTA_SECRETS_FILE\"";
        ["run-with-secrets", "-e=dev", "-k=*", "--inject-as=file", format, "--", "sh", "-c", script]
    };
    let json = run(cli(&vault(), &arguments("--format=json")));
    assert_eq!(
        json.stdout,
        format!("{{\n  \"DB_PASS\": \"{SECRET}\",\n  \"api.key\": \"it's\"\n}}\n")
    );
    let yaml = run(cli(&vault(), &arguments("--format=yaml")));
    assert_eq!(yaml.stdout, format!("\"DB_PASS\": \"{SECRET}\"\n\"api.key\": \"it's\"\n"));
}

#[test]
fn the_command_gets_no_credential_and_no_secret_in_its_arguments() {
    let arguments = "tr '\\0' ' ' </proc/$$/cmdline; tr '\\0' ' ' </proc/$PPID/cmdline";
    // Root, which we may be, reads the parent's environment in either form.
    let before = "env; tr '\\0' '\\n' </proc/$PPID/environ";
    for form in ["env", "file"] {
        let script = &format!("{before}; {arguments}");
        let ran = run(run_with_secrets(&vault(), form, script));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        for credential in [TOKEN, CLIENT_SECRET, "VANTA_CLIENT_SECRET", "VANTA_TOKEN"] {
            assert!(!ran.stdout.contains(credential), "{form}: {credential}");
        }
        let commands = ran.stdout.lines().last().unwrap_or_default();
        assert!(commands.contains("sh -c") && !commands.contains(SECRET), "{form}");
    }
}

#[test]
fn the_command_leaves_no_core_and_starts_with_no_signal_blocked() {
    let script =
        "awk '/core file/ {print $5, $6}' /proc/self/limits; grep SigBlk /proc/self/status";
    for form in ["env", "file"] {
        let ran = run(run_with_secrets(&vault(), form, script));
        // 1 and not 0, which leaves the programs that collect dumps.
        assert_eq!(ran.stdout, "1 1\nSigBlk:\t0000000000000000\n", "{form}");
    }
}

#[test]
fn the_code_is_the_command_s_own_as_a_shell_has_it() {
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("kill -TERM $$", 143)] {
        assert_eq!(run(run_with_secrets(&vault(), "env", script)).code, Some(code), "{script}");
    }
    for (program, code) in [("no-such-program", 127), ("/etc/passwd", 126)] {
        let arguments = ["run-with-secrets", "-e=dev", "-k=*", "--inject-as=env", "--", program];
        let ran = run(cli(&vault(), &arguments));
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(program));
    }
}

#[test]
fn a_name_that_changes_how_programs_run_is_refused_before_anything_runs() {
    let vault = FakeVault::with(&[("LD_PRELOAD", SECRET)]);
    let ran = run(run_with_secrets(&vault, "env", "echo ran"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(78), ""));
    assert!(ran.stderr.contains("LD_PRELOAD"), "{}", ran.stderr);
    assert!(vault.token_was_revoked());
}

#[test]
fn a_value_without_a_dotenv_form_is_refused_with_its_key_and_advice() {
    let value = format!("it's $5 {SECRET}");
    let ran = run(run_with_secrets(&FakeVault::with(&[("PRICE", &value)]), "file", "echo ran"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(78), ""));
    assert!(ran.stderr.contains("PRICE") && ran.stderr.contains("json"), "{}", ran.stderr);
}

#[test]
fn where_no_key_matches_the_command_does_not_run() {
    let ran = run(run_with_secrets(&FakeVault::with(&[]), "env", "echo ran"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(66), ""));
}

#[test]
fn a_token_that_was_given_is_used_and_not_ended() {
    let vault = vault();
    let mut command = run_with_secrets(&vault, "env", "exit 3");
    command.env("VANTA_TOKEN", TOKEN);
    assert_eq!(run(command).code, Some(3));
    assert!(!vault.token_was_revoked());
    assert!(vault.asked().iter().all(|asked| !asked.line.contains("generate")));
}

#[test]
fn a_token_that_cannot_be_given_back_is_told_and_the_command_runs() {
    let vault = FakeVault::in_mood(Mood::KeepsTokens, &[("A", "b")]);
    let ran = run(run_with_secrets(&vault, "env", "exit 5"));
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("was not revoked"), "{}", ran.stderr);
}

#[test]
fn each_failure_has_its_code() {
    for (mood, code) in [
        (Mood::Fails(ProblemKind::NotGranted), 77),
        (Mood::Fails(ProblemKind::CredentialsRefused), 77),
        (Mood::Fails(ProblemKind::GrantsNotReady), 75),
        (Mood::Fails(ProblemKind::ValueWithheld), 77),
        (Mood::Fails(ProblemKind::NotAcceptable), 78),
        (Mood::Fails(ProblemKind::InvalidName), 64),
        (Mood::Fails(ProblemKind::InvalidRequest), 64),
        (Mood::Fails(ProblemKind::MethodNotAllowed), 70),
        (Mood::Fails(ProblemKind::EnvironmentTampered), 75),
        (Mood::Redirects, 70),
        (Mood::Babbles, 70),
    ] {
        let ran = run(run_with_secrets(&FakeVault::in_mood(mood, &[]), "env", "echo ran"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

#[test]
fn each_failure_has_advice_that_helps_with_it() {
    for (kind, advice) in [
        (ProblemKind::NotAcceptable, "narrow the key pattern, or ask for that key alone"),
        (ProblemKind::ValueWithheld, "VANTA_SOPS_ALLOW"),
        (ProblemKind::GrantsNotReady, "its operator has to look at the vault's /readyz or its log"),
        (ProblemKind::GrantsStale, "operator has to look at the vault's /readyz or its log"),
        (ProblemKind::EnvironmentNotReady, "try again in a moment"),
        (ProblemKind::StateUnavailable, "try again in a moment"),
        (ProblemKind::EnvironmentTampered, "must be restored, from Git say, and changed with sops"),
        (ProblemKind::EnvironmentMacMissing, "its `mac` was taken out"),
        (ProblemKind::EnvironmentNoIdentity, "given an identity of one of the file's recipients"),
        (ProblemKind::EnvironmentUnreadable, "the environment's file must be mended: trying again"),
    ] {
        let ran = run(run_with_secrets(&FakeVault::in_mood(Mood::Fails(kind), &[]), "env", ":"));
        assert!(ran.stderr.contains(advice), "{kind:?}: {}", ran.stderr);
        // The detail alone, since it says what the title does.
        assert!(!ran.stderr.contains(kind.title()), "{kind:?}: {}", ran.stderr);
    }
}
