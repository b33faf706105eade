//! What of many failures is recorded, so that whoever makes them does not fill the disk.
//!
//! Invariant: only what an error is answered to is ever left out, and what is left out is counted in
//! a record that comes later. An answer that carries a value, or says that it did not change, is
//! always a record of its own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::time::{MissedTickBehavior, interval};

use super::service::Service;
use crate::domain::record::Record;

/// How many failures of callers that proved nothing are recorded in one second: whoever can
/// connect can make them, and must not be able to fill the disk.
const ANONYMOUS_PER_SECOND: u32 = 10;

/// For how long after a failure of a proved subject others like it are counted, until one record
/// tells of them.
const PAUSE: Duration = Duration::from_mins(1);

/// How often it is looked whether that is over.
const PERIOD: Duration = Duration::from_secs(5);

/// How many kinds of failure are kept in mind; of more each is recorded.
const MOST_KINDS: usize = 4096;

/// Lets so many through in one second, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    second: i64,
    admitted: u32,
    left_out: u64,
}

impl Sampler {
    /// How many were left out since the last one, or `None` where this one is left out too.
    pub(super) fn admit(&self, now: Timestamp) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.second != now.as_second() {
            (window.second, window.admitted) = (now.as_second(), 0);
        }
        if window.admitted == ANONYMOUS_PER_SECOND {
            window.left_out += 1;
            return None;
        }
        window.admitted += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

/// What failures have in common that are alike: all that is recorded of them but the time and the
/// request.
type Kind = [u8; 32];

/// Failures of proved subjects that are alike: the first is recorded, and of those that follow one
/// in each [`PAUSE`], with the number of the others.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<Kind, Seen>>);

#[derive(Debug)]
struct Seen {
    /// When one was last recorded.
    recorded: Instant,
    /// The last one that was not, with the number of the others.
    left_out: Option<Record>,
}

impl Repeats {
    /// The failure back, where it is to be recorded: it is like none of a moment ago.
    pub(super) fn admit(&self, record: Record, now: Instant) -> Option<Record> {
        let mut seen = self.lock();
        let kind = kind(&record);
        if let Some(seen) = seen.get_mut(&kind) {
            seen.leave_out(record);
            return None;
        }
        if seen.len() < MOST_KINDS {
            seen.insert(kind, Seen { recorded: now, left_out: None });
        }
        Some(record)
    }

    /// Takes back that a failure was recorded, which could not be.
    pub(super) fn forget(&self, record: &Record) {
        let mut seen = self.lock();
        let kind = kind(record);
        // Others that were left out meanwhile are told of once it is time.
        if seen.get(&kind).is_some_and(|seen| seen.left_out.is_none()) {
            seen.remove(&kind);
        }
    }

    /// What is to be recorded now of what was left out, since it is so long ago that one of its
    /// kind was.
    fn due(&self, now: Instant, pause: Duration) -> Vec<Record> {
        let mut due = Vec::new();
        self.lock().retain(|_, seen| {
            if now.saturating_duration_since(seen.recorded) < pause {
                return true;
            }
            let Some(record) = seen.left_out.take() else { return false };
            due.push(record);
            seen.recorded = now;
            true
        });
        due
    }

    /// Puts back what was due, and could not be recorded.
    fn put_back(&self, record: Record) {
        let seen = Seen { recorded: Instant::now(), left_out: None };
        self.lock().entry(kind(&record)).or_insert(seen).leave_out(record);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn leave_out(&mut self, mut record: Record) {
        if let Some(before) = self.left_out.take() {
            let others = record.left_out.unwrap_or(0) + before.left_out.unwrap_or(0) + 1;
            record.left_out = Some(others);
        }
        self.left_out = Some(record);
    }
}

fn kind(record: &Record) -> Kind {
    let mut common = record.clone();
    common.time = Timestamp::UNIX_EPOCH;
    common.request_id = None;
    common.left_out = None;
    let text = serde_json::to_vec(&common).expect("a record holds only text and numbers");
    Sha256::digest(text).into()
}

impl Service {
    /// Records what was left out, for ever, each once it is time.
    pub(super) async fn tell_of_repeats(&self) -> Infallible {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.record_repeats(PAUSE).await;
        }
    }

    /// Records all that was left out.
    pub async fn tell_of_all_repeats(&self) {
        self.record_repeats(Duration::ZERO).await;
    }

