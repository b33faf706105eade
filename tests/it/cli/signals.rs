//! Signals and sudden ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::cli::{SECRET, run_with_secrets};
use crate::support::fake_vault::FakeVault;
use crate::support::program::until as eventually;

fn vault() -> FakeVault {
    FakeVault::with(&[("DB_PASS", SECRET)])
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Started, with its first line read.
fn started(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the client starts");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("the output is text");
    (child, output, line.trim_end().to_owned())
}

#[test]
fn a_signal_to_the_client_reaches_the_command() {
    let vault = vault();
    for signal in
        [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGQUIT]
    {
        let name = signal.as_str().trim_start_matches("SIG");
        let script =
            format!("trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.02; done");
        let (mut child, mut output, _) = started(run_with_secrets(&vault, "env", &script));
        kill(pid(&child), signal).unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "got\n", "{name}");
        assert_eq!(child.wait().unwrap().code(), Some(9), "{name}");
    }
}

#[test]
fn a_command_that_a_forwarded_signal_ends_has_a_shell_s_code() {
    let (mut child, _output, _) =
        started(run_with_secrets(&vault(), "env", "echo ready; exec sleep 600"));
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_stopped_command_goes_on_when_the_client_is_continued() {
    let script = "trap 'exit 7' TERM; echo $$; while :; do sleep 0.02; done";
    let (mut child, _output, command) = started(run_with_secrets(&vault(), "env", script));
    let command = Pid::from_raw(command.parse().unwrap());
    let is_stopped = || {
        let status = std::fs::read_to_string(format!("/proc/{command}/stat")).ok()?;
        status.rsplit(')').next()?.trim_start().starts_with('T').then_some(())
    };
    kill(command, Signal::SIGSTOP).unwrap();
    eventually("the command is stopped", is_stopped);
    kill(pid(&child), Signal::SIGCONT).unwrap();
    eventually("the command goes on", || is_stopped().is_none().then_some(()));
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn control_c_on_a_terminal_reaches_the_command_exactly_once() {
    let terminal = openpty(None, None).unwrap();
    let script = "trap 'echo got' INT; echo ready; while [ ! -e \"$DONE\" ]; do sleep 0.02; done; echo over; \
         while [ -e \"$DONE\" ]; do sleep 0.02; done";
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let vault = vault();
    let client = run_with_secrets(&vault, "env", script);
    // A session of its own, with the pseudo-terminal as its terminal.
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(client.get_program()).args(client.get_args());
    for (name, value) in client.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let slave = File::from(terminal.slave);
    command.env("DONE", &done);
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // The command holds copies of the terminal's other end, and reading would not end with them.
    drop(command);
    let mut master = File::from(terminal.master);
    let mut lines = BufReader::new(master.try_clone().unwrap()).lines();
    let mut until = |wanted: &str| {
        let mut seen = Vec::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            let found = line.ends_with(wanted);
            seen.push(line);
            if found {
                return seen;
            }
        }
        panic!("{wanted:?} never came: {seen:?}");
    };
    until("ready");
    master.write_all(b"\x03").unwrap();
    until("got");
    File::create(&done).unwrap();
    let rest = until("over");
    // The terminal is there until all was read: without its other end, reading may fail.
    std::fs::remove_file(&done).unwrap();
    assert!(!rest.iter().any(|line| line.ends_with("got")), "it came twice: {rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn kill_9_of_the_client_leaves_no_file() {
    let (mut child, mut output, file) = started(run_with_secrets(
        &vault(),
        "file",
        "echo \"$VANTA_SECRETS_FILE $$\"; exec sleep 600",
    ));
    let (file, command) = file.split_once(' ').unwrap();
    assert!(std::fs::read_to_string(file).unwrap().contains(SECRET));
    kill(pid(&child), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    assert!(std::fs::read(file).is_err());
    kill(Pid::from_raw(command.parse().unwrap()), Signal::SIGKILL).unwrap();
    output.read_to_string(&mut String::new()).unwrap();
}
