//! What was noticed of which topic, and what of it is written.
//!
//! Invariant: there is no more of it than [`MOST_KEPT`] topics, and whoever has many of them
//! neither takes the place nor the turn of others: of namespaces, in one namespace of objects, and
//! of one object of what it is told of.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::events::{About, Notice};

/// How often an event is written at most.
const PAUSE: Duration = Duration::from_secs(10);

/// How long an event stands for its topic before what is new of it is an event of its own: the API
/// server lets nobody change the note of one.
const NEWS: Duration = Duration::from_mins(1);

/// How long a topic may rest before its next notice is an event of its own.
const REST: Duration = Duration::from_mins(6);

/// How many topics are kept in mind at once.
const MOST_KEPT: usize = 1024;

/// What notices have in common that are one event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Topic {
    pub(super) about: About,
    pub(super) reason: &'static str,
    pub(super) action: &'static str,
    pub(super) of: String,
}

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) topic: Topic,
    pub(super) note: String,
    pub(super) count: i32,
    /// How many notices were before those that its event counts.
    before: i32,
    /// The event that is there, whose count it is; none where there is to be one.
    pub(super) event: Option<String>,
}

/// All topics that are kept in mind.
#[derive(Default)]
pub(super) struct Topics(BTreeMap<Topic, Series>);

/// What was noticed of one topic.
struct Series {
    /// What was said last.
    note: String,
    event: Option<Written>,
    seen: i32,
    written: i32,
    first_seen: Instant,
    last_seen: Instant,
    last_written: Option<Instant>,
}

/// The event that is there.
struct Written {
    name: String,
    note: String,
    at: Instant,
    /// How many notices were written before it.
    before: i32,
}

impl Series {
    /// Whether something else is to be told than its event says, which has stood long enough.
    fn has_news(&self, now: Instant) -> bool {
        let is_old = |event: &Written| now.duration_since(event.at) >= NEWS;
        self.event.as_ref().is_some_and(|event| event.note != self.note && is_old(event))
    }

    fn is_due(&self, now: Instant) -> bool {
        let rested = |last: Instant| now.duration_since(last) >= PAUSE;
        (self.seen > self.written || self.has_news(now)) && self.last_written.is_none_or(rested)
    }

    fn due(&self, topic: &Topic, now: Instant) -> Due {
        let event = self.event.as_ref().filter(|_| !self.has_news(now));
        // The last notice at least is told by an event of its own.
        let new = self.written.min(self.seen - 1);
        let before = event.map_or(new, |event| event.before);
        Due {
            topic: topic.clone(),
            note: self.note.clone(),
            count: self.seen - before,
            before,
            event: event.map(|event| event.name.clone()),
        }
    }
}

/// A part of all topics: a namespace's, an object's, or what an object is told of one matter.
type Part<'a> = (&'a str, Option<&'a About>, Option<&'a str>);

/// The parts that a topic is in, the largest first.
const PARTS: [fn(&Topic) -> Part<'_>; 3] = [
    |topic| (&topic.about.namespace, None, None),
    |topic| (&topic.about.namespace, Some(&topic.about), None),
    |topic| (&topic.about.namespace, Some(&topic.about), Some(&topic.of)),
];

impl Topics {
    /// Takes a notice. Gives whether nobody will be told of one, be it this or another.
    pub(super) fn see(&mut self, notice: Notice, now: Instant) -> bool {
        let Notice { about, reason, action, of, note } = notice;
        let topic = Topic { about, reason, action, of };
        self.0.retain(|_, series| now.duration_since(series.last_seen) < REST);
        if let Some(series) = self.0.get_mut(&topic) {
            series.seen = series.seen.saturating_add(1);
            (series.last_seen, series.note) = (now, note);
            return false;
        }
        let mut is_lost = false;
        if self.0.len() >= MOST_KEPT {
            let Some(leaves) = self.leaves(&topic) else { return true };
            let left = self.0.remove(&leaves);
            is_lost = left.is_some_and(|left| left.seen > left.written);
        }
        let series = Series {
            note,
            event: None,
            seen: 1,
            written: 0,
            first_seen: now,
            last_seen: now,
            last_written: None,
        };
        self.0.insert(topic, series);
        is_lost
    }

    /// The topic that leaves its place to a new one: of whoever has most of them. There is none
    /// where the new one would be of who has.
    fn leaves(&self, new: &Topic) -> Option<Topic> {
        let mut among: Vec<(&Topic, &Series)> = self.0.iter().collect();
        let mut with_new = true;
        for part in PARTS {
            let mut places: BTreeMap<Part<'_>, usize> = BTreeMap::new();
            for (topic, _) in &among {
                *places.entry(part(topic)).or_default() += 1;
            }
            let own_part = part(new);
            let own = places.get(&own_part).copied().unwrap_or_default();
            let most = places.values().copied().max()?;
            with_new &= most <= own + 1;
            among.retain(|(topic, _)| {
                let part = part(topic);
                if with_new { part == own_part } else { places.get(&part) == Some(&most) }
            });
        }
        if with_new {
            return None;
        }
        // One that is told already, or the newest.
        let last = |(_, series): &&(&Topic, &Series)| {
            (series.seen > series.written, Reverse(series.first_seen))
        };
        among.iter().min_by_key(last).map(|(topic, _)| (*topic).clone())
    }

    /// What is to be written, where something may be: of the namespace, the object and what it is
    /// told of that waits longest, each that never was written first.
    pub(super) fn due(&self, now: Instant) -> Option<Due> {
        let mut written: BTreeMap<Part<'_>, Option<Instant>> = BTreeMap::new();
        for (topic, series) in &self.0 {
            for part in PARTS {
                let last = written.entry(part(topic)).or_default();
                *last = (*last).max(series.last_written);
            }
        }
        let turn = |(topic, series): &(&Topic, &Series)| {
            let of_parts = PARTS.map(|part| written.get(&part(topic)).copied().flatten());
            (of_parts, series.last_written, series.first_seen)
        };
        let due = self.0.iter().filter(|(_, series)| series.is_due(now));
        due.min_by_key(turn).map(|(topic, series)| series.due(topic, now))
    }

    /// Takes down that it was written, as this event; none where that is gone.
    pub(super) fn written(&mut self, due: Due, event: Option<String>, now: Instant) {
        let Some(series) = self.0.get_mut(&due.topic) else { return };
        series.last_written = Some(now);
        // One that is gone is made anew, with the next.
        let Some(name) = event else {
            series.event = None;
            return;
        };
        series.written = due.before + due.count;
        if due.event.is_none() {
            series.event = Some(Written { name, note: due.note, at: now, before: due.before });
        }
    }

    /// Takes down that it could not be written.
    pub(super) fn failed(&mut self, due: &Due, now: Instant) {
        if let Some(series) = self.0.get_mut(&due.topic) {
            series.last_written = Some(now);
        }
    }
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
