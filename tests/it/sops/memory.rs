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
    if let Some(folder) = variable(FOLDER) {
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
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--test-threads", "1", "--nocapture"])
            .env(FOLDER, folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}{failed}");
        assert!(said.contains("1 was refused"), "{name}: {said}");
    }
}

/// What the process may have, in bytes: its data and the mappings that it writes to (`proc(5)`).
fn data() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[expect(clippy::print_stdout, reason = "it tells the process that started it")]
fn refuse_all(folder: PathBuf) {
    let limit = data() + MORE;
    setrlimit(Resource::RLIMIT_DATA, limit, limit).unwrap();
    let (_, report) = SopsStore::open(StoreOptions {
        folder: Some(folder),
        shared: SharedIdentities::File(path("age-key.txt")),
        identities_folder: None,
        leave: Leave::ALL,
        ..options(Path::new("unused"))
    });
    assert!(report.loaded.is_empty(), "{report:?}");
    println!("{} was refused", report.failed.len());
}
