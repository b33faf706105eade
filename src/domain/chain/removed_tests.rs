//! Whose word is taken for a chain's beginning, and whose is not.

use super::*;
use crate::domain::chain::verifier::tests::{chain, checkpoint, renamed, told};
use crate::domain::chain::{Place, Report, Verifier};
use crate::domain::checkpoint::{Checkpoint, Head};
use crate::domain::record::{Event, Outcome, Record, line_hash};

/// A removal of the entries up to this line, with a signature that is taken for `good` or not.
fn removal(replica: &str, last: &str, signature: &str) -> Record {
    let entry: Entry = serde_json::from_str(last).unwrap();
    let time = jiff::Timestamp::UNIX_EPOCH;
    let (replica, sequence, hash) = (replica.to_owned(), entry.sequence, line_hash(last));
    let head = Head { replica, sequence, hash, time };
    let mut record = Record::new(time, Event::Remove, Outcome::Granted);
    record.removed_through = Some(sequence);
    let (public_key, signature) = (String::new(), signature.to_owned());
    record.removal = Some(Removal { head, public_key, signature });
    record
}

/// The chain from this line on, with a record at its end.
fn cut(lines: &[String], from: usize, replica: &str, record: Record) -> Vec<String> {
    let end = Link::after(lines.last().unwrap()).unwrap();
    let mut kept = lines[from..].to_vec();
    kept.push(end.join(replica, record).0);
    kept
}

fn take(mut verifier: Verifier, lines: &[String]) -> Report {
    for (number, line) in (1..).zip(lines) {
        verifier.line(&Place { file: "f".to_owned(), line: number }, line);
    }
    verifier.finish()
}

fn believing(lines: &[String], checkpoints: &[Checkpoint]) -> Report {
    let verifier = Verifier::new(checkpoints.iter().cloned());
    take(verifier.believing(|removal| removal.signature == "good"), lines)
}

#[test]
fn a_beginning_is_believed_to_be_removed_where_the_vault_signed_it() {
    let lines = chain("r", 10);
    // A crash may come between the entry and the end of what it tells.
    for from in [0, 3, 4] {
        let kept = cut(&lines, from, "r", removal("r", &lines[3], "good"));
        let report = believing(&kept, &[]);
        assert_eq!(told(&report), [""; 0], "{from}");
        let noted = report.notes.iter().any(|note| note.ends_with("as the vault signed"));
        assert_eq!(noted, from > 0, "{report:?}");
    }
    let kept = cut(&lines, 5, "r", removal("r", &lines[3], "good"));
    let report = believing(&kept, &[]);
    assert_eq!(told(&report), ["BeginningRemoved - 5"]);
    let what = "the chain of r begins with entry 6, and no entry says that those before were to go";
    assert_eq!(report.findings[0].what, what);
}

#[test]
fn an_entry_that_nobody_signed_excuses_no_beginning() {
    let lines = chain("r", 10);
    let signed = [checkpoint(&lines[1]), checkpoint(&lines[9])];
    let forged = removal("r", &lines[3], "bad");
    let of_another = removal("another", &lines[3], "good");
    let of_other_entries = removal("r", &chain("r2", 10)[3], "good");
    let mut bare = forged.clone();
    bare.removal = None;
    for record in [forged, of_another, of_other_entries, bare] {
        let kept = cut(&lines, 4, "r", record);
        let report = believing(&kept, &signed);
        assert_eq!(told(&report), ["BeginningUnproved - 4"], "{kept:?}");
        let what = "the chain of r begins with entry 5, and an entry says that those before were \
                    removed, and no signature of a known key proves it";
        assert_eq!(report.findings[0].what, what);
        assert_eq!(told(&take(Verifier::new([]), &kept)), ["BeginningUnproved - 4"]);
        let on_its_word = Verifier::new(signed.clone()).taking_removals_on_their_word();
        let report = take(on_its_word, &kept);
        assert_eq!(told(&report), [""; 0]);
        assert!(report.notes.iter().any(|note| note.ends_with("which nothing proves")));
    }
    let further = cut(&lines, 5, "r", removal("r", &lines[3], "good"));
    let on_its_word = Verifier::new([]).taking_removals_on_their_word();
    assert_eq!(told(&take(on_its_word, &further)), ["BeginningRemoved - 5"]);
}

