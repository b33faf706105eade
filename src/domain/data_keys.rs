//! Whose a file's data key is.
//!
//! Where two files share a data key, whoever can write one of them can put values of the other into
//! it, or its entries of recipients around the whole other file, and holds no key for it. So a data
//! key stays that environment's which was served with it first, also after that one has another.

use std::collections::BTreeMap;

use super::names::Environment;

/// How many data keys of one environment are remembered.
pub const MOST_OF_ONE: usize = 32;

/// What tells one data key from another. It is a one-way function of a key of 256 random bits, and
/// tells nobody the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataKeyCode(pub [u8; 32]);

/// An environment's data key, and when it was first served with it, in epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnDataKey {
    /// Which one it is.
    pub code: DataKeyCode,
    /// Since when.
    pub since: i64,
}

/// Which environment was served first with which data key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataKeyOwners {
    owners: BTreeMap<DataKeyCode, Environment>,
    /// Of each environment, the oldest first.
    of: BTreeMap<Environment, Vec<OwnDataKey>>,
    /// Of those that another environment's file had too, which one's.
    shared: BTreeMap<DataKeyCode, Environment>,
}

impl DataKeyOwners {
    /// Whose a data key is, where that is known.
    pub fn owner(&self, code: DataKeyCode) -> Option<&Environment> {
        self.owners.get(&code)
    }

    /// Which other environment's file had the data key too, where one had: values of both may be
    /// anywhere under it, and it tells them apart no more.
    pub fn shared_with(&self, code: DataKeyCode) -> Option<&Environment> {
        self.shared.get(&code)
    }

    /// Each data key that is known and that another environment's file had too, with which one's.
    pub fn shared(&self) -> impl Iterator<Item = (DataKeyCode, &Environment)> {
        self.shared.iter().map(|(code, other)| (*code, other))
    }

    /// Takes down that another environment's file has a data key of somebody's too. One is enough.
    pub fn share(&mut self, code: DataKeyCode, other: &Environment) {
        if self.owners.get(&code).is_some_and(|owner| owner != other) {
            self.shared.entry(code).or_insert_with(|| other.clone());
        }
    }

    /// The data keys of an environment that are known, the oldest first.
    pub fn of(&self, environment: &Environment) -> &[OwnDataKey] {
        self.of.get(environment).map_or(&[], Vec::as_slice)
    }

    /// Of how many environments data keys are known.
    pub fn environments(&self) -> usize {
        self.of.len()
    }

