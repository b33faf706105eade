//! Takes the lines of chains, and finds what is wrong.

use std::collections::{BTreeMap, VecDeque};

use super::removed::{Belief, Known, Removed, known};
use super::report::{ChainFound, Fault, Finding, Place, Report};
use crate::domain::checkpoint::{Checkpoint, Head, Removal};
use crate::domain::record::{Entry, Link, line_hash};

/// How many of a chain's last entries are known again, where a file that was retired after a
/// failed write ends in lines that nothing goes on from. A batch has at most half as many.
const RECENT: usize = 2048;

/// The chain of one replica, so far.
pub(super) struct Chain {
    /// What its first entry goes on from.
    before: Link,
    /// The chain of another name that it goes on from, so that it has no beginning of its own.
    pub(super) goes_on_from: Option<String>,
    head: Link,
    place: Place,
    recent: VecDeque<Link>,
    pub(super) removed: Removed,
    signed_through: Option<u64>,
}

/// Takes lines in their order, file by file, and reports.
pub struct Verifier {
    /// Those of each replica by sequence. There is more than one of a sequence where a chain was
    /// cut and went on.
    checkpoints: BTreeMap<String, BTreeMap<u64, Vec<Checkpoint>>>,
    chains: BTreeMap<String, Chain>,
    belief: Belief,
    /// Whether the file before is retired: the next one may go on from before its end.
    after_retired: bool,
    in_retired: bool,
    /// Whether the retired file is damaged, so that the rest of it says nothing.
    damaged: bool,
    /// What is wrong in retired files; nothing, once a chain goes on from before it.
    doubtful: Vec<Finding>,
    report: Report,
}

impl Verifier {
    /// A verifier that knows these checkpoints, whose signatures hold. It believes of no entry that
    /// it was removed on purpose.
    pub fn new(checkpoints: impl IntoIterator<Item = Checkpoint>) -> Self {
        let mut known: BTreeMap<String, BTreeMap<u64, Vec<Checkpoint>>> = BTreeMap::new();
        for checkpoint in checkpoints {
            let of_replica = known.entry(checkpoint.head.replica.clone()).or_default();
            of_replica.entry(checkpoint.head.sequence).or_default().push(checkpoint);
        }
        Self {
            checkpoints: known,
            chains: BTreeMap::new(),
            belief: Belief { proves: Box::new(|_| false), takes_word: false },
            after_retired: false,
            in_retired: false,
            damaged: false,
            doubtful: Vec::new(),
            report: Report::default(),
        }
    }

    /// Believes that entries were removed on purpose where this says that the signature holds, and
    /// is of a key that is known.
    #[must_use]
    pub fn believing(mut self, proves: impl Fn(&Removal) -> bool + 'static) -> Self {
        self.belief.proves = Box::new(proves);
        self
    }

    /// Believes it of any entry that says so.
    #[must_use]
    pub fn taking_removals_on_their_word(mut self) -> Self {
        self.belief.takes_word = true;
        self
    }

    /// Begins the next file. One that was retired after a failed write may end in lines that nobody
    /// was answered on.
    pub fn begin_file(&mut self, retired: bool) {
        self.after_retired |= self.in_retired;
        self.in_retired = retired;
        self.damaged = false;
    }

    /// Takes the next line, without its newline.
    pub fn line(&mut self, place: &Place, text: &str) {
        if self.damaged {
            return;
        }
        let Ok(entry) = serde_json::from_str::<Entry>(text) else {
            let what = "the line is no entry of the audit".to_owned();
            let place = Some(place.clone());
            let fault = Fault::NotAnEntry;
            self.find(Finding { fault, place, replica: None, sequence: None, what });
            return;
        };
        let link = Link::at(entry.sequence, line_hash(text));
        self.begin_chain(place, &entry);
        self.go_back(&entry);
        self.join(place, &entry, link);
        self.settle_doubts();
    }

    /// Whether a replica's chain was seen up to this sequence.
    pub fn reaches(&self, replica: &str, sequence: u64) -> bool {
        self.chains.get(replica).is_some_and(|chain| chain.head.sequence() >= sequence)
    }

