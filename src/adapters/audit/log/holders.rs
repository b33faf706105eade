//! Who was last given what.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

use crate::adapters::audit::folder::files;
use crate::adapters::audit::lines::Forward;
use crate::domain::held::Held;
use crate::domain::identity::Subject;
use crate::domain::names::Environment;
use crate::domain::record::{Entry, Record};

/// How many holders are known; the one that asked longest ago is forgotten first.
pub(super) const MOST_HOLDERS: usize = 10_000;

/// How many keys are known in all, of all holders: they bound the memory.
const MOST_KEYS: usize = 500_000;

/// How many bytes of the newest files tell who holds what when a log is opened.
const LEARNT_BYTES: u64 = 64 * 1024 * 1024;

/// A revision means something only beside others of the same scope.
pub(super) type Id = (Subject, Option<String>, Environment, String);

/// Whom one is of: of each the newest is kept.
pub(super) fn id(held: &Held) -> Id {
    let pod = held.pod.as_ref().map(|pod| pod.uid.clone());
    (held.subject.clone(), pod, held.environment.clone(), held.scope.clone())
}

/// The holders that the audit tells of.
#[derive(Debug, Default)]
pub(super) struct Holders {
    known: HashMap<Id, (u64, Held)>,
    /// By when each was last given something.
    by_turn: BTreeMap<u64, Id>,
    turn: u64,
    keys: usize,
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
        let id = id(&holder);
        self.turn += 1;
        self.keys += holder.keys.len();
        self.by_turn.insert(self.turn, id.clone());
        if let Some((turn, before)) = self.known.insert(id, (self.turn, holder)) {
            self.by_turn.remove(&turn);
            self.keys -= before.keys.len();
        }
        while self.known.len() > MOST_HOLDERS || (self.keys > MOST_KEYS && self.known.len() > 1) {
            let Some((_, oldest)) = self.by_turn.pop_first() else { return };
            if let Some((_, forgotten)) = self.known.remove(&oldest) {
                self.keys -= forgotten.keys.len();
            }
        }
    }

    /// All that are known, the newest first.
    pub(super) fn list(&self) -> Vec<Held> {
        let newest_first = self.by_turn.values().rev();
        newest_first.filter_map(|id| Some(self.known.get(id)?.1.clone())).collect()
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
}
