//! Whatever is done to a chain is found, and where.

use proptest::prelude::*;

use super::*;
use crate::domain::checkpoint::Head;
use crate::domain::record::{Event, Outcome, Record};

/// A chain of so many entries.
pub(in crate::domain::chain) fn chain(replica: &str, entries: u64) -> Vec<String> {
    let mut end = Link::start();
    (1..=entries)
        .map(|number| {
            let time = jiff::Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
            let mut record = Record::new(time, Event::Read, Outcome::Granted);
            record.request_id = Some(format!("request-{number}"));
            let (line, next) = end.join(replica, record);
            end = next;
            line
        })
        .collect()
}

/// A checkpoint of a line, as if its signature held.
pub(in crate::domain::chain) fn checkpoint(line: &str) -> Checkpoint {
    let entry: Entry = serde_json::from_str(line).unwrap();
    let head = Head {
        replica: entry.replica,
        sequence: entry.sequence,
        hash: line_hash(line),
        time: jiff::Timestamp::UNIX_EPOCH,
    };
    Checkpoint { head, public_key: String::new(), signature: String::new() }
}

fn verify(lines: &[String], checkpoints: &[Checkpoint]) -> Report {
    verify_files(&[(false, lines)], checkpoints)
}

/// Files, each with whether it is retired.
fn verify_files(files: &[(bool, &[String])], checkpoints: &[Checkpoint]) -> Report {
    let mut verifier = Verifier::new(checkpoints.iter().cloned());
    for (name, (retired, lines)) in (1..).zip(files) {
        verifier.begin_file(*retired);
        for (number, line) in (1..).zip(*lines) {
            verifier.line(&Place { file: format!("f{name}"), line: number }, line);
        }
    }
    verifier.finish()
}

/// Each finding as `FAULT LINE SEQUENCE`.
pub(in crate::domain::chain) fn told(report: &Report) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let finding = |finding: &Finding| {
        let line = finding.place.as_ref().map(|place| place.line);
        format!("{:?} {} {}", finding.fault, number(line), number(finding.sequence))
    };
    report.findings.iter().map(finding).collect()
}

#[test]
fn a_whole_chain_is_whole() {
    let lines = chain("r", 10);
    let report = verify(&lines, &[checkpoint(&lines[4]), checkpoint(&lines[9])]);
    assert_eq!(told(&report), [""; 0]);
    let found = &report.chains[0];
    assert_eq!((found.first, found.last, found.signed_through), (1, 10, Some(10)));
}

#[test]
fn each_kind_of_tampering_is_found_where_it_was_done() {
    type Tamper = fn(&mut Vec<String>);
    let cases: [(Tamper, &[&str]); 8] = [
        (|lines| lines[4] = lines[4].replace("granted", "refused"), &["Changed 5 5"]),
        (|lines| lines[0] = lines[0].replace("granted", "refused"), &["Changed 1 1"]),
        (|lines| drop(lines.remove(4)), &["Missing 5 6"]),
        (|lines| drop(lines.drain(2..6)), &["Missing 3 7"]),
        (|lines| lines.swap(4, 5), &["Missing 5 6", "OutOfPlace 6 5"]),
        (|lines| lines.insert(6, lines[2].clone()), &["OutOfPlace 7 3"]),
        (|lines| lines[4] = "{}".to_owned(), &["NotAnEntry 5 -", "Missing 6 6"]),
        (|lines| drop(lines.remove(0)), &["BeginningRemoved - 1"]),
    ];
    for (tamper, expected) in cases {
        let mut lines = chain("r", 10);
        let checkpoints = [checkpoint(&lines[9])];
        tamper(&mut lines);
        assert_eq!(told(&verify(&lines, &checkpoints)), expected);
    }
}

#[test]
fn what_is_missing_is_told_by_its_numbers() {
    let what = |from: usize, to: usize| {
        let mut lines = chain("r", 10);
        lines.drain(from..to);
        verify(&lines, &[]).findings[0].what.clone()
    };
    assert_eq!(what(4, 5), "entry 5 is missing before it");
    assert_eq!(what(2, 6), "the entries 3 to 6 are missing before it");
}

#[test]
fn a_tail_removed_before_a_checkpoint_is_found_and_one_after_it_is_not() {
    let lines = chain("r", 10);
    let at_8 = [checkpoint(&lines[7])];
    let report = verify(&lines[..7], &at_8);
    assert_eq!(told(&report), ["EndRemoved 7 8"]);
    let what = "the entries 8 to 8 were removed from the end: 8 was signed at 1970-01-01T00:00:00Z";
    assert_eq!(report.findings[0].what, what);
    assert_eq!(told(&verify(&lines[..8], &at_8)), [""; 0]);
    assert_eq!(told(&verify(&[], &at_8)), ["EndRemoved - 1"]);
}