    /// What was found, once all lines were taken.
    pub fn finish(mut self) -> Report {
        for finding in std::mem::take(&mut self.doubtful) {
            self.report.find(finding);
        }
        self.compare_ends();
        let chains = std::mem::take(&mut self.chains);
        for (replica, chain) in &chains {
            self.report.chains.push(ChainFound {
                replica: replica.clone(),
                first: chain.before.sequence() + 1,
                last: chain.head.sequence(),
                signed_through: chain.signed_through,
            });
            if chain.before.sequence() == 0 || chain.goes_on_from.is_some() {
                continue;
            }
            let begins =
                format!("the chain of {replica} begins with entry {}", chain.before.sequence() + 1);
            let known = known(&chains, replica, &chain.before);
            let fault = match self.judge(known, &format!("{begins}: those before were removed")) {
                Ok(()) => continue,
                Err(fault) => fault,
            };
            let why = match fault {
                Fault::BeginningUnproved => {
                    "an entry says that those before were removed, and no signature of a known key \
                     proves it"
                }
                _ => "no entry says that those before were to go",
            };
            self.report.find(Finding {
                fault,
                place: None,
                replica: Some(replica.clone()),
                sequence: Some(chain.before.sequence()),
                what: format!("{begins}, and {why}"),
            });
        }
        self.report
    }

    /// Notes what is believed to have been removed on purpose; gives the fault where it is not.
    fn judge(&mut self, known: Known, told: &str) -> Result<(), Fault> {
        let why = match known {
            Known::Proved => "as the vault signed",
            Known::Said if self.belief.takes_word => "as an entry of it says, which nothing proves",
            Known::Said => return Err(Fault::BeginningUnproved),
            Known::Unsaid => return Err(Fault::BeginningRemoved),
        };
        self.report.notes.push(format!("{told}, {why}"));
        Ok(())
    }

    /// Finds chains that end before what was signed of them.
    fn compare_ends(&mut self) {
        for (replica, of_replica) in std::mem::take(&mut self.checkpoints) {
            let chain = self.chains.get(&replica);
            let last = chain.map_or(0, |chain| chain.head.sequence());
            let Some((sequence, signed)) = of_replica.last_key_value() else { continue };
            if *sequence <= last {
                continue;
            }
            let place = chain.map(|chain| chain.place.clone());
            let mut fault = Fault::EndRemoved;
            if chain.is_none()
                && let Some((name, known)) = self.gone_before(&signed[0].head)
            {
                let told = format!(
                    "the chain of {replica}, signed through {sequence}, is not there: it may be \
                     what was removed before that of {name}"
                );
                match self.judge(known, &told) {
                    Ok(()) => continue,
                    Err(unproved) => fault = unproved,
                }
            }
            let time = signed[0].head.time;
            let what = if fault == Fault::EndRemoved {
                let first = last + 1;
                format!(
                    "the entries {first} to {sequence} were removed from the end: {sequence} was \
                     signed at {time}"
                )
            } else {
                format!(
                    "the chain was signed through {sequence} at {time} and is not there: an entry \
                     of another says that it was removed, and no signature of a known key proves it"
                )
            };
            let sequence = Some(last + 1);
            self.report.find(Finding { fault, place, replica: Some(replica), sequence, what });
        }
    }

    /// The chain before which a signed entry may have gone, and how well that is known.
    fn gone_before(&self, signed: &Head) -> Option<(String, Known)> {
        let link = Link::at(signed.sequence, signed.hash.clone());
        let begins_later = |chain: &Chain| {
            chain.goes_on_from.is_none() && chain.before.sequence() >= signed.sequence
        };
        let later = self.chains.iter().filter(|(_, chain)| begins_later(chain));
        let known = later.map(|(name, _)| (name.clone(), known(&self.chains, name, &link)));
        known.filter(|(_, known)| *known > Known::Unsaid).max_by_key(|(_, known)| *known)
    }

    fn find(&mut self, finding: Finding) {
        if self.in_retired {
            self.damaged = true;
            self.doubtful.push(finding);
        } else {
            self.report.find(finding);
        }
    }

    /// The first entry of a replica begins its chain: where it begins is told at the end. A vault
    /// that is called otherwise from some moment on goes on with the chain that it finds, also
    /// where it is called again as it was before.
    fn begin_chain(&mut self, place: &Place, entry: &Entry) {
        let own = self.chains.get(&entry.replica);
        if own.is_some_and(|chain| chain.head.is_before(entry)) {
            return;
        }
        let mut others = self.chains.iter().filter(|(name, _)| **name != entry.replica);
        let other = others.find(|(_, chain)| chain.head.is_before(entry));
        let other = other.map(|(name, chain)| (name.clone(), chain.head.clone()));
        if let Some((name, _)) = &other {
            let note = format!("the chain of {name} goes on as that of {}", entry.replica);
            self.report.notes.push(note);
        }
        if let Some(chain) = self.chains.get_mut(&entry.replica) {
            if let Some((_, head)) = other {
                chain.recent.push_back(head.clone());
                chain.head = head;
            }
            return;
        }
        let head = match entry.sequence {
            0 | 1 => Link::start(),
            sequence => Link::at(sequence - 1, entry.previous.clone()),
        };
        let chain = Chain {
            before: head.clone(),
            goes_on_from: other.map(|(name, _)| name),
            recent: VecDeque::from([head.clone()]),
            head,
            place: place.clone(),
            removed: Removed::default(),
            signed_through: None,
        };
        self.chains.insert(entry.replica.clone(), chain);
    }

