//! What hostile files take of memory: a process that may have 64 MiB more than it has refuses
//! every one of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use vanta::adapters::sops::{Leave, SharedIdentities, SopsStore, StoreOptions};

use super::fixtures::{options, path};
use super::made::hostile;
use crate::support::variable;

/// Names the folder of hostile files to the process that reads them.
const FOLDER: &str = "VANTA_TEST_HOSTILE_FOLDER";
const MORE: u64 = 64 * 1024 * 1024;

#[test]
fn hostile_files_are_refused_within_64_mebibytes() {
    if let Some(folder) = given() {
        refuse_all(folder);
        return;
    }
    let files = hostile::files();
    for (name, text) in &files {
        // Each alone, so that none profits from what another left behind.
        let folder = tempfile::tempdir().unwrap();
        let (stem, extension) = name.split_once('.').unwrap();
        fs::write(folder.path().join(format!("{stem}.enc.{extension}")), text).unwrap();
        let test = "sops::memory::hostile_files_are_refused_within_64_mebibytes";
        let said = run(test, folder.path());
        assert!(said.contains("1 was refused"), "{name}: {said}");
    }
}

/// What the test of this name says when it is run over a folder in a process of its own.
pub(super) fn run(test: &str, folder: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads", "1", "--nocapture"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    let listed = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let listed: Vec<_> = listed.collect();
    assert!(output.status.success(), "{listed:?}: {said}{failed}");
    said
}

/// The folder, in the process that reads it.
pub(super) fn given() -> Option<PathBuf> {
    variable(FOLDER)
}

/// Tells the process that started this one.
#[expect(clippy::print_stdout, reason = "it is what the other reads")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

/// Lets this process have 64 MiB more than it has, and no more.
pub(super) fn limit() {
    let limit = data() + MORE;
    setrlimit(Resource::RLIMIT_DATA, limit, limit).unwrap();
}

/// What the process may have, in bytes: its data and the mappings that it writes to (`proc(5)`).
fn data() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn refuse_all(folder: PathBuf) {
    limit();
    let (_, report) = SopsStore::open(StoreOptions {
        folder: Some(folder),
        shared: SharedIdentities::File(path("age-key.txt")),
        identities_folder: None,
        leave: Leave::ALL,
        ..options(Path::new("unused"))
    });
    assert!(report.loaded.is_empty(), "{report:?}");
    say(&format!("{} was refused", report.failed.len()));
}