#[test]
fn a_signed_removal_that_is_out_of_its_place_says_nothing() {
    let lines = chain("r", 10);
    let mut kept = cut(&lines, 4, "r", removal("r", &lines[3], "good"));
    kept.remove(3);
    kept.remove(4);
    assert!(told(&believing(&kept, &[])).iter().any(|told| told.starts_with("BeginningRemoved")));
}

#[test]
fn the_signed_removal_that_went_furthest_counts() {
    let lines = chain("r", 10);
    for (first, second) in [(3, 5), (5, 3)] {
        let mut kept = cut(&lines, 6, "r", removal("r", &lines[first], "good"));
        let end = Link::after(kept.last().unwrap()).unwrap();
        kept.push(end.join("r", removal("r", &lines[second], "good")).0);
        // What is only said does not take away what is proved.
        let end = Link::after(kept.last().unwrap()).unwrap();
        kept.push(end.join("r", removal("r", &lines[8], "bad")).0);
        assert_eq!(told(&believing(&kept, &[])), [""; 0], "{first} {second}");
    }
}

#[test]
fn of_two_signed_removals_up_to_one_place_the_first_counts() {
    let lines = chain("r", 10);
    let kept = cut(&lines, 4, "r", removal("r", &lines[3], "good"));
    let kept = cut(&kept, 0, "r", removal("r", &renamed(&[("r", 4)])[3], "good"));
    assert_eq!(told(&believing(&kept, &[])), [""; 0]);
}

#[test]
fn what_was_removed_of_former_names_is_told_by_the_entry_of_the_name_of_now() {
    let lines = renamed(&[("a", 5), ("b", 3)]);
    let signed = [checkpoint(&lines[4]), checkpoint(&lines[7])];
    // One that leaves some of the former name, all that is signed of it, and none.
    for through in [3, 5, 6] {
        assert!(!believing(&lines[through..], &signed).is_whole(), "nothing says so");
        let record = removal("b", &lines[through - 1], "good");
        let kept = cut(&lines, through, "b", record);
        let report = believing(&kept, &signed);
        assert_eq!(told(&report), [""; 0], "{through}");
        assert!(report.notes.iter().any(|note| note.ends_with("as the vault signed")));

        let forged = cut(&lines, through, "b", removal("b", &lines[through - 1], "bad"));
        let report = believing(&forged, &signed);
        let unproved = |told: &String| told.starts_with("BeginningUnproved");
        assert!(told(&report).iter().all(unproved) && !report.is_whole(), "{report:?}");
        let on_its_word = Verifier::new(signed.clone()).taking_removals_on_their_word();
        assert!(take(on_its_word, &forged).is_whole());
    }
}

#[test]
fn a_chain_that_is_gone_was_removed_before_the_one_that_was_removed_further() {
    let (gone, other) = (chain("gone", 5), chain("other", 9));
    let kept = cut(&other, 7, "other", removal("other", &other[6], "good"));
    // It may have gone with those before; had it gone on further, it may not.
    assert_eq!(told(&believing(&kept, &[checkpoint(&gone[4])])), [""; 0]);
    let longer = chain("gone", 8);
    assert_eq!(told(&believing(&kept, &[checkpoint(&longer[7])])), ["EndRemoved - 1"]);
    // At the very place it has to be the very entry.
    let as_long = chain("gone", 7);
    let report = believing(&kept, &[checkpoint(&as_long[6])]);
    assert_eq!(told(&report), ["BeginningUnproved - 1"]);
    assert!(
        report.findings[0].what.starts_with("the chain was signed through 7 at "),
        "{report:?}"
    );
}

#[test]
fn a_chain_that_is_gone_was_not_removed_before_one_that_is_whole_or_of_which_nothing_is_said() {
    let (gone, other) = (chain("gone", 5), chain("other", 9));
    let signed = [checkpoint(&gone[4])];
    let whole = cut(&other, 0, "other", removal("other", &other[6], "good"));
    assert_eq!(told(&believing(&whole, &signed)), ["EndRemoved - 1"]);
    let unsaid = ["EndRemoved - 1", "BeginningRemoved - 7"];
    assert_eq!(told(&believing(&other[7..], &signed)), unsaid);
}
