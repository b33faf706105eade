//! What a subject was last given, as the audit tells it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::{PodReference, Subject};
use super::names::{Environment, Key};
use super::record::{Event, Outcome, Record};

/// The last answer with values, or that they were unchanged, to one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who holds it.
    pub subject: Subject,
    /// The pod, where the proof was bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodReference>,
    /// The environment.
    pub environment: Environment,
    /// What was asked for: a key pattern, or one key.
    pub scope: String,
    /// The keys whose values were given.
    pub keys: Vec<Key>,
    /// The revision of those values; it can be compared within one scope.
    pub revision: String,
    /// When it was decided.
    pub time: Timestamp,
}

impl Held {
    /// What a record tells of, where it tells of one.
    pub fn of(record: &Record) -> Option<Self> {
        let given = matches!(record.outcome, Outcome::Granted | Outcome::NotModified);
        let scope = match record.event {
            Event::Read => record.keys.first()?.to_string(),
            Event::ReadAll => record.key_pattern.as_ref()?.to_string(),
            _ => return None,
        };
        given.then_some(())?;
        Some(Self {
            subject: record.subject.clone()?,
            pod: record.pod.clone(),
            environment: record.environment.clone()?,
            scope,
            keys: record.keys.clone(),
            revision: record.revision.clone()?,
            time: record.time,
        })
    }
}
