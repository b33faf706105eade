//! Master keys that are not age's, by real sops where it can be brought to it, and by a key
//! service of the test's where what is said to it matters.

mod fairness;
mod fake;
mod gpg;
mod http;
mod pgp;
mod program;
mod redirects;
mod refusals;
mod services;
mod wire;

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use age::armor::ArmoredReader;
use tempfile::TempDir;
use vanta::adapters::key_service::{AllowList, Deadlines, KeyService, Launch, variables_for};
use vanta::adapters::sops::{
    Authorship, Identities, RefreshReport, RequireLeaf, SharedIdentities, SopsStore, StoreOptions,
};
use vanta::domain::ports::SecretStore;

use super::fixtures::{identities, options, path, text};
use super::grants::grant;
use crate::support::program::until;

/// A folder of files and a store that asks a program for their data keys.
struct Scenario {
    folder: TempDir,
    store: SopsStore,
    service: Arc<KeyService>,
}

/// How the service of a scenario is started.
struct Service<'a> {
    allowed: &'a str,
    program: &'a Path,
    environment: &'a [(&'a str, &'a str)],
    deadlines: Deadlines,
    identities: fn() -> Identities,
    leaf: RequireLeaf,
}

impl<'a> Service<'a> {
    fn new(allowed: &'a str, program: &'a Path, environment: &'a [(&'a str, &'a str)]) -> Self {
        let (deadlines, leaf) = (Deadlines::default(), RequireLeaf::Never);
        Self { allowed, program, environment, deadlines, identities, leaf }
    }
}

impl Scenario {
    /// Environments with the text of their files.
    fn with(files: &[(&str, &str)], service: &Service<'_>) -> (Self, RefreshReport) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        for (environment, text) in files {
            fs::write(file(&folder, environment), text).unwrap();
        }
        // As the program does.
        let list = AllowList::parse(service.allowed).unwrap();
        let given = service.environment.iter().map(|(name, value)| (name.into(), value.into()));
        let variables = variables_for(&list, given);
        let launch = Launch {
            host: env!("CARGO_BIN_EXE_vanta-vault").into(),
            arguments: vec![OsString::from("bound-to")],
            program: service.program.to_owned(),
            variables,
            folder: folder.path().to_owned(),
        };
        let key_service = Arc::new(KeyService::new(list, launch, service.deadlines).unwrap());
        let options = StoreOptions {
            shared: SharedIdentities::Given(Arc::new((service.identities)())),
            key_service: Some(Arc::clone(&key_service)),
            authorship: Authorship { leaf: service.leaf, ..Authorship::default() },
            ..options(&folder.path().join("files"))
        };
        let (store, report) = SopsStore::open(options);
        (Self { folder, store, service: key_service }, report)
    }

    fn write(&self, environment: &str, text: &str) {
        fs::write(file(&self.folder, environment), text).unwrap();
    }

    fn read(&self, environment: &str, key: &str) -> Option<String> {
        let value = self.store.read(&grant(environment, key)).ok()?;
        Some(value.expose_str().unwrap().to_owned())
    }

    /// Looks until a key can be read.
    fn soon(&self, environment: &str, key: &str) -> String {
        until("the environment is loaded", || {
            self.store.refresh();
            self.read(environment, key)
        })
    }

    /// Waits until whatever was asked is answered, and so whatever is started was: at once where
    /// nothing was asked.
    fn settle(&self) {
        self.service.wait(Duration::from_secs(10));
    }

    /// Why an environment is not as its file is.
    fn error(&self, environment: &str) -> Option<String> {
        let status = self.store.status();
        let status = status.into_iter().find(|status| status.environment.as_str() == environment);
        status.unwrap().error
    }

    /// Looks until an environment has failed.
    fn failed(&self, environment: &str) -> String {
        until("the environment has failed", || {
            self.store.refresh();
            self.error(environment).filter(|error| !error.contains("is being asked for"))
        })
    }

    /// The process of sops that this scenario has started.
    fn process(&self) -> Option<i32> {
        sops_below(self.folder.path())
    }
}

fn file(folder: &TempDir, environment: &str) -> PathBuf {
    folder.path().join(format!("files/{environment}.enc.yaml"))
}

/// The process whose socket was made below a folder.
fn sops_below(folder: &Path) -> Option<i32> {
    let folder = folder.to_str().unwrap();
    let mut processes = fs::read_dir("/proc").unwrap().flatten();
    processes.find_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        let arguments = fs::read(process.path().join("cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments);
        // Not what is to become it, nor what has ended and was not waited for.
        let is_sops = !arguments.contains("bound-to") && arguments.contains("\0keyservice\0");
        (is_sops && arguments.contains(folder)).then_some(id)
    })
}

/// A fixture whose data key is wrapped by these keys in the place of age's.
fn wrapped(fixture: &str, keys: &str) -> String {
    let original = text(fixture);
    let (begin, end) =
        (original.find("    age:\n").unwrap(), original.find("    lastmodified").unwrap());
    format!("{}{keys}{}", &original[..begin], &original[end..])
}

/// A fixture with further master keys beside its age key.
fn beside_age(fixture: &str, keys: &str) -> String {
    let original = text(fixture);
    let end = original.find("    lastmodified").unwrap();
    format!("{}{keys}{}", &original[..end], &original[end..])
}

/// The data key of a fixture.
fn data_key(fixture: &str) -> Vec<u8> {
    unwrapped(&text(fixture), "age-key.txt")
}

/// What the first age key of a text wraps, by one of the fixtures' identities.
fn unwrapped(text: &str, identity: &str) -> Vec<u8> {
    let begin = text.find("-----BEGIN AGE").unwrap();
    let end = text.find("-----END AGE").unwrap() + "-----END AGE ENCRYPTED FILE-----".len();
    let lines = text[begin..end].lines().map(str::trim_start);
    let armored = lines.fold(String::new(), |lines, line| lines + line + "\n");
    let keys = fs::read_to_string(path(identity)).unwrap();
    let key = keys.lines().find(|line| line.starts_with("AGE-SECRET")).unwrap();
    let identity: age::x25519::Identity = key.parse().unwrap();
    let decryptor = age::Decryptor::new(ArmoredReader::new(armored.as_bytes())).unwrap();
    let mut key = Vec::new();
    let identities = std::iter::once(&identity as &dyn age::Identity);
    decryptor.decrypt(identities).unwrap().read_to_end(&mut key).unwrap();
    key
}

/// A key of a transit engine as a file has it.
fn transit(address: &str, engine: &str, key: &str, enc: &str) -> String {
    format!(
        "    hc_vault:\n        - vault_address: \"{address}\"\n          engine_path: \"{engine}\"\n          \
         key_name: \"{key}\"\n          created_at: \"2026-01-01T00:00:00Z\"\n          enc: \"{enc}\"\n"
    )
}

/// Short deadlines, for what never answers.
const IMPATIENT: Deadlines = Deadlines {
    start: Duration::from_secs(10),
    answer: Duration::from_secs(1),
    idle: Duration::from_mins(1),
    file: Duration::from_mins(1),
};

/// A file with this `word` and `APP_WORD`, by real sops with these variables alone.
fn encrypt(sops: &Path, word: &str, keys: &[&str], environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.yaml");
    fs::write(&plain, format!("word: {word}\nAPP_WORD: {word}\n")).unwrap();
    let output = std::process::Command::new(sops)
        .env_clear()
        .env("HOME", folder.path())
        .envs(environment.iter().copied())
        .args(["encrypt"])
        .args(keys)
        .arg(&plain)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
