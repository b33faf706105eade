//! `vanta-agent` as a pod has it: a process, a folder in memory, and the files that the kubelet
//! would mount.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::pods::IDENTITY_TOKEN;
use crate::support::program::{DEADLINE, until};

/// The values of the fixtures, none of which may be anywhere but in the files.
const VALUES: [&str; 4] =
    ["example-password", "rotated-in-the-example", "api.example", "hello from VANTA"];

/// The token of a pod of this service account in namespace `shop`.
pub(crate) fn identity_token(account: &str) -> String {
    identity_token_for(account, 3600)
}

/// The same, whose proof ends so many seconds after it is shown.
pub(crate) fn identity_token_for(account: &str, seconds: u32) -> String {
    format!("{IDENTITY_TOKEN}.{account}.{seconds}")
}

/// A pod of service account `checkout`, and its settings.
pub(crate) struct Pod {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// An agent that was started in it.
pub(crate) struct Agent {
    child: Child,
    log: Arc<Mutex<String>>,
    status: PathBuf,
}

impl Pod {
    pub(crate) fn new(address: &str) -> Self {
        // As in a pod, where there is such a folder.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        let mut pod = Self { folder, variables: Vec::new() };
        pod.write("token", &identity_token("checkout"));
        for (name, file) in [
            ("VANTA_CA_FILE", "ca.crt"),
            ("VANTA_IDENTITY_TOKEN_FILE", "token"),
            ("VANTA_SECRETS_PATH", "secrets"),
            ("VANTA_STATUS_FILE", "status"),
        ] {
            let path = pod.folder.path().join(file);
            pod.set(name, path.to_str().unwrap());
        }
        pod.set("VANTA_ADDR", address);
        pod
    }

    /// With a variable set to something else.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Changes a file as the kubelet does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let beside = self.folder.path().join("beside");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.folder.path().join(name)).unwrap();
    }

    /// A path below the secrets folder.
    pub(crate) fn secret(&self, path: &str) -> PathBuf {
        self.folder.path().join("secrets").join(path)
    }

    /// A file below the secrets folder, where it is.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.secret(path)).ok()
    }

    /// All paths below the secrets folder, but for the agent's own, with the modes of each.
    pub(crate) fn tree(&self) -> Vec<String> {
        fn below(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let mode = path.symlink_metadata().unwrap().mode() & 0o7777;
                let name = path.strip_prefix(root).unwrap().display().to_string();
                if name != ".vanta" {
                    found.push(format!("{name} {mode:o}"));
                }
                if path.is_dir() {
                    below(&path, root, found);
                }
            }
        }
        let (root, mut found) = (self.secret(""), Vec::new());
        below(&root, &root, &mut found);
        found.sort();
        found
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vanta-agent"));
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `vanta-agent probe`: its code and what it prints.
    pub(crate) fn probe(&self) -> (Option<i32>, String) {
        let ran = self.command(&["probe"]).output().unwrap();
        let text = String::from_utf8(ran.stdout).unwrap();
        assert_silent(&text);
        (ran.status.code(), text)
    }

    pub(crate) fn start(&self) -> Agent {
        Agent::start(self.command(&[]), self.folder.path().join("status"))
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn ready(&self) -> Agent {
        let agent = self.start();
        agent.until_status("ready");
        agent
    }
}

impl Agent {
    fn start(mut command: Command, status: PathBuf) -> Self {
        // What an earlier one said is no word of this one.
        let _ = std::fs::remove_file(&status);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self { child, log, status }
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The lines of its log with this message in them.
    pub(crate) fn logged(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
        lines.filter(|line: &Value| line["message"].as_str().unwrap().contains(message)).collect()
    }

    pub(crate) fn status(&self) -> String {
        std::fs::read_to_string(&self.status).unwrap_or_default()
    }

    /// Waits until the status has this text, and gives it.
    pub(crate) fn until_status(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let status = self.status();
            if status.contains(text) {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "no {text:?} but {status:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the agent ends", || self.child.try_wait().unwrap())
    }

    /// Ends it as SIGKILL does, so that it can do nothing more.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The most memory that it has had resident, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// No value, and nothing that could get one.
pub(crate) fn assert_silent(text: &str) {
    for secret in VALUES.iter().chain(&[IDENTITY_TOKEN, "eyJ", "Bearer"]) {
        assert!(!text.contains(secret), "{secret} is in what the agent says: {text}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            assert_silent(&self.log());
            assert_silent(&self.status());
        }
    }
}

/// Waits until a file has this text in it, and gives all of it.
pub(crate) fn until_file(pod: &Pod, path: &str, text: &str) -> String {
    until(&format!("{path} holds what it should"), || {
        pod.read(path).filter(|content| content.contains(text))
    })
}
