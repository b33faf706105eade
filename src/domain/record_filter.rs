//! Which of the audit's entries are asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::claims::TokenId;
use super::identity::Subject;
use super::names::{Environment, Key};
use super::record::{Entry, Event, Outcome, words};

/// What an entry has to be; what is absent may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this subject.
    pub subject: Option<Subject>,
    /// Of this environment.
    pub environment: Option<Environment>,
    /// With this key among its keys.
    pub key: Option<Key>,
    /// Of this event.
    pub event: Option<Event>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// With this access token.
    pub jti: Option<TokenId>,
    /// Written by this replica.
    pub replica: Option<String>,
    /// Of this request.
    pub request_id: Option<String>,
}

impl Filter {
    /// Whether the entry is one that is asked for.
    pub fn matches(&self, entry: &Entry) -> bool {
        let record = &entry.record;
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && of(self.subject.as_ref(), record.subject.as_ref())
            && of(self.environment.as_ref(), record.environment.as_ref())
            && self.key.as_ref().is_none_or(|key| record.keys.contains(key))
            && of(self.event.as_ref(), Some(&record.event))
            && of(self.outcome.as_ref(), Some(&record.outcome))
            && of(self.jti.as_ref(), record.jti.as_ref())
            && of(self.replica.as_ref(), Some(&entry.replica))
            && of(self.request_id.as_ref(), record.request_id.as_ref())
    }
}

fn of<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
    wanted.is_none() || wanted == found
}

/// In which order entries are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}
words! { Order, "an order", [Newest, Oldest] }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Record;

    fn entry() -> Entry {
        let time = Timestamp::from_second(100).unwrap();
        let mut record = Record::new(time, Event::Read, Outcome::Granted);
        record.subject = Some("client:ci".parse().unwrap());
        record.keys = vec!["A".parse().unwrap(), "B".parse().unwrap()];
        Entry { sequence: 1, previous: String::new(), replica: "r".to_owned(), record }
    }

    #[test]
    fn an_entry_matches_when_each_given_part_does() {
        let entry = entry();
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let any = Filter::default;
        for (filter, matches) in [
            (any(), true),
            (Filter { since: at(100), ..any() }, true),
            (Filter { since: at(101), ..any() }, false),
            (Filter { until: at(100), ..any() }, false),
            (Filter { until: at(101), ..any() }, true),
            (Filter { key: "B".parse().ok(), ..any() }, true),
            (Filter { key: "C".parse().ok(), ..any() }, false),
            (Filter { subject: "client:ci".parse().ok(), ..any() }, true),
            (Filter { subject: "client:other".parse().ok(), ..any() }, false),
            (Filter { environment: "dev".parse().ok(), ..any() }, false),
            (Filter { event: Some(Event::Read), outcome: Some(Outcome::Granted), ..any() }, true),
            (Filter { event: Some(Event::Read), outcome: Some(Outcome::Failed), ..any() }, false),
            (Filter { replica: Some("r".to_owned()), ..any() }, true),
            (Filter { replica: Some("s".to_owned()), ..any() }, false),
        ] {
            assert_eq!(filter.matches(&entry), matches, "{filter:?}");
        }
    }
}
