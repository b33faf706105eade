//! Whether the log holds what was signed, or the vault signed that it removed it.

use super::error::QueryError;
use super::query::Query;
use super::{AuditLog, Reader};
use crate::adapters::audit::signing::{PublicKey, removal_holds};
use crate::domain::checkpoint::Head;
use crate::domain::record::{Entry, Event, Link};
use crate::domain::record_filter::{Filter, Order};

impl AuditLog {
    /// Whether the chain holds the entry that a head is of. One that was removed counts as held
    /// where the removal is signed with this key.
    pub async fn holds(&self, head: &Head, key: &PublicKey) -> Result<bool, QueryError> {
        if head.sequence > self.head().borrow().sequence() {
            return Ok(false);
        }
        let line = match &self.shared.reader {
            Reader::Folder { .. } => {
                let cursor = Some(head.sequence.saturating_sub(1));
                let (filter, order) = (Filter::default(), Order::Oldest);
                self.query(Query { filter, order, limit: 1, cursor }).await?.lines.pop()
            }
            Reader::Table(table) => table.line(&head.replica, head.sequence).await?,
        };
        let signed = Link::at(head.sequence, head.hash.clone());
        match line.and_then(|line| Link::after(&line)) {
            Some(found) if found.sequence() > head.sequence => self.removed(&signed, key).await,
            found => Ok(found == Some(signed)),
        }
    }

    /// Whether an entry was removed, as a signed one says: the newest of those went furthest.
    async fn removed(&self, removed: &Link, key: &PublicKey) -> Result<bool, QueryError> {
        let filter = Filter { event: Some(Event::Remove), ..Filter::default() };
        let mut query = Query { filter, order: Order::Newest, limit: 100, cursor: None };
        loop {
            let page = self.query(query.clone()).await?;
            let entries = page.lines.iter().map(|line| serde_json::from_str::<Entry>(line));
            let signed = entries
                .filter_map(|entry| entry.ok()?.record.removal)
                .find(|removal| removal_holds(removal, std::slice::from_ref(key)));
            if let Some(removal) = signed {
                let last = Link::at(removal.head.sequence, removal.head.hash);
                return Ok(last.sequence() > removed.sequence() || last == *removed);
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;

    use super::*;
    use crate::adapters::audit::SigningKey;
    use crate::domain::record::{Outcome, Record};

    /// The lines of a chain of so many entries.
    fn chain(entries: usize) -> Vec<String> {
        let mut end = Link::start();
        let mut next = || {
            let record = Record::new(Timestamp::UNIX_EPOCH, Event::Read, Outcome::Granted);
            let (line, after) = end.join("r", record);
            end = after;
            line
        };
        (0..entries).map(|_| next()).collect()
    }

    /// The head of before the replica was called otherwise.
    fn head(line: &str) -> Head {
        let (end, time) = (Link::after(line).unwrap(), Timestamp::UNIX_EPOCH);
        let (replica, hash) = ("former".to_owned(), end.hash().to_owned());
        Head { replica, sequence: end.sequence(), hash, time }
    }

    async fn holds(folder: &Path, lines: &[String], head: &Head, key: &PublicKey) -> bool {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        std::fs::write(folder.join("audit.jsonl"), text).unwrap();
        AuditLog::open(folder, "r").unwrap().holds(head, key).await.unwrap()
    }

    #[tokio::test]
    async fn a_head_is_held_where_its_very_entry_is_there() {
        let (folder, lines) = (tempfile::tempdir().unwrap(), chain(4));
        let key = SigningKey::new(&[1; 32]).public_key();
        let changed = Head { sequence: 2, ..head(&lines[0]) };
        for (head, held) in [(head(&lines[1]), true), (changed, false), (head(&lines[3]), false)] {
            assert_eq!(holds(folder.path(), &lines[..3], &head, &key).await, held, "{head:?}");
        }
    }

    #[tokio::test]
    async fn one_that_was_removed_is_held_where_the_vault_signed_the_removal_alone() {
        let (folder, lines) = (tempfile::tempdir().unwrap(), chain(6));
        let (key, another) = (SigningKey::new(&[1; 32]), SigningKey::new(&[2; 32]));
        let removal = |of: &Head, key: Option<&SigningKey>| {
            let mut record = Record::new(Timestamp::UNIX_EPOCH, Event::Remove, Outcome::Granted);
            record.removed_through = Some(of.sequence);
            let of = Head { replica: "r".to_owned(), ..of.clone() };
            record.removal = key.map(|key| key.sign_removal(of));
            record
        };
        let false_hash = Head { sequence: 3, ..head(&lines[0]) };
        let cases = [
            (removal(&head(&lines[2]), Some(&key)), true),
            (removal(&head(&lines[3]), Some(&key)), true),
            (removal(&head(&lines[1]), Some(&key)), false),
            (removal(&false_hash, Some(&key)), false),
            (removal(&head(&lines[3]), Some(&another)), false),
            (removal(&head(&lines[3]), None), false),
        ];
        for (record, held) in cases {
            let end = Link::after(&lines[5]).unwrap();
            let (told, end) = end.join("r", record.clone());
            // A forged one that comes later takes nothing away.
            let (forged, _) = end.join("r", removal(&head(&lines[4]), Some(&another)));
            let kept = [lines[4].clone(), lines[5].clone(), told, forged];
            let head = head(&lines[2]);
            let found = holds(folder.path(), &kept, &head, &key.public_key()).await;
            assert_eq!(found, held, "{record:?}");
        }
    }
}
