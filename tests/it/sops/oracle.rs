//! Files that real sops makes are read as real sops reads them, to the byte, and a changed byte
//! is found or changes nothing. `tests/soak` does more of both.

use std::collections::BTreeMap;

use vanta::adapters::sops::Format;

use super::made::keys::Keys;
use super::made::random::Random;
use super::made::{Maker, Outcome, mutations};
use crate::support::sops;

const FILES: usize = 216;
/// How often a byte of each file is changed.
const CHANGES: usize = 3;
const SEED: u64 = 20_260_101;

#[test]
fn generated_files_are_read_as_real_sops_reads_them() {
    let programs = sops::generations();
    if programs.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new(folder.path());
    let workers = 4;
    let outcomes: Vec<(Outcome, Option<Format>)> = std::thread::scope(|scope| {
        let (keys, programs) = (&keys, programs.as_slice());
        let worker = |first: usize| {
            move || {
                let folder = tempfile::tempdir().unwrap();
                let maker = Maker::new(folder.path(), keys, programs, SEED);
                let files = (first..FILES).step_by(workers).map(|number| {
                    let (mut outcome, made) = maker.compare(number);
                    let mut random = Random(SEED ^ number as u64);
                    if let Some(made) = &made
                        && let Err(how) =
                            mutations::change(made, &keys.identities, &mut random, CHANGES)
                    {
                        outcome = Outcome::Different(how);
                    }
                    (outcome, made.map(|made| made.format))
                });
                files.collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..workers).map(|first| scope.spawn(worker(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let different: Vec<&str> = outcomes
        .iter()
        .filter_map(|(outcome, _)| match outcome {
            Outcome::Different(how) => Some(how.as_str()),
            _ => None,
        })
        .collect();
    assert!(different.is_empty(), "{} differ: {}", different.len(), different.join("\n=====\n"));
    let count = |wanted: fn(&Outcome) -> bool| {
        let wanted = outcomes.iter().filter(|(outcome, _)| wanted(outcome));
        wanted.fold(BTreeMap::new(), |mut counts: BTreeMap<String, usize>, (_, format)| {
            *counts.entry(format!("{format:?}")).or_default() += 1;
            counts
        })
    };
    let same = count(|outcome| matches!(outcome, Outcome::Same));
    let refused = count(|outcome| matches!(outcome, Outcome::RefusedByBoth));
    let never = count(|outcome| matches!(outcome, Outcome::NotEncrypted));
    println!("the same: {same:?}; sops cannot read back: {refused:?}; never made: {never:?}");
    for format in Format::ALL {
        let same = same.get(&format!("{:?}", Some(format))).copied().unwrap_or_default();
        assert!(same >= 15, "only {same} files of {format:?} could be compared");
    }
}
