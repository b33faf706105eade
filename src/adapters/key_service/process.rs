//! The process `sops keyservice`: started on a socket that it alone is reached by, and ended.
//!
//! Invariants: it has no variables but those that it is given, and neither input nor output; the
//! socket is in a folder that only this user enters, and is gone before the first call, so that
//! nobody else can call; when its owner goes, so do it and what it started. Not so GnuPG's agent,
//! which puts itself into a session of its own and outlives all of them.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::error::KeyServiceError;

/// How often a socket is looked for that is not there yet.
const PERIOD: Duration = Duration::from_millis(10);

/// How sops is started.
pub struct Launch {
    /// The program that starts it so that it ends with this process. It ends with 127 where there
    /// is no sops.
    pub host: PathBuf,
    /// The host's first arguments, which the number of this process, `sops` and its arguments
    /// follow.
    pub arguments: Vec<OsString>,
    /// The program sops.
    pub program: PathBuf,
    /// Its variables, all of them.
    pub variables: Vec<(OsString, OsString)>,
    /// Where the folder of the socket is made.
    pub folder: PathBuf,
}

/// A process that listens, and the connection to it.
pub(super) struct Running {
    process: Process,
    pub(super) connection: Connection,
}

/// A process, which ends when this is dropped.
struct Process(Child);

impl Running {
    /// Starts it and connects to it.
    pub(super) async fn start(launch: &Launch, limit: Duration) -> Result<Self, KeyServiceError> {
        let deadline = Instant::now() + limit;
        let folder = socket_folder(&launch.folder).map_err(|_| {
            KeyServiceError::Start(
                "no folder can be made for its socket: give it a writable TMPDIR",
            )
        })?;
        let socket = folder.path().join("s");
        let mut process = Process::start(launch, &socket)?;
        let stream = process.connect(&socket, deadline).await?;
        let greeted = timeout_at(deadline, Connection::over(stream)).await;
        let connection = greeted.map_err(|_| KeyServiceError::SlowStart)??;
        // The way to it is gone; the connection stays.
        drop(folder);
        Ok(Self { process, connection })
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.process.0.id()
    }
}

fn socket_folder(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("vanta-keys-").permissions(Permissions::from_mode(0o700)).tempdir_in(parent)
}

impl Process {
    fn start(launch: &Launch, socket: &Path) -> Result<Self, KeyServiceError> {
        let child = Command::new(&launch.host)
            .args(&launch.arguments)
            .arg(std::process::id().to_string())
            .arg(&launch.program)
            .args(["keyservice", "--network", "unix", "--address"])
            .arg(socket)
            .env_clear()
            .envs(launch.variables.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // So that what it starts ends with it.
            .process_group(0)
            .spawn();
        // It is the host that was not started: of sops nothing is known yet.
        child.map(Self).map_err(|_| KeyServiceError::Start("the system does not start its process"))
    }

    /// Connects once it listens.
    async fn connect(
        &mut self,
        socket: &Path,
        deadline: Instant,
    ) -> Result<UnixStream, KeyServiceError> {
        loop {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(match status.code() {
                    Some(127) => KeyServiceError::NoProgram,
                    Some(126) => KeyServiceError::Start("it is not executable"),
                    _ => KeyServiceError::Start(
                        "it ended at once: is it sops, with its command keyservice?",
                    ),
                });
            }
            if let Ok(stream) = UnixStream::connect(socket).await {
                return Ok(stream);
            }
            if Instant::now() >= deadline {
                return Err(KeyServiceError::SlowStart);
            }
            sleep(PERIOD).await;
        }
    }

    fn pid(&self) -> Option<i32> {
        i32::try_from(self.0.id()).ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is not waited for before this, so the number is still its own.
        if let Some(pid) = self.pid()
            && !matches!(self.0.try_wait(), Ok(Some(_)))
        {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