#[test]
fn a_chain_reaches_its_last_entry_and_none_that_is_not_there() {
    let mut verifier = Verifier::new([]);
    for (number, line) in (1..).zip(chain("r", 3)) {
        verifier.line(&Place { file: "f".to_owned(), line: number }, &line);
    }
    assert!(verifier.reaches("r", 2) && verifier.reaches("r", 3));
    assert!(!verifier.reaches("r", 4) && !verifier.reaches("other", 1));
}

#[test]
fn so_many_findings_are_told_and_the_rest_is_counted() {
    let lines = vec!["no entry".to_owned(); 1003];
    let report = verify(&lines, &[]);
    assert_eq!((report.findings.len(), report.more_findings), (1000, 3));
    assert_eq!(report.findings[0].fault.to_string(), "not-an-entry");
}

#[test]
fn a_chain_that_was_made_anew_is_not_the_one_that_was_signed() {
    let lines = chain("r", 10);
    let mut end = Link::after(&lines[2]).unwrap();
    let mut forged = lines[..3].to_vec();
    for line in &lines[3..] {
        let mut entry: Entry = serde_json::from_str(line).unwrap();
        entry.record.outcome = Outcome::Refused;
        let (line, next) = end.join("r", entry.record);
        forged.push(line);
        end = next;
    }
    assert_eq!(told(&verify(&forged, &[])), [""; 0]);
    let checkpoints = [checkpoint(&lines[1]), checkpoint(&lines[6])];
    assert_eq!(told(&verify(&forged, &checkpoints)), ["NotAsSigned 7 7"]);
}

#[test]
fn several_chains_are_verified_side_by_side() {
    let (a, b) = (chain("a", 5), chain("b", 7));
    let mut mixed: Vec<String> =
        a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    mixed.extend_from_slice(&b[5..]);
    let report = verify(&mixed, &[checkpoint(&a[4]), checkpoint(&b[6])]);
    assert_eq!(told(&report), [""; 0]);
    let lasts: Vec<_> = report.chains.iter().map(|chain| chain.last).collect();
    assert_eq!(lasts, [5, 7]);
    mixed.remove(4);
    assert_eq!(told(&verify(&mixed, &[])), ["Missing 6 4"]);
}

#[test]
fn a_chain_goes_on_under_another_name_and_that_is_told() {
    let lines = chain("a", 5);
    let end = Link::after(&lines[4]).unwrap();
    let record = Record::new(jiff::Timestamp::UNIX_EPOCH, Event::Read, Outcome::Granted);
    let more = vec![end.join("b", record).0];
    let report = verify(&[lines, more].concat(), &[]);
    assert_eq!(told(&report), [""; 0]);
    assert!(report.notes[0].contains("goes on as that of b"), "{report:?}");
}

/// A chain of which `names` wrote so many entries, one after the other.
pub(in crate::domain::chain) fn renamed(names: &[(&str, u64)]) -> Vec<String> {
    let (mut end, mut lines) = (Link::start(), Vec::new());
    for (name, entries) in names {
        for _ in 0..*entries {
            let record = Record::new(jiff::Timestamp::UNIX_EPOCH, Event::Read, Outcome::Granted);
            let (line, next) = end.join(name, record);
            lines.push(line);
            end = next;
        }
    }
    lines
}

#[test]
fn a_name_may_come_back_and_each_name_is_signed() {
    let lines = renamed(&[("a", 5), ("b", 3), ("a", 2), ("c", 1)]);
    let signed = [4, 7, 9, 10].map(|at| checkpoint(&lines[at]));
    let report = verify(&lines, &signed);
    assert_eq!(told(&report), [""; 0]);
    let found: Vec<_> = report.chains.iter().map(|chain| (chain.first, chain.last)).collect();
    assert_eq!(found, [(1, 10), (6, 8), (11, 11)]);
    assert_eq!(told(&verify(&lines[..7], &signed[..2])), ["EndRemoved 7 8"]);
    let mut cut = lines.clone();
    cut.remove(8);
    assert_eq!(told(&verify(&cut, &signed)), ["Missing 9 10"]);
}

