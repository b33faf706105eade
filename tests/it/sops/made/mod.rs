//! Files that real sops makes, and what sops and VANTA read in them.

pub(crate) mod flat;
pub(crate) mod hostile;
pub(crate) mod keys;
pub(crate) mod mutations;
pub(crate) mod nested;
pub(crate) mod random;

use std::fs;
use std::path::{Path, PathBuf};

use vanta::adapters::sops::{EncryptedFile, Format, Leave, OpenedFile};

use crate::support::sops;
use keys::Keys;
use random::Random;

/// Rules as they stand in `.sops.yaml`, and none.
const RULES: [&str; 8] = [
    "",
    "unencrypted_suffix: _plain",
    "encrypted_suffix: _secret",
    "unencrypted_regex: ^(open|public)",
    "encrypted_regex: (?i)SECRET|pass\\d",
    "unencrypted_comment_regex: ^ ?leave",
    "encrypted_comment_regex: ^ ?hide",
    "unencrypted_regex: ^[\\w.]+_plain$",
];

/// In turn, the more intricate more often.
const FORMATS: [Format; 9] = [
    Format::Yaml,
    Format::Dotenv,
    Format::Ini,
    Format::Json,
    Format::Binary,
    Format::Yaml,
    Format::Ini,
    Format::Yaml,
    Format::Dotenv,
];

/// What became of one generated file.
pub(crate) enum Outcome {
    /// Both read the same.
    Same,
    /// Sops cannot encrypt the plain file.
    NotEncrypted,
    /// Sops cannot read back what it wrote itself, and we refuse it as well.
    RefusedByBoth,
    /// We read it differently; the text says how.
    Different(String),
}

/// One file as sops wrote it.
pub(crate) struct Made {
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
    name: String,
    plain: Vec<u8>,
    number: usize,
}

/// How many make files at once.
const WORKERS: usize = 4;

/// What is found in each of so many files, which several make and look at at once.
pub(crate) fn each<T: Send>(
    keys: &Keys,
    programs: &[&Path],
    seed: u64,
    files: usize,
    work: impl Fn(&Maker<'_>, usize) -> T + Sync,
) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let worker = |first: usize| {
            move || {
                let folder = tempfile::tempdir().expect("a folder can be made");
                let maker = Maker::new(folder.path(), keys, programs, seed);
                let numbers = (first..files).step_by(WORKERS);
                numbers.map(|number| work(&maker, number)).collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|first| scope.spawn(worker(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect()
    })
}

/// Where files are made, and by which of several generations of sops.
pub(crate) struct Maker<'a> {
    folder: PathBuf,
    keys: &'a Keys,
    programs: &'a [&'a Path],
    seed: u64,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(folder: &Path, keys: &'a Keys, programs: &'a [&'a Path], seed: u64) -> Self {
        Self { folder: folder.to_owned(), keys, programs, seed }
    }

    fn program(&self, number: usize) -> &Path {
        self.programs[number / 3 % self.programs.len()]
    }

    fn sops(&self, number: usize, arguments: &[&str]) -> std::process::Output {
        let mut command = sops::command(self.program(number), &self.folder, &self.keys.age());
        command.env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", Keys::ssh(number / 5));
        command.args(arguments).output().expect("sops was found, so it can be started")
    }

    /// Has a file made; none where sops does not encrypt what was thought out.
    pub(crate) fn make(&self, number: usize) -> Option<Made> {
        let mut random = Random(self.seed.wrapping_add(number as u64));
        let format = FORMATS[number % FORMATS.len()];
        let plain = match format {
            Format::Yaml => nested::yaml(&mut random).into_bytes(),
            Format::Json => nested::json(&mut random).into_bytes(),
            Format::Dotenv => flat::dotenv(&mut random).into_bytes(),
            Format::Ini => flat::ini(&mut random).into_bytes(),
            Format::Binary => flat::binary(&mut random),
        };
        let rule = RULES[number % RULES.len()];
        let mac_only = number % 5 == 4;
        let recipients = keys::recipients(number / 5, &mut random);
        let configuration = format!(
            "creation_rules:\n  - mac_only_encrypted: {mac_only}\n{recipients}    {rule}\n"
        );
        let extension = format.extension();
        let (plain_name, name) = (format!("plain.{extension}"), format!("app.enc.{extension}"));
        fs::write(self.folder.join(".sops.yaml"), configuration).expect("it can be written");
        fs::write(self.folder.join(&plain_name), &plain).expect("it can be written");
        let made = self.sops(number, &["encrypt", "--output", &name, &plain_name]);
        made.status.success().then(|| {
            let bytes = fs::read(self.folder.join(&name)).expect("sops wrote it");
            Made { format, bytes, name, plain, number }
        })
    }

    /// Makes a file and has it read by both.
    pub(crate) fn compare(&self, number: usize) -> (Outcome, Option<Made>) {
        let Some(made) = self.make(number) else { return (Outcome::NotEncrypted, None) };
        let theirs = match made.format {
            Format::Binary => self.sops(number, &["decrypt", &made.name]),
            _ => self.sops(number, &["decrypt", "--output-type", "json", &made.name]),
        };
        let ours = self.read(&made);
        let outcome = match ours {
            Err(_) if !theirs.status.success() => Outcome::RefusedByBoth,
            Ok(_) if !theirs.status.success() => self.differ(&made, "sops refuses what we read"),
            Err(error) => self.differ(&made, &format!("we refuse what sops reads: {error}")),
            Ok(ours) if ours == theirs.stdout => Outcome::Same,
            Ok(ours) => {
                let (ours, theirs) =
                    (String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs.stdout));
                self.differ(&made, &format!("we print {ours} and sops {theirs}"))
            }
        };
        (outcome, Some(made))
    }

    /// What we print: for a binary file its bytes, for all others JSON.
    fn read(&self, made: &Made) -> Result<Vec<u8>, String> {
        let identities = &self.keys.identities;
        let text = |error: &dyn std::fmt::Display| error.to_string();
        if made.format == Format::Binary {
            let file = EncryptedFile::open(&made.bytes, made.format, identities, Leave::ALL);
            let file = file.map_err(|error| text(&error))?;
            let value = file.read(&"data".parse().expect("it is a key"));
            return Ok(value.map_err(|error| text(&error))?.expose().to_vec());
        }
        let file = OpenedFile::open(&made.bytes, made.format, identities, Leave::ALL);
        let json = file.map_err(|error| text(&error))?.to_json().map_err(|error| text(&error))?;
        Ok(json.as_bytes().to_vec())
    }

    fn differ(&self, made: &Made, how: &str) -> Outcome {
        let program = self.program(made.number).display();
        Outcome::Different(format!(
            "file {} by {program}: {how}\n{}\n{}",
            made.number,
            String::from_utf8_lossy(&made.plain),
            String::from_utf8_lossy(&made.bytes)
        ))
    }
}