    /// Each environment with its data keys, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Environment, OwnDataKey)> {
        self.of.iter().flat_map(|(of, keys)| keys.iter().map(move |key| (of, *key)))
    }

    /// Makes a data key an environment's, unless it is known whose it is: then the two share it.
    /// Where the environment has too many, the one is forgotten after which the next one came
    /// soonest, of those that no two had: whoever exchanges a file again and again crowds out what
    /// they put there themselves.
    pub fn add(&mut self, environment: &Environment, key: OwnDataKey) {
        if self.owners.contains_key(&key.code) {
            // Another one may have been first in the meantime.
            self.share(key.code, environment);
            return;
        }
        self.owners.insert(key.code, environment.clone());
        let keys = self.of.entry(environment.clone()).or_default();
        keys.push(key);
        keys.sort_by_key(|key| key.since);
        if keys.len() > MOST_OF_ONE {
            // That one was shared is known for as long as others are there to be forgotten.
            let worth = |at: &usize| {
                let lasted = keys[at + 1].since.saturating_sub(keys[*at].since);
                (self.shared.contains_key(&keys[*at].code), lasted)
            };
            if let Some(shortest) = (0..MOST_OF_ONE).min_by_key(worth) {
                let code = keys.remove(shortest).code;
                self.owners.remove(&code);
                self.shared.remove(&code);
            }
        }
    }

    /// Makes a data key an environment's, whosever it was known to be before.
    pub fn assign(&mut self, environment: &Environment, key: OwnDataKey) {
        match self.owners.get(&key.code) {
            Some(owner) if owner == environment => {
                // All replicas tell the time of it alike, and so forget alike.
                let keys = self.of.entry(environment.clone()).or_default();
                keys.iter_mut().filter(|own| own.code == key.code).for_each(|own| *own = key);
                keys.sort_by_key(|key| key.since);
                return;
            }
            Some(owner) => {
                if let Some(keys) = self.of.get_mut(owner) {
                    keys.retain(|of| of.code != key.code);
                    if keys.is_empty() {
                        self.of.remove(owner);
                    }
                }
                // Two had it.
                let before = self.owners.remove(&key.code);
                self.shared.extend(before.map(|before| (key.code, before)));
            }
            None => {}
        }
        self.add(environment, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Environment {
        name.parse().expect("it is a name")
    }

    fn code(number: u8) -> DataKeyCode {
        DataKeyCode([number; 32])
    }

    fn key(number: u8, since: i64) -> OwnDataKey {
        OwnDataKey { code: code(number), since }
    }

    fn owners(of: &[(&str, u8)]) -> DataKeyOwners {
        let mut owners = DataKeyOwners::default();
        for (name, number) in of {
            owners.add(&environment(name), key(*number, 0));
        }
        owners
    }

    #[test]
    fn a_data_key_stays_that_of_the_first_that_was_served_with_it() {
        let mut owners = owners(&[("prod", 1), ("prod", 2), ("dev", 1)]);
        assert_eq!(owners.owner(code(1)), Some(&environment("prod")));
        assert_eq!(owners.owner(code(2)), Some(&environment("prod")));
        assert_eq!(owners.owner(code(3)), None);
        assert_eq!(owners.of(&environment("dev")), []);
        owners.add(&environment("prod"), key(1, 7));
        let prod = environment("prod");
        assert_eq!(owners.iter().collect::<Vec<_>>(), [(&prod, key(1, 0)), (&prod, key(2, 0))]);
        assert_eq!(owners.environments(), 1);
        assert_eq!(owners.shared_with(code(1)), Some(&environment("dev")));
        assert_eq!(owners.shared_with(code(2)), None);
    }

    #[test]
    fn what_was_served_for_long_is_not_crowded_out_by_what_comes_and_goes() {
        let mut owners = owners(&[("dev", 255)]);
        let most = u8::try_from(MOST_OF_ONE).expect("it is small");
        // One for a day, and many for a second each.
        owners.add(&environment("prod"), key(0, 0));
        for number in 1..=3 * most {
            let since = 86_400_000 + 1000 * i64::from(number);
            owners.add(&environment("prod"), key(number, since));
        }
        assert_eq!(owners.owner(code(0)), Some(&environment("prod")));
        assert_eq!(owners.owner(code(3 * most)), Some(&environment("prod")), "nor is the newest");
        assert_eq!(owners.owner(code(255)), Some(&environment("dev")));
        assert_eq!(owners.of(&environment("prod")).len(), MOST_OF_ONE);
        assert_eq!(owners.owners.len(), MOST_OF_ONE + 1);
        assert_eq!(owners.environments(), 2);
    }

    #[test]
    fn of_those_that_lasted_as_long_the_oldest_goes_and_their_order_is_that_of_time() {
        let mut owners = DataKeyOwners::default();
        let most = u8::try_from(MOST_OF_ONE).expect("it is small");
        for number in (0..=most).rev() {
            owners.add(&environment("prod"), key(number, i64::from(number)));
        }
        assert_eq!(owners.owner(code(0)), None);
        let codes: Vec<DataKeyCode> = owners.iter().map(|(_, key)| key.code).collect();
        assert_eq!(codes, (1..=most).map(code).collect::<Vec<_>>());
    }

    #[test]
    fn that_another_environments_file_had_it_too_is_known_for_as_long_as_whose_it_is() {
        let mut owners = owners(&[("prod", 0)]);
        owners.share(code(0), &environment("prod"));
        owners.share(code(1), &environment("dev"));
        assert_eq!(owners.shared().count(), 0, "its own and nobody's are no other's");
        owners.share(code(0), &environment("dev"));
        owners.share(code(0), &environment("test"));
        assert_eq!(owners.shared_with(code(0)), Some(&environment("dev")));
        assert_eq!(owners.shared().collect::<Vec<_>>(), [(code(0), &environment("dev"))]);
        let most = u8::try_from(MOST_OF_ONE).expect("it is small");
        for number in 1..=most {
            owners.add(&environment("prod"), key(number, i64::from(number)));
        }
        assert_eq!(owners.owner(code(0)), Some(&environment("prod")), "others are forgotten first");
        assert_eq!(owners.owner(code(1)), None);
        for number in 2..=most {
            owners.share(code(number), &environment("dev"));
        }
        owners.add(&environment("prod"), key(most + 1, 1000));
        assert_eq!((owners.owner(code(2)), owners.shared_with(code(2))), (None, None));
        assert_eq!(owners.of(&environment("prod")).len(), MOST_OF_ONE);
    }

    #[test]
    fn what_others_know_of_a_data_key_goes_before_what_was_known() {
        let mut known = owners(&[("dev", 1), ("dev", 2)]);
        known.assign(&environment("prod"), key(1, 0));
        known.assign(&environment("dev"), key(2, 9));
        let mut expected = owners(&[("prod", 1)]);
        expected.add(&environment("dev"), key(2, 9));
        expected.share(code(1), &environment("dev"));
        assert_eq!(known, expected);
        known.assign(&environment("prod"), key(2, 0));
        assert_eq!(known.of(&environment("dev")), []);
        assert_eq!(known.environments(), 1);
    }
}
