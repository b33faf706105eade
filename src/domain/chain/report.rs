//! What came of verifying chains.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many findings are told one by one; more are counted.
const MOST_FINDINGS: usize = 1000;

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, or what the lines come from.
    pub file: String,
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
    /// The chain does not begin where it began, and it is said and not proved that it was to be so.
    BeginningUnproved,
    /// The chain ends before a checkpoint.
    EndRemoved,
    /// A checkpoint's signature is wrong, or of another key.
    BadCheckpoint,
}

impl fmt::Display for Fault {
    /// As in JSON, and in the table of `docs/audit.md`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
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
