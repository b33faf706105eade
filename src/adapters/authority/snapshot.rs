//! All objects of a watch as they are now, from its events.

use std::collections::BTreeMap;

use kube::runtime::watcher::Event;

/// What a watch has told so far, by the object's key.
#[derive(Debug)]
pub(super) struct Snapshot<T> {
    now: BTreeMap<String, T>,
    /// What a list that is not at its end has told.
    coming: BTreeMap<String, T>,
    is_whole: bool,
}

impl<T> Default for Snapshot<T> {
    fn default() -> Self {
        Self { now: BTreeMap::new(), coming: BTreeMap::new(), is_whole: false }
    }
}

impl<T> Snapshot<T> {
    /// Takes in an event; `read` gives the object's key and what is kept of it.
    pub(super) fn take<K>(&mut self, event: Event<K>, read: impl FnOnce(K) -> Option<(String, T)>) {
        match event {
            Event::Init => self.coming.clear(),
            Event::InitApply(object) => self.coming.extend(read(object)),
            Event::InitDone => {
                self.now = std::mem::take(&mut self.coming);
                self.is_whole = true;
            }
            Event::Apply(object) => self.now.extend(read(object)),
            Event::Delete(object) => {
                if let Some((key, _)) = read(object) {
                    self.now.remove(&key);
                }
            }
        }
    }

    /// What is known, once it is all.
    pub(super) fn whole(&self) -> Option<&BTreeMap<String, T>> {
        self.is_whole.then_some(&self.now)
    }

    /// Notes what was written, before the watch tells of it.
    pub(super) fn note(&mut self, key: &str, value: T) {
        self.now.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(snapshot: &mut Snapshot<u8>, event: Event<(&str, u8)>) {
        snapshot.take(event, |(key, value)| Some((key.to_owned(), value)));
    }

    fn told(snapshot: &Snapshot<u8>) -> Option<Vec<(&str, u8)>> {
        Some(snapshot.whole()?.iter().map(|(key, value)| (key.as_str(), *value)).collect())
    }

    #[test]
    fn it_is_whole_after_the_first_list_and_follows_what_comes() {
        let mut snapshot = Snapshot::default();
        take(&mut snapshot, Event::Init);
        take(&mut snapshot, Event::InitApply(("a", 1)));
        assert_eq!(told(&snapshot), None);
        take(&mut snapshot, Event::InitDone);
        take(&mut snapshot, Event::Apply(("b", 2)));
        take(&mut snapshot, Event::Apply(("a", 3)));
        assert_eq!(told(&snapshot), Some(vec![("a", 3), ("b", 2)]));
        take(&mut snapshot, Event::Delete(("a", 0)));
        assert_eq!(told(&snapshot), Some(vec![("b", 2)]));
    }

    #[test]
    fn a_new_list_replaces_what_was_known_once_it_is_whole() {
        let mut snapshot = Snapshot::default();
        for event in [Event::Init, Event::InitApply(("a", 1)), Event::InitDone, Event::Init] {
            take(&mut snapshot, event);
        }
        take(&mut snapshot, Event::InitApply(("b", 2)));
        assert_eq!(told(&snapshot), Some(vec![("a", 1)]));
        take(&mut snapshot, Event::InitDone);
        assert_eq!(told(&snapshot), Some(vec![("b", 2)]));
    }
}
