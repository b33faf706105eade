//! The audit's records, each chained to the one before.
//!
//! Invariant: a record has no place for a value or a token, so none can be in it.

use core::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::checkpoint::Removal;
use super::claims::TokenId;
use super::identity::{PodReference, Subject};
use super::names::{Environment, Key};
use super::pattern::KeyPattern;

/// The text is none of the words that it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is one of {}", all.join(", "))]
pub struct UnknownWord {
    what: &'static str,
    all: Vec<String>,
}

impl UnknownWord {
    pub(super) fn new<T: ToString>(what: &'static str, all: &[T]) -> Self {
        Self { what, all: all.iter().map(ToString::to_string).collect() }
    }
}

/// Gives an enum that is written as a word its conversions from and to text.
macro_rules! words {
    ($name:ident, $what:literal, [$($word:ident),* $(,)?]) => {
        impl $name {
            /// All that there are.
            pub const ALL: &[Self] = &[$(Self::$word),*];
        }

        impl core::str::FromStr for $name {
            type Err = $crate::domain::record::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let word = Self::ALL.iter().find(|word| word.to_string() == text);
                word.copied().ok_or_else(|| Self::Err::new($what, Self::ALL))
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        }
    };
}
#[cfg(any(feature = "vault", feature = "cli"))]
pub(super) use words;

/// What was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An access token was asked for.
    Issue,
    /// One value was asked for.
    Read,
    /// All values in scope were asked for.
    ReadAll,
    /// The names in scope were asked for.
    List,
    /// A caller asked what it may have.
    Access,
    /// Tokens were revoked.
    Revoke,
    /// An administrator asked what a token is.
    Introspect,
    /// Somebody asked why a subject may do something or not.
    Explain,
    /// An administrator asked who holds what.
    Holders,
    /// Credentials or a token were shown that prove nothing.
    Authenticate,
    /// The log was opened again after a crash, and an unfinished line was cut off.
    Recover,
    /// The audit was asked for.
    Query,
    /// The oldest files of the audit were removed, as the configuration says.
    Remove,
}

words! {
    Event, "an event", [
        Issue, Read, ReadAll, List, Access, Revoke, Introspect, Explain, Holders, Authenticate,
        Recover, Query, Remove,
    ]
}

/// What the vault decided. It says nothing of whether an answer arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The answer carries what was asked for.
    Granted,
    /// The answer is 304: the caller has the values already.
    NotModified,
    /// The answer is a refusal.
    Refused,
    /// It was allowed and could not be done.
    Failed,
}

words! { Outcome, "an outcome", [Granted, NotModified, Refused, Failed] }

/// One line of the audit. Absent fields were not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was decided.
    pub time: Timestamp,
    /// What was attempted.
    pub event: Event,
    /// What was decided.
    pub outcome: Outcome,
    /// Why, in the words of a problem's kind or of the grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose identity was proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Which of the subject's credentials proved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// The pod that the proof is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodReference>,
    /// The access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<TokenId>,
    /// The environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The keys whose values or names the answer carries, or the one that was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// The key pattern that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_pattern: Option<KeyPattern>,
    /// The revision of what the answer carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<IpAddr>,
    /// The request, as in the answer and the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How many others are told of by this record, and have none of their own: failures of callers
    /// that proved nothing, or failures like this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// The last sequence of the entries that were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_through: Option<u64>,
    /// What proves that the vault removed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
}

impl Record {
    /// A record of this event, to be filled in with what is known.
    pub fn new(time: Timestamp, event: Event, outcome: Outcome) -> Self {
        Self {
            time,
            event,
            outcome,
            reason: None,
            subject: None,
            credential_id: None,
            pod: None,
            jti: None,
            environment: None,
            keys: Vec::new(),
            key_pattern: None,
            revision: None,
            client_address: None,
            request_id: None,
            left_out: None,
            removed_through: None,
            removal: None,
        }
    }
}

/// A record in its place in one replica's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without a gap.
    pub sequence: u64,
    /// The [`line_hash`] of the line before; [`Link::start`]'s for the first.
    pub previous: String,
    /// The replica that wrote it.
    pub replica: String,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}

/// The end of a chain, to which the next entry is joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    sequence: u64,
    hash: String,
}

impl Link {
    /// The end of a chain that has no entry yet.
    pub fn start() -> Self {
        Self { sequence: 0, hash: "0".repeat(64) }
    }

    /// The end of a chain whose last line is this, or `None` where it is not an entry.
    pub fn after(line: &str) -> Option<Self> {
        let entry: Entry = serde_json::from_str(line).ok()?;
        Some(Self { sequence: entry.sequence, hash: line_hash(line) })
    }

    /// The end of a chain at a place that is known from elsewhere.
    pub fn at(sequence: u64, hash: String) -> Self {
        Self { sequence, hash }
    }

    /// The sequence of the last entry; 0 where there is none yet.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The [`line_hash`] of the last line.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether this entry may come next.
    pub fn is_before(&self, entry: &Entry) -> bool {
        entry.sequence == self.sequence + 1 && entry.previous == self.hash
    }

    /// Joins a record to the chain: its line, without a newline, and the new end.
    pub fn join(&self, replica: &str, record: Record) -> (String, Self) {
        let entry = Entry {
            sequence: self.sequence + 1,
            previous: self.hash.clone(),
            replica: replica.to_owned(),
            record,
        };
        let line = serde_json::to_string(&entry).expect("an entry holds only text and numbers");
        let end = Self { sequence: entry.sequence, hash: line_hash(&line) };
        (line, end)
    }
}

/// The SHA-256 of a line without its newline, as 64 hexadecimal digits.
pub fn line_hash(line: &str) -> String {
    hex::encode(Sha256::digest(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new(Timestamp::UNIX_EPOCH, Event::Read, Outcome::Granted)
    }

    #[test]
    fn each_word_reads_back_and_another_is_told_all_of_them() {
        for event in Event::ALL {
            assert_eq!(event.to_string().parse(), Ok(*event));
        }
        for outcome in Outcome::ALL {
            assert_eq!(outcome.to_string().parse(), Ok(*outcome));
        }
        // serde knows them from the enum itself.
        let known = serde_json::from_str::<Event>("\"x\"").unwrap_err().to_string();
        let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
        let told = "theft".parse::<Event>().unwrap_err().to_string();
        assert_eq!(told, format!("an event is one of {}", known.join(", ")));
    }

    #[test]
    fn each_line_names_the_hash_of_the_line_before() {
        let (first, end) = Link::start().join("r", record());
        let (second, _) = end.join("r", record());
        let entry: Entry = serde_json::from_str(&second).unwrap();
        assert_eq!(entry.sequence, 2);
        assert_eq!(entry.previous, line_hash(&first));
        assert_eq!(Link::after(&first), Some(end));
    }

    #[test]
    fn a_line_reads_back_as_the_entry_that_was_written() {
        let mut record = record();
        record.keys = vec!["A".parse().unwrap()];
        record.subject = Some("client:ci".parse().unwrap());
        let (line, _) = Link::start().join("r", record.clone());
        let entry: Entry = serde_json::from_str(&line).unwrap();
        assert_eq!(entry.record, record);
        insta::assert_snapshot!(line, @r#"{"sequence":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","replica":"r","time":"1970-01-01T00:00:00Z","event":"read","outcome":"granted","subject":"client:ci","keys":["A"]}"#);
    }
}
