//! What is remembered of what was served, through restarts and on each replica: the highest version
//! of each environment, where it was, and whose each data key is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::data_keys::{DataKeyCode, DataKeyOwners, OwnDataKey};
use super::names::Environment;
use super::versions::{VersionMark, VersionMarks, merge};

/// Of how many environments there is something to remember. Names that come and go would fill memory
/// and the state otherwise.
pub const MOST_ENVIRONMENTS: usize = 10_000;

/// What was served of each environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The highest version of each.
    pub marks: VersionMarks,
    /// Whose each data key is.
    pub data_keys: DataKeyOwners,
    /// Where the file of each was that was served last.
    pub places: BTreeMap<Environment, String>,
}

/// What is served of an environment from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Which one it is.
    pub environment: Environment,
    /// Its highest version, where one is kept in mind.
    pub mark: Option<VersionMark>,
    /// Its data key, where data keys are told apart.
    pub data_key: Option<DataKeyCode>,
    /// Where its file is.
    pub place: String,
}

impl History {
    /// Whether anything is remembered of the environment.
    pub fn knows(&self, environment: &Environment) -> bool {
        self.marks.contains_key(environment) || !self.data_keys.of(environment).is_empty()
    }

    /// Takes in what is served at `now`; `false` where there is no room for one more environment.
    pub fn add(&mut self, served: &Served, now: Timestamp) -> bool {
        let Served { environment, mark, data_key, place } = served;
        if !self.has_room_for(environment) {
            return false;
        }
        if let Some(code) = *data_key {
            self.data_keys.add(environment, OwnDataKey { code, since: now.as_millisecond() });
        }
        // Somebody else may have served a higher one since this one was looked at.
        let is_higher = |mark: &&VersionMark| {
            self.marks.get(environment).is_none_or(|kept| mark.replaces(kept, now))
        };
        if let Some(mark) = mark.as_ref().filter(is_higher) {
            self.marks.insert(environment.clone(), *mark);
        }
        if self.knows(environment) && self.places.get(environment) != Some(place) {
            self.places.insert(environment.clone(), place.clone());
        }
        true
    }

    /// Takes what others remember into what is known at `now`: of each environment the highest
    /// version, a data key's owner as they have it, and where its file is if that is not known.
    pub fn hear(&mut self, others: Self, now: Timestamp) {
        for (environment, key) in others.data_keys.iter() {
            if self.has_room_for(environment) {
                self.data_keys.assign(environment, key);
            }
        }
        for (code, other) in others.data_keys.shared() {
            self.data_keys.share(code, other);
        }
        for (environment, mark) in others.marks {
            if self.has_room_for(&environment) {
                merge(&mut self.marks, environment, mark, now);
            }
        }
        for (environment, place) in others.places {
            if self.knows(&environment) {
                self.places.entry(environment).or_insert(place);
            }
        }
    }

    /// Each of the two has as many at the most.
    fn has_room_for(&self, environment: &Environment) -> bool {
        let most = self.marks.len().max(self.data_keys.environments());
        most < MOST_ENVIRONMENTS || self.knows(environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_000_000, 0);

    fn environment(name: &str) -> Environment {
        name.parse().expect("it is a name")
    }

    fn served(name: &str, number: u8) -> Served {
        let last_modified = Timestamp::constant(i64::from(number), 0);
        Served {
            environment: environment(name),
            mark: Some(VersionMark { last_modified, digest: [number; 32] }),
            data_key: Some(DataKeyCode([number; 32])),
            place: format!("{name}-{number}"),
        }
    }

    fn history(of: &[Served]) -> History {
        let mut history = History::default();
        assert!(of.iter().all(|served| history.add(served, NOW)));
        history
    }

    #[test]
    fn what_is_served_is_known_with_its_version_and_its_data_key() {
        let mut history = history(&[served("prod", 1), served("prod", 2)]);
        assert_eq!(
            history.marks[&environment("prod")],
            served("prod", 2).mark.expect("it has one")
        );
        assert_eq!(history.places[&environment("prod")], "prod-2");
        for number in [1, 2] {
            let owner = history.data_keys.owner(DataKeyCode([number; 32]));
            assert_eq!(owner, Some(&environment("prod")));
        }
        assert!(!history.knows(&environment("dev")));
        // A version of the future is not kept in mind, and its data key is.
        history.add(&Served { mark: None, ..served("dev", 3) }, NOW);
        history.add(&Served { data_key: None, ..served("test", 3) }, NOW);
        let nothing = Served { mark: None, data_key: None, ..served("other", 3) };
        assert!(history.add(&nothing, NOW) && !history.places.contains_key(&nothing.environment));
        assert!(history.knows(&environment("dev")) && history.knows(&environment("test")));
        assert!(!history.marks.contains_key(&environment("dev")));
    }

    #[test]
    fn of_what_others_remember_the_highest_version_counts_and_their_owner_of_a_data_key() {
        let mut here = history(&[served("dev", 5), served("prod", 1)]);
        here.hear(history(&[served("prod", 5), served("dev", 1), served("test", 7)]), NOW);
        let expected = [("dev", 5), ("prod", 5), ("test", 7)];
        for (name, number) in expected {
            assert_eq!(here.marks[&environment(name)], served(name, number).mark.expect("it has"));
        }
        let owner = |number| here.data_keys.owner(DataKeyCode([number; 32]));
        assert_eq!(owner(5), Some(&environment("prod")));
        assert_eq!(owner(1), Some(&environment("dev")));
        assert_eq!(owner(7), Some(&environment("test")));
        let mut more = History::default();
        more.data_keys
            .add(&environment("dev"), OwnDataKey { code: DataKeyCode([1; 32]), since: 0 });
        more.data_keys.share(DataKeyCode([1; 32]), &environment("test"));
        assert_eq!(here.data_keys.shared_with(DataKeyCode([1; 32])), Some(&environment("prod")));
        let mut new = History::default();
        new.hear(more, NOW);
        assert_eq!(new.data_keys.shared_with(DataKeyCode([1; 32])), Some(&environment("test")));
        let place = |name| here.places[&environment(name)].as_str();
        assert_eq!([place("dev"), place("prod"), place("test")], ["dev-5", "prod-1", "test-7"]);
    }

    #[test]
    fn what_was_served_here_puts_no_higher_version_down_that_was_heard_of_meanwhile() {
        let mut history = history(&[served("prod", 5)]);
        assert!(history.add(&served("prod", 4), NOW));
        assert_eq!(
            history.marks[&environment("prod")],
            served("prod", 5).mark.expect("it has one")
        );
    }

    #[test]
    fn names_beyond_the_bound_are_not_remembered_and_those_before_go_on() {
        let mut full = History::default();
        for at in 0..MOST_ENVIRONMENTS {
            assert!(full.add(&Served { data_key: None, ..served(&format!("e{at}"), 1) }, NOW));
        }
        assert!(!full.add(&served("more", 2), NOW));
        assert!(full.add(&served("e7", 2), NOW));
        let before = full.clone();
        full.hear(history(&[served("others", 3)]), NOW);
        assert_eq!(full, before);
        let mut empty = History::default();
        let mut more = before.clone();
        more.marks.extend(history(&[served("more", 1), served("most", 1)]).marks);
        empty.hear(more, NOW);
        assert_eq!(empty.marks.len(), MOST_ENVIRONMENTS);
        full.hear(history(&[served("e8", 4)]), NOW);
        assert_eq!(full.marks[&environment("e8")], served("e8", 4).mark.expect("it has one"));
        assert_eq!(full.marks.len(), MOST_ENVIRONMENTS);
    }
}
