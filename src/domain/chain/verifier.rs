//! Takes the lines of chains, and finds what is wrong.

use std::collections::{BTreeMap, VecDeque};

use super::report::{ChainFound, Fault, Finding, Place, Report};
use crate::domain::checkpoint::Checkpoint;
use crate::domain::record::{Entry, Link, line_hash};

/// How many of a chain's last entries are known again, where a file that was retired after a
/// failed write ends in lines that nothing goes on from. A batch has at most half as many.
const RECENT: usize = 2048;

/// The chain of one replica, so far.
struct Chain {
    first: u64,
    /// The chain of another name that it goes on from, so that it has no beginning of its own.
    goes_on_from: Option<String>,
    head: Link,
    place: Place,
    recent: VecDeque<Link>,
    removed_through: u64,
    signed_through: Option<u64>,
}

/// Takes lines in their order, file by file, and reports.
pub struct Verifier {
    /// Those of each replica by sequence. There is more than one of a sequence where a chain was
    /// cut and went on.
    checkpoints: BTreeMap<String, BTreeMap<u64, Vec<Checkpoint>>>,
    chains: BTreeMap<String, Chain>,
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
    /// A verifier that knows these checkpoints, whose signatures hold.
    pub fn new(checkpoints: impl IntoIterator<Item = Checkpoint>) -> Self {
        let mut known: BTreeMap<String, BTreeMap<u64, Vec<Checkpoint>>> = BTreeMap::new();
        for checkpoint in checkpoints {
            let of_replica = known.entry(checkpoint.head.replica.clone()).or_default();
            of_replica.entry(checkpoint.head.sequence).or_default().push(checkpoint);
        }
        Self {
            checkpoints: known,
            chains: BTreeMap::new(),
            after_retired: false,
            in_retired: false,
            damaged: false,
            doubtful: Vec::new(),
            report: Report::default(),
        }
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
                first: chain.first,
                last: chain.head.sequence(),
                signed_through: chain.signed_through,
            });
            if chain.first == 1 || chain.goes_on_from.is_some() {
                continue;
            }
            let before = chain.first - 1;
            let told = format!("the chain of {replica} begins with entry {}", chain.first);
            if removed_through(&chains, replica) >= before {
                let note = format!("{told}: those before were removed, as an entry of it says");
                self.report.notes.push(note);
            } else {
                self.report.find(Finding {
                    fault: Fault::BeginningRemoved,
                    place: None,
                    replica: Some(replica.clone()),
                    sequence: Some(before),
                    what: format!("{told}, and no entry says that those before were to go"),
                });
            }
        }
        self.report
    }

    /// Finds chains that end before what was signed of them.
    fn compare_ends(&mut self) {
        for (replica, of_replica) in &self.checkpoints {
            let chain = self.chains.get(replica);
            let last = chain.map_or(0, |chain| chain.head.sequence());
            let Some((sequence, signed)) = of_replica.last_key_value() else { continue };
            if *sequence <= last {
                continue;
            }
            let successor = self.chains.iter().find(|(name, chain)| {
                chain.goes_on_from.is_none()
                    && chain.first > *sequence
                    && removed_through(&self.chains, name) >= *sequence
            });
            if let (None, Some((name, _))) = (chain, successor) {
                self.report.notes.push(format!(
                    "the chain of {replica}, signed through {sequence}, is not there: it may be \
                     what was removed before that of {name}, as an entry of it says"
                ));
                continue;
            }
            let time = signed[0].head.time;
            self.report.find(Finding {
                fault: Fault::EndRemoved,
                place: chain.map(|chain| chain.place.clone()),
                replica: Some(replica.clone()),
                sequence: Some(last + 1),
                what: format!(
                    "the entries {} to {sequence} were removed from the end: {sequence} was \
                     signed at {time}",
                    last + 1
                ),
            });
        }
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
            first: entry.sequence.max(1),
            goes_on_from: other.map(|(name, _)| name),
            recent: VecDeque::from([head.clone()]),
            head,
            place: place.clone(),
            removed_through: 0,
            signed_through: None,
        };
        self.chains.insert(entry.replica.clone(), chain);
    }

    /// Goes on from an earlier entry, where the file before is retired.
    fn go_back(&mut self, entry: &Entry) {
        let chain = self.chains.get_mut(&entry.replica).expect("it was begun");
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
        let chain = self.chains.get_mut(&entry.replica).expect("it was begun");
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
        if let Some(through) = entry.record.removed_through.filter(|_| found.is_none()) {
            chain.removed_through = chain.removed_through.max(through);
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

/// The last sequence that was removed before a chain, as entries of it say, or of those that go on
/// from it.
fn removed_through(chains: &BTreeMap<String, Chain>, replica: &str) -> u64 {
    let goes_on_from = |chain: &Chain| chain.goes_on_from.as_deref() == Some(replica);
    let later = chains.iter().filter(|(_, chain)| goes_on_from(chain));
    let later = later.map(|(name, _)| removed_through(chains, name));
    let own = chains.get(replica).map_or(0, |chain| chain.removed_through);
    later.fold(own, u64::max)
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
