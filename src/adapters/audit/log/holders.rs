//! Who was last given what.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

use crate::adapters::audit::folder::files;
use crate::adapters::audit::lines::Forward;
use crate::domain::held::Held;
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key};
use crate::domain::record::{Entry, Record};

/// How many answers are known of all subjects.
pub(super) const MOST_HOLDERS: usize = 10_000;

/// How many keys they have in all, which bounds the memory.
const MOST_KEYS: usize = 500_000;

/// The share of either that one subject may have at the most.
const SHARE: usize = 4;

/// How many bytes of the newest files tell who holds what when a log is opened.
const LEARNT_BYTES: u64 = 64 * 1024 * 1024;

/// What a later answer takes the place of whole: it gave the same keys. What was asked for is the
/// caller's own choice, and tells no two holders apart.
pub(super) type Id = (Subject, Option<String>, Environment, Vec<Key>);

/// Whom one is of: of each the newest is kept.
pub(super) fn id(held: &Held) -> Id {
    (held.subject.clone(), pod(held), held.environment.clone(), held.keys.clone())
}

fn pod(held: &Held) -> Option<String> {
    held.pod.as_ref().map(|pod| pod.uid.clone())
}

/// The holders that the audit tells of.
///
/// Invariant: an answer is known while it is the newest that gave one of its keys to that subject,
/// pod and environment. Where there are too many, a subject that has most of them loses its oldest:
/// nobody displaces what is known of one who was given less.
#[derive(Debug, Default)]
pub(super) struct Holders {
    subjects: HashMap<Subject, OfSubject>,
    turn: u64,
    size: Size,
}

/// How much is known.
#[derive(Debug, Default, Clone, Copy)]
struct Size {
    answers: usize,
    keys: usize,
}

/// What one subject was given.
#[derive(Debug, Default)]
struct OfSubject {
    /// By when it was given.
    answers: BTreeMap<u64, Answer>,
    /// The newest answer that gave a key.
    newest: HashMap<(Option<String>, Environment, Key), u64>,
    size: Size,
}

#[derive(Debug)]
struct Answer {
    held: Held,
    /// Of how many keys it is the newest.
    newest_of: usize,
}

impl Holders {
    /// Takes in what a record says, the newest last.
    pub(super) fn learn(&mut self, record: &Record) {
        if let Some(holder) = Held::of(record) {
            self.take(holder);
        }
    }

    /// Takes in a holder, the newest last.
    pub(super) fn take(&mut self, holder: Held) {
        self.turn += 1;
        let subject = holder.subject.clone();
        let known = self.subjects.entry(subject).or_default();
        let before = known.size;
        known.take(holder, self.turn);
        while known.size.exceeds(SHARE) && known.answers.len() > 1 {
            known.forget_oldest();
        }
        self.size.change(before, known.size);
        while self.size.exceeds(1) && self.forget_of_the_largest() {}
    }

    /// Forgets the oldest of a subject that has most of what there is too much of.
    fn forget_of_the_largest(&mut self) -> bool {
        let too_many_answers = self.size.answers > MOST_HOLDERS;
        let most = |(_, known): &(&Subject, &mut OfSubject)| {
            let size = if too_many_answers { known.size.answers } else { known.size.keys };
            (size, Reverse(known.answers.first_key_value().map(|(turn, _)| *turn)))
        };
        let Some((subject, known)) = self.subjects.iter_mut().max_by_key(most) else {
            return false;
        };
        let (subject, before) = (subject.clone(), known.size);
        known.forget_oldest();
        self.size.change(before, known.size);
        if known.answers.is_empty() {
            self.subjects.remove(&subject);
        }
        true
    }

    /// All that are known, the newest first.
    pub(super) fn list(&self) -> Vec<Held> {
        let mut all: Vec<_> = self
            .subjects
            .values()
            .flat_map(|known| {
                known.answers.iter().map(move |(turn, answer)| (*turn, known, answer))
            })
            .collect();
        all.sort_unstable_by_key(|(turn, ..)| Reverse(*turn));
        all.into_iter().map(|(turn, known, answer)| known.show(turn, answer)).collect()
    }
}

impl Size {
    fn of(held: &Held) -> Self {
        Self { answers: 1, keys: held.keys.len() }
    }

