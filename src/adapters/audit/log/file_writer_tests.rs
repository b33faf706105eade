//! Rotation, retired files, and what a crash leaves between two steps.

use std::path::PathBuf;

use super::*;
use crate::adapters::audit::folder::rotated_path;
use crate::adapters::audit::{removal_holds, verify_folder};
use crate::domain::chain::{Report, Verifier};
use crate::domain::record::line_hash;

const SMALL: Rotation = Rotation { most_bytes: 1000, keep: None };

/// Large enough for the entry that tells of a removal.
const KEEP_ONE: Rotation = Rotation { most_bytes: 3000, keep: Some(1) };

fn record() -> Record {
    Record::new(Timestamp::now(), Event::Read, Outcome::Granted)
}

fn open(folder: &Path, rotation: Rotation) -> FileWriter {
    FileWriter::open(folder, "r", rotation, Some(SigningKey::new(&[1; 32]))).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(folder).unwrap().into_iter().map(|file| name(file.path)).collect()
}

fn verify(folder: &Path) -> Report {
    let key = SigningKey::new(&[1; 32]).public_key();
    let verifier = Verifier::new([]);
    let mut verifier =
        verifier.believing(move |removal| removal_holds(removal, std::slice::from_ref(&key)));
    verify_folder(folder, &mut verifier).unwrap();
    verifier.finish()
}

/// The chain is whole, and so long.
fn assert_whole(folder: &Path, last: u64) {
    let report = verify(folder);
    assert!(report.is_whole(), "{report:#?}");
    assert_eq!((report.chains.len(), report.chains[0].last), (1, last), "{report:#?}");
}

#[test]
fn a_full_file_is_rotated_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path(), SMALL);
    for _ in 0..20 {
        writer.write(&[record()]).unwrap();
    }
    let names = names(folder.path());
    assert!(names.len() > 3, "{names:?}");
    assert_eq!(names[0], "audit-00000000000000000001.jsonl");
    assert_eq!(names.last().unwrap(), "audit.jsonl");
    for file in files(folder.path()).unwrap() {
        assert!(fs::metadata(file.path).unwrap().len() <= 1000);
    }
    assert_whole(folder.path(), 20);
}

#[test]
fn a_batch_that_is_larger_than_a_file_may_be_is_a_file_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path(), SMALL);
    for _ in 0..2 {
        writer.write(&vec![record(); 20]).unwrap();
    }
    assert_eq!(names(folder.path()).len(), 2);
    assert_whole(folder.path(), 40);
}

#[test]
fn a_crash_between_any_two_steps_of_a_rotation_loses_nothing() {
    type Crash = fn(&Path);
    fn rename(folder: &Path) {
        fs::rename(folder.join("audit.jsonl"), rotated_path(folder, 1)).unwrap();
    }
    let crashes: [Crash; 3] = [
        // Before the first step.
        |_| {},
        // After the rename.
        rename,
        // After the new file was made.
        |folder| {
            rename(folder);
            fs::write(folder.join("audit.jsonl"), "").unwrap();
        },
    ];
    for (number, crash) in crashes.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path(), Rotation::default());
        writer.write(&vec![record(); 10]).unwrap();
        drop(writer);
        crash(folder.path());
        let mut writer = open(folder.path(), SMALL);
        writer.write(&[record()]).unwrap();
        assert_eq!(names(folder.path()).len(), 2, "crash {number}");
        assert_whole(folder.path(), 11);
    }
}

#[test]
fn a_rotation_never_writes_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path(), SMALL);
    writer.write(&vec![record(); 10]).unwrap();
    let in_the_way = folder.path().join("audit-00000000000000000001.jsonl");
    fs::write(&in_the_way, "something\n").unwrap();
    assert!(writer.write(&[record()]).is_err());
    assert_eq!(fs::read_to_string(&in_the_way).unwrap(), "something\n");
    fs::remove_file(in_the_way).unwrap();
    writer.write(&[record()]).unwrap();
    assert_whole(folder.path(), 11);
}

#[test]
fn so_many_full_files_are_kept_and_the_chain_says_which_entries_went() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Rotation { keep: Some(2), ..KEEP_ONE };
    let mut writer = open(folder.path(), kept);
    for _ in 0..80 {
        writer.write(&[record()]).unwrap();
    }
    assert_eq!(names(folder.path()).len(), 3);
    let report = verify(folder.path());
    assert!(report.is_whole(), "{report:#?}");
    assert!(report.chains[0].first > 1);
    assert!(report.notes[0].contains("those before were removed"), "{report:#?}");

    // What goes without being told was cut.
    let oldest = files(folder.path()).unwrap().remove(0);
    fs::remove_file(oldest.path).unwrap();
    assert!(!verify(folder.path()).is_whole());
}

#[test]
fn no_removal_is_signed_where_somebody_put_full_files_there_or_took_some() {
    type Meddle = fn(&Path);
    let meddlings: [Meddle; 2] = [
        |folder| fs::write(rotated_path(folder, 3), "{}\n").unwrap(),
        |folder| fs::remove_file(&files(folder).unwrap()[0].path).unwrap(),
    ];
    for meddle in meddlings {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path(), Rotation { keep: Some(20), ..SMALL });
        for _ in 0..20 {
            writer.write(&[record()]).unwrap();
        }
        meddle(folder.path());
        writer.rotation.keep = Some(1);
        for _ in 0..20 {
            writer.write(&[record()]).unwrap();
        }
        assert!(names(folder.path()).len() > 5);
        let report = verify(folder.path());
        assert!(report.notes.iter().all(|note| !note.contains("signed")), "{report:#?}");
    }
}

#[test]
fn a_file_that_was_retired_before_the_first_that_is_kept_goes_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path(), SMALL);
    for _ in 0..20 {
        writer.write(&[record()]).unwrap();
    }
    let second = files(folder.path()).unwrap()[1].path.clone();
    fs::copy(second, folder.path().join("audit.retired-1.jsonl")).unwrap();
    writer.rotation = KEEP_ONE;
    writer.remove_oldest();
    assert!(!folder.path().join("audit.retired-1.jsonl").exists());
    assert!(verify(folder.path()).is_whole());
}

#[test]
fn a_crash_before_the_oldest_files_are_removed_leaves_them_to_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path(), SMALL);
    for _ in 0..30 {
        writer.write(&[record()]).unwrap();
    }
    drop(writer);
    drop(open(folder.path(), KEEP_ONE));
    assert_eq!(names(folder.path()).len(), 2);
    assert!(verify(folder.path()).is_whole());
}

#[test]
fn a_file_with_lines_that_were_never_answered_on_is_retired() {
    let folder = tempfile::tempdir().unwrap();
    let (known, end) = Link::start().join("r", record());
    let (in_doubt, _) = end.join("r", record());
    fs::write(folder.path().join("audit.jsonl"), format!("{known}\n{in_doubt}\n")).unwrap();
    let mut writer = FileWriter {
        folder: Folder::lock(folder.path()).unwrap(),
        replica: "r".to_owned(),
        rotation: Rotation::default(),
        key: None,
        end,
        file: None,
        size: 0,
        full: Vec::new(),
        closed: (0, 0),
    };
    let next = writer.write(&[record()]).unwrap().remove(0);
    let next: crate::domain::record::Entry = serde_json::from_str(&next).unwrap();
    assert_eq!((next.sequence, next.previous), (2, line_hash(&known)));
    assert!(folder.path().join("audit.retired-1.jsonl").exists());
    let report = verify(folder.path());
    assert!(report.is_whole(), "{report:#?}");
    assert!(report.notes[0].contains("in doubt"), "{report:#?}");
}
