//! Files that real sops makes are read as real sops reads them, to the byte.

use std::fs;
use std::path::Path;

use vanta::adapters::sops::{Format, Identities, Leave, OpenedFile};

use super::fixtures::path;
use super::generate::{RULES, Random, json, yaml};
use crate::support::sops;

const FILES: usize = 160;
const SEED: u64 = 20_260_101;

/// What became of one generated file.
enum Outcome {
    /// Both print the same.
    Same,
    /// Sops cannot encrypt the plain file.
    NotEncrypted,
    /// Sops cannot read back what it wrote itself, and we refuse it as well.
    RefusedByBoth,
    /// We read it differently; the text says how.
    Different(String),
}

#[test]
fn generated_files_are_read_as_real_sops_reads_them() {
    let Some(program) = sops::find() else { return };
    let identities = Identities::read(&path("age-key.txt")).unwrap();
    let workers = 4;
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let identities = &identities;
        let worker = |first: usize| {
            move || {
                let folder = tempfile::tempdir().unwrap();
                (first..FILES)
                    .step_by(workers)
                    .map(|file| compare(program, folder.path(), identities, file))
                    .collect::<Vec<Outcome>>()
            }
        };
        let workers: Vec<_> = (0..workers).map(|first| scope.spawn(worker(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let different: Vec<&str> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Different(how) => Some(how.as_str()),
            _ => None,
        })
        .collect();
    assert!(different.is_empty(), "{} differ: {}", different.len(), different.join("\n=====\n"));
    let count =
        |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|found| wanted(found)).count();
    let same = count(|outcome| matches!(outcome, Outcome::Same));
    let refused = count(|outcome| matches!(outcome, Outcome::RefusedByBoth));
    println!("{same} files the same, {refused} that sops cannot read back itself");
    assert!(same >= 120, "only {same} of {FILES} files could be compared");
}

fn compare(program: &Path, folder: &Path, identities: &Identities, file: usize) -> Outcome {
    let mut random = Random(SEED.wrapping_add(file as u64));
    let (plain, extension, format) = if file.is_multiple_of(3) {
        (json(&mut random), "json", Format::Json)
    } else {
        (yaml(&mut random), "yaml", Format::Yaml)
    };
    fs::write(folder.join(".sops.yaml"), configuration(&mut random, file)).unwrap();
    let (plain_name, name) = (format!("plain.{extension}"), format!("app.enc.{extension}"));
    fs::write(folder.join(&plain_name), &plain).unwrap();
    let key_file = path("age-key.txt");
    let arguments = ["encrypt", "--output", &name, &plain_name];
    if !sops::run(program, folder, &key_file, &arguments).status.success() {
        return Outcome::NotEncrypted;
    }
    let theirs =
        sops::run(program, folder, &key_file, &["decrypt", "--output-type", "json", &name]);
    let bytes = fs::read(folder.join(&name)).unwrap();
    let ours = OpenedFile::open(&bytes, format, identities, Leave::ALL);
    let encrypted = String::from_utf8_lossy(&bytes);
    let differ =
        |how: &str| Outcome::Different(format!("file {file}: {how}\n{plain}\n{encrypted}"));
    match ours {
        Err(_) if !theirs.status.success() => Outcome::RefusedByBoth,
        Ok(_) if !theirs.status.success() => differ("sops refuses what we read"),
        Err(error) => differ(&format!("we refuse what sops reads: {error}")),
        Ok(ours) if ours.to_json().unwrap().as_bytes() == theirs.stdout => Outcome::Same,
        Ok(_) => differ("sops prints another text"),
    }
}

/// A `.sops.yaml` with one rule and one to three recipients, the fixtures' key among them.
fn configuration(random: &mut Random, file: usize) -> String {
    const OTHERS: [&str; 2] = [
        "age1hyw9gynnh0ayz0hjc2va7zzweh0t5xa0ymdtyylmkyqu0hzg4ghqv7hgya",
        "age1aqxg8feykyv73djsvsukls2aue55k452zz9upggymea5lxsvqphsgqphhm",
    ];
    let mut recipients: Vec<&str> = OTHERS[..random.below(3)].to_vec();
    recipients.push("age19gpefxdz8y8spxjz2tnu04nag34hqg577xa574eql4xwu0vkpyysr2kv2k");
    let rule = RULES[file % RULES.len()];
    let mac_only = file % 5 == 4;
    let recipients = recipients.join(",");
    format!(
        "creation_rules:\n  - age: {recipients}\n    mac_only_encrypted: {mac_only}\n    {rule}\n"
    )
}
