//! The real `vanta-vault` as a process, with files of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use vanta::contract::clients::ClientEntry;
use vanta::domain::identity::ClientSecret;

use super::service::{GRANTS, SIGNING_KEY};

/// How long a test waits for something that takes milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The folder and the settings of a vault, which can be started more than once.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) client_secret: String,
}

/// A vault that runs.
pub(crate) struct Program {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) api: String,
    pub(crate) health: String,
    log: Arc<Mutex<String>>,
}

impl Site {
    /// The example environment, [`GRANTS`], the client `ci`, and the administrator `ops`, who has
    /// the same secret.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let secret = ClientSecret::from_random(&[2; 32]);
        let site = Self { folder, client_secret: secret.expose().to_owned() };
        for name in ["secrets", "access", "state", "audit"] {
            std::fs::create_dir(site.path(name)).expect("a folder can be made");
        }
        std::fs::copy(example("dev.enc.yaml"), site.path("secrets/dev.enc.yaml"))
            .expect("the example is there");
        site.write("access/all.yaml", GRANTS);
        site.write("signing-key", SIGNING_KEY);
        let name = "ci".parse().expect("it is a name");
        let client = ClientEntry::new(name, "a".to_owned(), &secret);
        let name = "ops".parse().expect("it is a name");
        let administrator =
            ClientEntry { administrator: true, ..ClientEntry::new(name, "a".to_owned(), &secret) };
        site.write("clients.yaml", &(client.yaml() + &administrator.yaml()));
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // Beside and then in place, as whoever changes such files should.
        let beside = self.path("beside");
        std::fs::write(&beside, text).expect("a file can be written");
        std::fs::rename(&beside, self.path(name)).expect("a file can be renamed");
    }

    /// The `Authorization` of one of the clients.
    pub(crate) fn basic(&self, client: &str) -> String {
        use base64::Engine;
        let credentials = format!("{client}:{}", self.client_secret);
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
    }

    /// The program with all its settings, not started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vanta-vault"));
        command
            .env_clear()
            .env("VANTA_LISTEN", "127.0.0.1:0")
            .env("VANTA_HEALTH_LISTEN", "127.0.0.1:0")
            .env("VANTA_SOPS_FILES_PATH", self.path("secrets"))
            .env("VANTA_ACCESS_PATH", self.path("access"))
            .env("VANTA_CLIENTS_FILE", self.path("clients.yaml"))
            .env("VANTA_STATE_PATH", self.path("state"))
            .env("VANTA_AUDIT_PATH", self.path("audit"))
            .env("VANTA_JWT_SECRET_KEY_FILE", self.path("signing-key"))
            .env("SOPS_AGE_KEY_FILE", example("age-key.txt"))
            // Many an environment here is a copy of the example, which names none.
            .env("VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF", "never")
            // A slow machine asks again for longer, and so more often.
            .env("VANTA_ISSUES_PER_MINUTE", "1000000")
            .env("VANTA_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Program {
        Program::start(self.command(), "http")
    }

    /// The audit's lines so far, as they are written.
    pub(crate) fn audit(&self) -> Vec<String> {
        let read = |path: PathBuf| std::fs::read_to_string(path).expect("the audit is readable");
        let files = self.full_files().into_iter().chain([self.path("audit/audit.jsonl")]);
        files.flat_map(|file| read(file).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// The audit's full files, in their order.
    pub(crate) fn full_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.path("audit")).expect("the folder is readable");
        let files = files.map(|file| file.expect("the folder is readable").path());
        let is_full = |file: &PathBuf| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("audit-"))
        };
        let mut files: Vec<PathBuf> = files.filter(is_full).collect();
        files.sort();
        files
    }
}

/// A file of the example environment.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/secrets").join(name)
}

/// Waits until something holds.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Program {
    pub(crate) fn start(mut command: Command, scheme: &str) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, addresses) = channel();
        let lines = BufReader::new(child.stderr.take().expect("standard error is piped")).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said["message"] == "the vault is listening" {
                    // The test may have given up on this vault.
                    let _ = ready.send((said["api"].clone(), said["health"].clone()));
                }
                let mut kept = kept.lock().expect("no reader panics");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let (api, health) = Self::addresses(&addresses, &log);
        Self { child, api: format!("{scheme}://{api}"), health: format!("http://{health}"), log }
    }

    fn addresses(addresses: &Receiver<(Value, Value)>, log: &Mutex<String>) -> (String, String) {
        let Ok((api, health)) = addresses.recv_timeout(DEADLINE) else {
            panic!("the vault does not listen: {}", log.lock().expect("no reader panics"));
        };
        let text = |address: Value| address.as_str().expect("an address is text").to_owned();
        (text(api), text(health))
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no reader panics").clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id fits");
        kill(Pid::from_raw(id), signal).expect("the vault is there");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the vault ends", || self.child.try_wait().expect("the vault can be waited for"))
    }

    /// A token for these keys of dev, to read and list.
    pub(crate) fn token(&self, site: &Site, key_pattern: &str) -> String {
        self.token_with(
            site,
            &json!({
                "environment": "dev", "key_pattern": key_pattern, "permissions": ["read", "list"],
            }),
        )
    }

    pub(crate) fn token_with(&self, site: &Site, body: &Value) -> String {
        let (_, answer) = self.generate(site, body);
        answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// What the vault answers to the client's request for a token.
    pub(crate) fn generate(&self, site: &Site, body: &Value) -> (u16, Value) {
        let mut answer = agent()
            .post(format!("{}/api/v1/vault/tokens/generate", self.api))
            .header("authorization", site.basic("ci"))
            .send_json(body)
            .expect("the vault answers");
        let body = answer.body_mut().read_json().expect("the answer is JSON");
        (answer.status().as_u16(), body)
    }

    /// `GET` below `/api/v1/vault/`: status, request id and body, or none where nobody answers.
    pub(crate) fn read(&self, agent: &ureq::Agent, path: &str, token: &str) -> Option<Read> {
        let mut answer = agent
            .get(format!("{}/api/v1/vault/{path}", self.api))
            .header("authorization", format!("Bearer {token}"))
            .call()
            .ok()?;
        let id = answer.headers()["x-request-id"].to_str().expect("an id is text").to_owned();
        let status = answer.status().as_u16();
        Some(Read { status, id, text: answer.body_mut().read_to_string().ok()? })
    }

    /// `GET` on the port of health.
    pub(crate) fn health(&self, path: &str) -> (u16, String) {
        let mut answer = agent().get(format!("{}{path}", self.health)).call().expect("it answers");
        let text = answer.body_mut().read_to_string().expect("the answer is text");
        (answer.status().as_u16(), text)
    }
}

/// What came of a read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) status: u16,
    pub(crate) id: String,
    pub(crate) text: String,
}

/// A client whose answers of 400 and more are answers.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(DEADLINE))
        .build()
        .into()
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