    fn exceeds(self, share: usize) -> bool {
        self.answers > MOST_HOLDERS / share || self.keys > MOST_KEYS / share
    }

    fn change(&mut self, from: Self, to: Self) {
        self.answers = self.answers + to.answers - from.answers;
        self.keys = self.keys + to.keys - from.keys;
    }
}

impl OfSubject {
    fn take(&mut self, held: Held, turn: u64) {
        let (pod, environment) = (pod(&held), &held.environment);
        for key in &held.keys {
            let place = (pod.clone(), environment.clone(), key.clone());
            if let Some(before) = self.newest.insert(place, turn) {
                self.outdate(before);
            }
        }
        self.size.change(Size::default(), Size::of(&held));
        let newest_of = held.keys.len();
        self.answers.insert(turn, Answer { held, newest_of });
    }

    /// Says that one key of an answer was given again.
    fn outdate(&mut self, turn: u64) {
        let Some(answer) = self.answers.get_mut(&turn) else { return };
        answer.newest_of -= 1;
        if answer.newest_of == 0
            && let Some(answer) = self.answers.remove(&turn)
        {
            self.size.change(Size::of(&answer.held), Size::default());
        }
    }

    fn forget_oldest(&mut self) {
        let Some((turn, Answer { held, .. })) = self.answers.pop_first() else { return };
        self.size.change(Size::of(&held), Size::default());
        let pod = pod(&held);
        for key in held.keys {
            let place = (pod.clone(), held.environment.clone(), key);
            if self.newest.get(&place) == Some(&turn) {
                self.newest.remove(&place);
            }
        }
    }

    /// An answer, with its keys as they are now: those that were given again are told apart.
    fn show(&self, turn: u64, answer: &Answer) -> Held {
        let mut held = answer.held.clone();
        let pod = pod(&held);
        let is_newest = |key: &Key| {
            let place = (pod.clone(), held.environment.clone(), key.clone());
            self.newest.get(&place) == Some(&turn)
        };
        (held.keys, held.given_again) =
            std::mem::take(&mut held.keys).into_iter().partition(is_newest);
        held
    }
}

