//! Verifies chains of the audit: what was changed, cut, inserted or moved, and where.
//!
//! What it cannot find: entries removed from the end, after the last checkpoint that it is given.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::record::{Entry, Link, line_hash};

/// How many of a chain's last entries are known again, where a file that was set aside after a
/// failed write ends in lines that nothing goes on from. A batch has at most half as many.
const RECENT: usize = 2048;

/// How many findings are told one by one; more are counted.
const MOST_FINDINGS: usize = 1000;

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, or what the lines come from.
    pub file: Arc<str>,
    /// The line's number in it, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The line is no entry.
    NotAnEntry,
    /// The entry, or what the next one says of it, was changed.
    Changed,
    /// Entries are missing before this one.
    Missing,
    /// The entry was inserted, moved or doubled.
    OutOfPlace,
    /// The entry is another than the one that a checkpoint is of.
    NotAsSigned,
    /// The chain does not begin where it began.
    BeginningRemoved,
    /// The chain ends before a checkpoint.
    EndRemoved,
    /// A checkpoint's signature is wrong, or of another key.
    BadCheckpoint,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub fault: Fault,
    /// Where it is, or was seen.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The replica whose chain it is in.
    pub replica: Option<String>,
    /// The entry's sequence.
    pub sequence: Option<u64>,
    /// It in words.
    pub what: String,
}

/// One replica's chain, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainFound {
    /// The replica.
    pub replica: String,
    /// The sequence of the first entry that is there.
    pub first: u64,
    /// The sequence of the last one.
    pub last: u64,
    /// The sequence of the last entry that a checkpoint is of.
    pub signed_through: Option<u64>,
}

/// What came of verifying.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The chains that were found.
    pub chains: Vec<ChainFound>,
    /// What is wrong, in the order in which it was seen.
    pub findings: Vec<Finding>,
    /// How many findings are not told one by one.
    pub more_findings: u64,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds what is wrong.
    pub fn find(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

/// The chain of one replica, so far.
struct Chain {
    first: u64,
    /// Whether it goes on from a chain of another name, so that it has no beginning of its own.
    goes_on: bool,
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
    /// Whether the file before was set aside in doubt: the next one may go on from before its end.
    after_doubt: bool,
    in_doubt: bool,
    /// Whether the file in doubt is damaged, so that the rest of it says nothing.
    damaged: bool,
    /// What is wrong in files in doubt; nothing, once a chain goes on from before it.
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
            after_doubt: false,
            in_doubt: false,
            damaged: false,
            doubtful: Vec::new(),
            report: Report::default(),
        }
    }

    /// Begins the next file. What was set aside after a failed write may end in lines that nobody
    /// was answered on.
    pub fn begin_file(&mut self, set_aside_in_doubt: bool) {
        self.after_doubt |= self.in_doubt;
        self.in_doubt = set_aside_in_doubt;
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
        for (replica, of_replica) in &self.checkpoints {
            let last = self.chains.get(replica).map_or(0, |chain| chain.head.sequence());
            if let Some((sequence, signed)) =
                of_replica.last_key_value().filter(|(s, _)| **s > last)
            {
                let time = signed[0].head.time;
                self.report.find(Finding {
                    fault: Fault::EndRemoved,
                    place: self.chains.get(replica).map(|chain| chain.place.clone()),
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
        for (replica, chain) in &self.chains {
            self.report.chains.push(ChainFound {
                replica: replica.clone(),
                first: chain.first,
                last: chain.head.sequence(),
                signed_through: chain.signed_through,
            });
            if chain.first == 1 || chain.goes_on {
                continue;
            }
            let before = chain.first - 1;
            let told = format!("the chain of {replica} begins with entry {}", chain.first);
            if chain.removed_through >= before {
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

    fn find(&mut self, finding: Finding) {
        if self.in_doubt {
            self.damaged = true;
            self.doubtful.push(finding);
        } else {
            self.report.find(finding);
        }
    }

    /// The first entry of a replica begins its chain: where it begins is told at the end.
    fn begin_chain(&mut self, place: &Place, entry: &Entry) {
        if self.chains.contains_key(&entry.replica) {
            return;
        }
        let other = self.chains.iter().find(|(_, chain)| chain.head.is_before(entry));
        let goes_on = other.is_some();
        if let Some((name, _)) = other {
            let note = format!("the chain of {name} goes on as that of {}", entry.replica);
            self.report.notes.push(note);
        }
        let head = match entry.sequence {
            0 | 1 => Link::start(),
            sequence => Link::at(sequence - 1, entry.previous.clone()),
        };
        let chain = Chain {
            first: entry.sequence.max(1),
            goes_on,
            recent: VecDeque::from([head.clone()]),
            head,
            place: place.clone(),
            removed_through: 0,
            signed_through: None,
        };
        self.chains.insert(entry.replica.clone(), chain);
    }

    /// Goes on from an earlier entry, where the file before ended in doubt.
    fn go_back(&mut self, entry: &Entry) {
        let chain = self.chains.get_mut(&entry.replica).expect("it was begun");
        if !std::mem::take(&mut self.after_doubt) || chain.head.is_before(entry) {
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
        if chain.recent.len() == RECENT {
            chain.recent.pop_front();
        }
        chain.recent.push_back(link.clone());
        chain.head = link;
        chain.place = place.clone();
        for finding in found.into_iter().chain(not_as_signed) {
            self.find(finding);
        }
    }

    /// Once a line outside of a file in doubt was taken, it is known what became of the doubts:
    /// where it did not join, that was found, and says where the damage matters.
    fn settle_doubts(&mut self) {
        if self.in_doubt {
            return;
        }
        for finding in std::mem::take(&mut self.doubtful) {
            let place = finding.place.map(|place| place.to_string()).unwrap_or_default();
            let note = format!(
                "{place}: damaged from here on by a failed write, after which it was set aside"
            );
            self.report.notes.push(note);
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
