//! A real PostgreSQL of a test's own, reached by a socket in a folder.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use tempfile::TempDir;

use super::program::until;
use super::{passed_over, variable};

/// The server, which can be ended and started again on what it wrote.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    server: Option<Child>,
}

impl Postgres {
    /// A server that runs, or none, said so, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            passed_over("no PostgreSQL: `scripts/setup test` installs it");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp");
        let folder = folder.expect("a folder can be made");
        if let Some(user) = other_user() {
            let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
            chown(folder.path(), uid, gid).expect("root gives a folder away");
        }
        let mut postgres = Self { programs, folder, server: None };
        let mut initdb = postgres.command("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--username=vanta", "--pgdata"]);
        let made = initdb.arg(postgres.data()).output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.resume();
        Some(postgres)
    }

    /// How a vault names it.
    pub(crate) fn url(&self) -> String {
        self.url_as("vanta")
    }

    /// How it is named by whoever connects as this user.
    pub(crate) fn url_as(&self, user: &str) -> String {
        let socket = self.folder.path().to_str().expect("the path is text").replace('/', "%2F");
        format!("postgres://{user}@localhost/postgres?host={socket}")
    }

    /// Ends the server as a crash does; whoever is connected finds out.
    pub(crate) fn crash(&mut self) {
        if let Some(mut server) = self.server.take() {
            send(server.id(), Signal::SIGQUIT);
            server.wait().expect("the server ends");
        }
    }

    /// Lets the server do nothing, not even end its connections, as a network that is cut does.
    pub(crate) fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    fn signal_all(&self, signal: Signal) {
        let server = self.server.as_ref().expect("the server was started");
        let id = server.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let children = std::fs::read_to_string(children).expect("the server has children");
        send(id, signal);
        // A child may have ended meanwhile.
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = kill(Pid::from_raw(child), signal);
        }
    }

    /// Starts it again on what it wrote.
    pub(crate) fn resume(&mut self) {
        let mut server = self.command("postgres");
        // What is synced is written all the same: a crash of the server is not one of the machine.
        server.args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"]).arg(self.folder.path());
        let server = server.arg("-D").arg(self.data()).stderr(Stdio::null()).spawn();
        self.server = Some(server.expect("postgres starts"));
        until("PostgreSQL answers", || {
            let mut ask = self.command("psql");
            ask.args(["--username=vanta", "--dbname=postgres", "-c", "SELECT 1", "--host"]);
            let answer = ask.arg(self.folder.path()).output().expect("psql starts");
            answer.status.success().then_some(())
        });
    }

    /// What psql prints for a statement, without any decoration.
    pub(crate) fn psql(&self, statement: &str) -> String {
        let answer = self.try_psql("vanta", statement);
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).expect("the answer is text")
    }

    /// Why a user's statement is refused.
    pub(crate) fn refusal(&self, user: &str, statement: &str) -> String {
        let answer = self.try_psql(user, statement);
        assert!(!answer.status.success(), "{statement} is not refused");
        String::from_utf8(answer.stderr).expect("the answer is text")
    }

    fn try_psql(&self, user: &str, statement: &str) -> Output {
        let mut ask = self.command("psql");
        ask.args(["--username", user, "--dbname=postgres", "-Atqc", statement, "--host"]);
        let ask = ask.arg(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ask.output().expect("psql starts")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs; root is nobody whom PostgreSQL runs as.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null()).stdout(Stdio::null()).current_dir(self.folder.path());
        if let Some(user) = other_user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.thaw();
        }
        self.crash();
    }
}

fn send(id: u32, signal: Signal) {
    let id = i32::try_from(id).expect("a process id fits");
    kill(Pid::from_raw(id), signal).expect("the server is there");
}

/// Whom to run it as where we are root.
fn other_user() -> Option<User> {
    let user = |name| User::from_name(name).ok().flatten();
    geteuid().is_root().then(|| user("postgres").or_else(|| user("nobody")))?
}

/// The folder of its programs: where a variable says, or where Debian puts its newest.
fn programs() -> Option<PathBuf> {
    if let Some(folder) = variable("VANTA_POSTGRES_BIN") {
        return Some(folder);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    versions.sort();
    let folders = versions.into_iter().rev().map(|version| version.join("bin"));
    folders.into_iter().find(|folder| folder.join("postgres").is_file() && is_usable(folder))
}

fn is_usable(folder: &Path) -> bool {
    ["initdb", "psql"].iter().all(|program| folder.join(program).is_file())
}
