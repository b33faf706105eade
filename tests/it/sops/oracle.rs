//! Files that real sops makes are read as real sops reads them, to the byte, and a changed byte
//! is found or changes nothing. `tests/soak` does more of both.

use std::collections::BTreeMap;

use vanta::adapters::sops::Format;

use super::made::keys::Keys;
use super::made::random::Random;
use super::made::{Outcome, each, mutations};
use crate::support::sops;

const FILES: usize = 216;
/// How often a byte of each file is changed.
const CHANGES: usize = 3;
const SEED: u64 = 20_260_101;

/// What became of a file, its format, and how often a byte of it was changed.
type Found = (Outcome, Option<Format>, usize);

#[test]
fn generated_files_are_read_as_real_sops_reads_them() {
    let programs = sops::generations();
    if programs.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new(folder.path());
    let found: Vec<Found> = each(&keys, &programs, SEED, FILES, |maker, number| {
        let (outcome, made) = maker.compare(number);
        let Some(made) = made else { return (outcome, None, 0) };
        let mut random = Random(SEED ^ number as u64);
        match mutations::change(&made, &keys.identities, &mut random, CHANGES) {
            Ok(changes) => (outcome, Some(made.format), changes.len()),
            Err(how) => (Outcome::Different(how), Some(made.format), 0),
        }
    });
    let different: Vec<&str> = found
        .iter()
        .filter_map(|(outcome, ..)| match outcome {
            Outcome::Different(how) => Some(how.as_str()),
            _ => None,
        })
        .collect();
    assert!(different.is_empty(), "{} differ: {}", different.len(), different.join("\n=====\n"));
    // Files that need leave are not changed.
    let changes: usize = found.iter().map(|(.., changes)| changes).sum();
    assert!(changes >= FILES, "only {changes} bytes were changed");
    let count = |wanted: fn(&Outcome) -> bool| {
        let wanted = found.iter().filter(|(outcome, ..)| wanted(outcome));
        wanted.fold(BTreeMap::new(), |mut counts: BTreeMap<String, usize>, (_, format, _)| {
            *counts.entry(format!("{format:?}")).or_default() += 1;
            counts
        })
    };
    let same = count(|outcome| matches!(outcome, Outcome::Same));
    let refused = count(|outcome| matches!(outcome, Outcome::RefusedByBoth));
    let never = count(|outcome| matches!(outcome, Outcome::NotEncrypted));
    println!(
        "the same: {same:?}; sops cannot read back: {refused:?}; never made: {never:?}; {changes} bytes changed"
    );
    for format in Format::ALL {
        let same = same.get(&format!("{:?}", Some(format))).copied().unwrap_or_default();
        assert!(same >= 15, "only {same} files of {format:?} could be compared");
    }
}
