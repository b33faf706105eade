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
    /// The keys whose values were given, and not since.
    pub keys: Vec<Key>,
    /// Other keys of the same answer, which the holder was given again since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_again: Vec<Key>,
    /// The revision of the values of them all; it can be compared with one of the same keys.
    pub revision: String,
    /// When it was decided.
    pub time: Timestamp,
}

impl Held {
    /// What a record tells of, where it tells of one. Who got no value holds none, and neither does
    /// who named no revision that it had (`If-None-Match: *`): such a record has none.
    pub fn of(record: &Record) -> Option<Self> {
        let given = matches!(record.outcome, Outcome::Granted | Outcome::NotModified);
        let scope = match record.event {
            Event::Read => record.keys.first()?.to_string(),
            Event::ReadAll => record.key_pattern.as_ref()?.to_string(),
            _ => return None,
        };
        (given && !record.keys.is_empty()).then_some(())?;
        Some(Self {
            subject: record.subject.clone()?,
            pod: record.pod.clone(),
            environment: record.environment.clone()?,
            scope,
            keys: record.keys.clone(),
            given_again: Vec::new(),
            revision: record.revision.clone()?,
            time: record.time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name<T: std::str::FromStr<Err: core::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    fn read() -> Record {
        let mut record = Record::new(Timestamp::UNIX_EPOCH, Event::Read, Outcome::Granted);
        record.subject = Some(name("client:ci"));
        record.environment = Some(name("prod"));
        record.keys = vec![name("A"), name("B")];
        record.revision = Some("r1".to_owned());
        record
    }

    fn scope(change: impl FnOnce(&mut Record)) -> Option<String> {
        let mut record = read();
        change(&mut record);
        Held::of(&record).map(|held| held.scope)
    }

    #[test]
    fn whoever_was_given_values_or_has_them_holds_them() {
        let held = Held::of(&read()).unwrap();
        assert_eq!((held.scope.as_str(), held.revision.as_str()), ("A", "r1"));
        assert_eq!(held.keys, read().keys);
        let all = |record: &mut Record| {
            record.event = Event::ReadAll;
            record.key_pattern = Some(name("*"));
        };
        assert_eq!(scope(all).as_deref(), Some("*"));
        assert_eq!(scope(|it| it.outcome = Outcome::NotModified).as_deref(), Some("A"));
    }

    #[test]
    fn whoever_was_given_no_value_holds_none() {
        assert_eq!(scope(|it| it.outcome = Outcome::Refused), None);
        assert_eq!(scope(|it| it.outcome = Outcome::Failed), None);
        assert_eq!(scope(|it| it.event = Event::List), None);
        assert_eq!(scope(|it| it.revision = None), None);
        let empty = |record: &mut Record| {
            record.event = Event::ReadAll;
            record.key_pattern = Some(name("*"));
            record.keys.clear();
        };
        assert_eq!(scope(empty), None);
    }
}