    async fn record_repeats(&self, pause: Duration) {
        for record in self.repeats.due(Instant::now(), pause) {
            if let Err(error) = self.record(record.clone()).await {
                let why = error.cause.unwrap_or_default();
                tracing::warn!(why, "failures like others are not recorded now, and will be");
                self.repeats.put_back(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::{Event, Outcome};

    #[test]
    fn a_flood_of_failures_is_sampled_and_what_was_left_out_is_counted() {
        let sampler = Sampler::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let admitted = (0..100).filter(|_| sampler.admit(at(1)).is_some()).count();
        assert_eq!(admitted, 10);
        assert_eq!(sampler.admit(at(2)), Some(90));
        assert_eq!(sampler.admit(at(2)), Some(0));
    }

    fn refused(key: &str, request: u32) -> Record {
        let time = Timestamp::from_second(i64::from(request)).unwrap();
        let mut record = Record::new(time, Event::Read, Outcome::Refused);
        record.subject = "client:ci".parse().ok();
        record.keys = vec![key.parse().unwrap()];
        record.reason = Some("out-of-scope".to_owned());
        record.request_id = Some(request.to_string());
        record
    }

    /// Which request's record it is, and how many others it tells of.
    fn told(records: Vec<Record>) -> Vec<(String, Option<u64>)> {
        records.into_iter().map(|it| (it.request_id.unwrap(), it.left_out)).collect()
    }

    #[test]
    fn of_failures_that_are_alike_the_first_is_recorded_and_one_in_each_pause_tells_of_the_others()
    {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let almost = start + PAUSE.saturating_sub(Duration::from_nanos(1));
        assert!(repeats.admit(refused("A", 1), start).is_some());
        assert!(repeats.admit(refused("B", 2), start).is_some(), "it is another");
        for request in 3..6 {
            assert!(repeats.admit(refused("A", request), almost).is_none());
        }
        assert_eq!(told(repeats.due(almost, PAUSE)), []);
        assert_eq!(told(repeats.due(start + PAUSE, PAUSE)), [("5".to_owned(), Some(2))]);
        // It has just been told of: the next are left out again.
        assert!(repeats.admit(refused("A", 6), start + PAUSE).is_none());
        assert_eq!(told(repeats.due(start + PAUSE * 2, PAUSE)), [("6".to_owned(), None)]);
        // Of the other, nothing came since: it is not kept in mind.
        assert!(repeats.admit(refused("B", 7), start + PAUSE * 2).is_some());
        assert_eq!(told(repeats.due(start + PAUSE * 3, PAUSE)), []);
        assert!(repeats.admit(refused("A", 8), start + PAUSE * 3).is_some());
    }

    #[test]
    fn failures_are_alike_in_all_but_the_time_and_the_request() {
        type Change = fn(&mut Record);
        let changes: [Change; 8] = [
            |record| record.event = Event::List,
            |record| record.outcome = Outcome::Failed,
            |record| record.reason = Some("token-expired".to_owned()),
            |record| record.subject = "client:other".parse().ok(),
            |record| record.jti = None,
            |record| record.environment = "dev".parse().ok(),
            |record| record.key_pattern = "*".parse().ok(),
            |record| record.client_address = "192.0.2.1".parse().ok(),
        ];
        let mut first = refused("A", 1);
        first.jti = "0123456789abcdef0123456789abcdef".parse().ok();
        assert!(first.jti.is_some());
        let (repeats, now) = (Repeats::default(), Instant::now());
        assert!(repeats.admit(first.clone(), now).is_some());
        for (number, change) in (0..).zip(changes) {
            let mut other = first.clone();
            change(&mut other);
            assert!(repeats.admit(other, now).is_some(), "change {number}");
        }
        let again = Record { time: Timestamp::now(), request_id: None, ..first };
        assert!(repeats.admit(again, now).is_none());
    }

    #[test]
    fn what_could_not_be_recorded_is_the_first_again_and_what_was_due_is_told_later() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        assert!(repeats.admit(refused("A", 1), start).is_some());
        repeats.forget(&refused("A", 1));
        assert!(repeats.admit(refused("A", 2), start).is_some());
        assert!(repeats.admit(refused("A", 3), start).is_none());
        // Somebody was answered on the third, so it is not forgotten.
        repeats.forget(&refused("A", 2));
        assert!(repeats.admit(refused("A", 4), start).is_none());
        let due = repeats.due(start + PAUSE, PAUSE).remove(0);
        assert_eq!(told(vec![due.clone()]), [("4".to_owned(), Some(1))]);
        assert!(repeats.admit(refused("A", 5), start + PAUSE).is_none());
        repeats.put_back(due);
        let due = repeats.due(start + PAUSE * 2, PAUSE);
        assert_eq!(due[0].left_out, Some(2), "of the requests 3, 4 and 5");
    }

    #[test]
    fn of_more_kinds_than_are_kept_in_mind_each_is_recorded() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        for request in 0..2 {
            for number in 0..=MOST_KINDS {
                let admitted = repeats.admit(refused(&format!("K{number}"), request), now);
                assert_eq!(admitted.is_some(), request == 0 || number == MOST_KINDS, "{number}");
            }
        }
    }
}