/// What the newest files of a folder tell.
pub(super) fn learn_from(folder: &Path) -> io::Result<Holders> {
    let mut holders = Holders::default();
    let mut left = LEARNT_BYTES;
    let mut newest = Vec::new();
    for stored in files(folder)?.into_iter().rev() {
        let mut file = File::open(stored.path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let read = length.min(left);
        file.seek(SeekFrom::Start(length - read))?;
        left -= read;
        newest.push(file);
        if left == 0 {
            break;
        }
    }
    for file in newest.into_iter().rev() {
        for line in Forward::new(file) {
            let line = line?;
            // The first one may be cut: it is no entry then.
            let entry = line.finished().and_then(|line| serde_json::from_str::<Entry>(line).ok());
            if let Some(entry) = entry {
                holders.learn(&entry.record);
            }
        }
    }
    Ok(holders)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::record::{Event, Outcome};

    fn read(client: &str, revision: &str, second: i64) -> Record {
        let time = Timestamp::from_second(second).unwrap();
        let mut record = Record::new(time, Event::ReadAll, Outcome::Granted);
        record.subject = format!("client:{client}").parse().ok();
        record.environment = "dev".parse().ok();
        record.key_pattern = "*".parse().ok();
        record.keys = vec!["A".parse().unwrap()];
        record.revision = Some(revision.to_owned());
        record
    }

    #[test]
    fn the_last_revision_that_each_was_given_is_known() {
        let mut holders = Holders::default();
        holders.learn(&read("a", "1", 1));
        holders.learn(&read("b", "1", 2));
        let mut refused = read("b", "3", 4);
        refused.outcome = Outcome::Refused;
        for record in [read("a", "2", 3), refused] {
            holders.learn(&record);
        }
        let told: Vec<_> = holders
            .list()
            .into_iter()
            .map(|holder| (holder.subject.to_string(), holder.revision, holder.time.as_second()))
            .collect();
        assert_eq!(
            told,
            [
                ("client:a".to_owned(), "2".to_owned(), 3),
                ("client:b".to_owned(), "1".to_owned(), 2)
            ]
        );
    }

    /// The keys of each that is known, the newest first, and those that were given again.
    fn keys(holders: &Holders) -> Vec<(String, String)> {
        let joined = |keys: &[Key]| keys.iter().map(Key::as_str).collect::<Vec<_>>().join(",");
        let told = holders.list().into_iter();
        told.map(|held| (joined(&held.keys), joined(&held.given_again))).collect()
    }

    fn of_keys(client: &str, keys: &[&str]) -> Record {
        let keys = keys.iter().map(|key| key.parse().unwrap()).collect();
        Record { keys, ..read(client, "1", 1) }
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut holders = Holders::default();
        for number in 0..=MOST_HOLDERS {
            holders.learn(&read(&format!("c{number}"), "1", 1));
            holders.learn(&read("c0", "1", 1));
        }
        let told = holders.list();
        assert_eq!(told.len(), MOST_HOLDERS);
        assert!(told.iter().any(|holder| holder.subject.to_string() == "client:c0"));
        assert!(told.iter().all(|holder| holder.subject.to_string() != "client:c1"));
    }

    #[test]
    fn however_a_caller_writes_what_it_asks_for_it_holds_the_same_keys_once() {
        let mut holders = Holders::default();
        for number in 0..100 {
            let pattern = format!("[A{number}]").parse().ok();
            holders.learn(&Record { key_pattern: pattern, ..read("a", "1", 1) });
        }
        assert_eq!(keys(&holders), [("A".to_owned(), String::new())]);
    }

    #[test]
    fn what_was_given_is_known_until_it_is_given_again_whatever_else_is_given() {
        let mut holders = Holders::default();
        holders.learn(&of_keys("a", &["A", "B"]));
        holders.learn(&of_keys("a", &["B", "C"]));
        holders.learn(&of_keys("a", &[]));
        let told = |keys: &[(&str, &str)]| -> Vec<_> {
            keys.iter().map(|(keys, again)| ((*keys).to_owned(), (*again).to_owned())).collect()
        };
        assert_eq!(keys(&holders), told(&[("B,C", ""), ("A", "B")]));
        holders.learn(&of_keys("a", &["A"]));
        assert_eq!(keys(&holders), told(&[("A", ""), ("B,C", "")]));
    }

    #[test]
    fn a_subject_that_is_given_much_displaces_what_is_known_of_itself_alone() {
        let mut holders = Holders::default();
        for other in 0..MOST_HOLDERS - MOST_HOLDERS / SHARE {
            holders.learn(&read(&format!("c{other}"), "1", 1));
        }
        for number in 0..2 * MOST_HOLDERS {
            holders.learn(&of_keys("greedy", &[&format!("K{number}")]));
        }
        let told = holders.list();
        let of_greedy = told.iter().filter(|held| held.subject.to_string() == "client:greedy");
        assert_eq!(of_greedy.count(), MOST_HOLDERS / SHARE);
        assert_eq!(told.len(), MOST_HOLDERS, "each other one is known");
        // One more subject takes the place of an answer of the one that has most.
        holders.learn(&read("late", "1", 1));
        let told = holders.list();
        assert!(told.iter().any(|held| held.subject.to_string() == "client:late"));
        assert!(told.iter().any(|held| held.subject.to_string() == "client:c0"));
        assert_eq!(told.len(), MOST_HOLDERS);
    }

    #[test]
    fn many_keys_are_bounded_too_and_the_memory_is_free_again() {
        let mut holders = Holders::default();
        let many: Vec<String> = (0..1000).map(|number| format!("K{number}")).collect();
        for left_out in 0..many.len() {
            let keys: Vec<&str> = many[left_out..].iter().map(String::as_str).collect();
            holders.learn(&of_keys("greedy", &keys));
        }
        let known = &holders.subjects[&"client:greedy".parse().unwrap()];
        assert!(known.size.keys <= MOST_KEYS / SHARE, "{:?}", known.size);
        assert!(known.newest.len() <= many.len());
        let (answers, kept) = (known.answers.values(), known.newest.len());
        assert_eq!(answers.map(|answer| answer.newest_of).sum::<usize>(), kept);
        assert_eq!((holders.size.answers, holders.size.keys), {
            (known.answers.len(), known.answers.values().map(|one| one.held.keys.len()).sum())
        });
    }
}