#[test]
fn a_retired_file_may_end_in_lines_that_nothing_goes_on_from() {
    let lines = chain("r", 6);
    let mut end = Link::after(&lines[3]).unwrap();
    let mut anew = Vec::new();
    for number in 0..3 {
        let time = jiff::Timestamp::from_second(100 + number).unwrap();
        let (line, next) = end.join("r", Record::new(time, Event::Read, Outcome::Granted));
        anew.push(line);
        end = next;
    }
    let signed = [checkpoint(&lines[3]), checkpoint(&anew[2])];
    let report = verify_files(&[(true, &lines), (false, &anew)], &signed);
    assert_eq!(told(&report), [""; 0]);
    assert!(report.notes[0].contains("entries 5 to 6 of r"), "{report:?}");
    // The entry from which it goes on is known.
    let twice = [anew.clone(), vec![lines[3].clone()]].concat();
    let report = verify_files(&[(true, &lines), (false, &twice)], &[]);
    assert_eq!(told(&report), ["OutOfPlace 4 4"]);
    assert_eq!(report.findings[0].what, "the entry is there twice");
    // What was signed was no doubt.
    let signed = [checkpoint(&lines[5])];
    let report = verify_files(&[(true, &lines), (false, &anew)], &signed);
    assert_eq!(told(&report), ["NotAsSigned 2 6"]);
    // No other file may go back.
    let report = verify_files(&[(false, &lines), (false, &anew)], &[]);
    assert!(!report.is_whole());
}

#[test]
fn a_retired_file_may_be_damaged_where_nothing_goes_on_from_it_alone() {
    let lines = chain("r", 6);
    let mut damaged = lines[..4].to_vec();
    damaged.push("\0\0\0".to_owned());
    let report = verify_files(&[(true, &damaged), (false, &lines[4..])], &[]);
    assert_eq!(told(&report), [""; 0]);
    assert!(report.notes[0].starts_with("f1:5: damaged"), "{report:?}");
    let report = verify_files(&[(true, &damaged), (false, &lines[5..])], &[]);
    assert_eq!(told(&report), ["Missing 1 6"]);
    assert_eq!(told(&verify_files(&[(true, &damaged)], &[])), ["NotAnEntry 5 -"]);
}

/// What somebody who can write the file does to it.
#[derive(Debug, Clone)]
enum Tampering {
    Flip { byte: usize, with: u8 },
    Cut { count: usize },
    Move { to: usize },
    Double { to: usize },
    CutTail,
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (any::<usize>(), 1..=127u8).prop_map(|(byte, with)| Tampering::Flip { byte, with }),
        (1..5usize).prop_map(|count| Tampering::Cut { count }),
        any::<usize>().prop_map(|to| Tampering::Move { to }),
        any::<usize>().prop_map(|to| Tampering::Double { to }),
        Just(Tampering::CutTail),
    ]
}

proptest! {
    #[test]
    fn whatever_is_done_up_to_the_last_checkpoint_is_found_near_its_place(
        entries in 2..40usize,
        at in any::<usize>(),
        tampering in tampering(),
    ) {
        let lines = chain("r", entries as u64);
        let checkpoints = [checkpoint(&lines[entries / 2]), checkpoint(&lines[entries - 1])];
        let at = at % entries;
        let mut tampered = lines.clone();
        let first = match tampering {
            Tampering::Flip { byte, with } => {
                let mut bytes = tampered[at].clone().into_bytes();
                let byte = byte % bytes.len();
                bytes[byte] ^= with;
                tampered[at] = String::from_utf8_lossy(&bytes).into_owned();
                at
            }
            Tampering::Cut { count } => {
                tampered.drain(at..(at + count).min(entries));
                at
            }
            Tampering::Move { to } => {
                let line = tampered.remove(at);
                let to = to % entries;
                tampered.insert(to, line);
                at.min(to)
            }
            Tampering::Double { to } => {
                let to = to % (entries + 1);
                tampered.insert(to, tampered[at].clone());
                to
            }
            Tampering::CutTail => {
                tampered.truncate(at);
                at
            }
        };
        prop_assume!(tampered != lines);
        let report = verify(&tampered, &checkpoints);
        prop_assert!(!report.is_whole(), "{:?} at {} was not found", tampering, at);
        // The beginning and another replica's chain are known at the end alone, without a line.
        let place = report.findings.iter().find_map(|finding| finding.place.as_ref());
        if let Some(place) = place {
            let seen = usize::try_from(place.line).unwrap();
            prop_assert!(
                seen >= first.saturating_sub(1) && seen <= first + 2 || first <= 1 || at == 0,
                "{:?} at line {} was told of at {}: {:?}", tampering, first + 1, seen, report.findings
            );
        }
    }
}