    /// Goes on from an earlier entry, where the file before is retired.
    fn go_back(&mut self, entry: &Entry) {
        let chain = self.chains.get_mut(&entry.replica).expect("`begin_chain` has put it there");
        if !std::mem::take(&mut self.after_retired) || chain.head.is_before(entry) {
            return;
        }
        let Some(at) = chain.recent.iter().position(|link| link.is_before(entry)) else { return };
        let note = format!(
            "the entries {} to {} of {}, before {}, were in doubt after a failed write: nobody \
             was answered on them",
            entry.sequence,
            chain.head.sequence(),
            entry.replica,
            chain.place,
        );
        self.report.notes.push(note);
        chain.head = chain.recent[at].clone();
        chain.recent.truncate(at + 1);
    }

    fn join(&mut self, place: &Place, entry: &Entry, link: Link) {
        let chain = self.chains.get_mut(&entry.replica).expect("`begin_chain` has put it there");
        let finding = |fault, place: &Place, sequence, what| Finding {
            fault,
            place: Some(place.clone()),
            replica: Some(entry.replica.clone()),
            sequence: Some(sequence),
            what,
        };
        let expected = chain.head.sequence() + 1;
        let mut link = link;
        let mut found = None;
        if entry.sequence == expected && entry.previous != chain.head.hash() {
            let what = "its hash is not the one that the next entry names: it was changed, or the \
                        next one was";
            let (at, sequence) =
                if expected == 1 { (place, 1) } else { (&chain.place, expected - 1) };
            found = Some(finding(Fault::Changed, at, sequence, what.to_owned()));
        } else if entry.sequence != expected && entry.previous == chain.head.hash() {
            let what = format!("its sequence was changed: {expected} belongs here");
            found = Some(finding(Fault::Changed, place, entry.sequence, what));
            link = Link::at(expected, link.hash().to_owned());
        } else if entry.sequence > expected {
            let what = match entry.sequence - 1 {
                last if last == expected => format!("entry {last} is missing before it"),
                last => format!("the entries {expected} to {last} are missing before it"),
            };
            found = Some(finding(Fault::Missing, place, entry.sequence, what));
        } else if entry.sequence < expected {
            let what = if chain.recent.contains(&link) {
                "the entry is there twice"
            } else {
                "it was inserted here, or moved from another place"
            };
            let finding = finding(Fault::OutOfPlace, place, entry.sequence, what.to_owned());
            return self.find(finding);
        }
        let signed =
            self.checkpoints.get(&entry.replica).and_then(|known| known.get(&link.sequence()));
        let mut not_as_signed = None;
        for checkpoint in signed.into_iter().flatten() {
            if checkpoint.head.hash == link.hash() {
                chain.signed_through = Some(link.sequence());
            } else {
                let what = format!(
                    "it is not the entry that was signed at {}: it, or one before it, was changed",
                    checkpoint.head.time
                );
                not_as_signed = Some(finding(Fault::NotAsSigned, place, link.sequence(), what));
            }
        }
        if found.is_none() {
            chain.removed.take(entry, &self.belief);
        }
        if chain.recent.len() >= RECENT {
            chain.recent.pop_front();
        }
        chain.recent.push_back(link.clone());
        chain.head = link;
        chain.place = place.clone();
        for finding in found.into_iter().chain(not_as_signed) {
            self.find(finding);
        }
    }

    /// Once a line outside of a retired file was taken, it is known what became of the doubts:
    /// where it did not join, that was found, and says where the damage matters.
    fn settle_doubts(&mut self) {
        if self.in_retired {
            return;
        }
        for finding in std::mem::take(&mut self.doubtful) {
            let place = finding.place.map(|place| place.to_string()).unwrap_or_default();
            let note = format!(
                "{place}: damaged from here on by a failed write, after which it was retired"
            );
            self.report.notes.push(note);
        }
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
pub(super) mod tests;
