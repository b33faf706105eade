//! Whose a file's data key is.
//!
//! Where two files share a data key, whoever can write one of them can put values of the other into
//! it, or its entries of recipients around the whole other file, and holds no key for it. So a data
//! key stays that environment's which was served with it first, also after that one has another.

use std::collections::{BTreeMap, VecDeque};

use super::names::Environment;

/// How many data keys of one environment are remembered, the newest. One that is rotated each month
/// has more than a year's.
pub const MOST_OF_ONE: usize = 16;

/// What tells one data key from another. It is a one-way function of a key of 256 random bits, and
/// tells nobody the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataKeyCode(pub [u8; 32]);

/// Which environment was served first with which data key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataKeyOwners {
    owners: BTreeMap<DataKeyCode, Environment>,
    /// Of each environment, the oldest first.
    of: BTreeMap<Environment, VecDeque<DataKeyCode>>,
}

impl DataKeyOwners {
    /// Whose a data key is, where that is known.
    pub fn owner(&self, code: DataKeyCode) -> Option<&Environment> {
        self.owners.get(&code)
    }

    /// Whether any data key of the environment is known.
    pub fn knows(&self, environment: &Environment) -> bool {
        self.of.contains_key(environment)
    }

    /// Of how many environments data keys are known.
    pub fn environments(&self) -> usize {
        self.of.len()
    }

    /// Each environment with its data keys, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Environment, DataKeyCode)> {
        self.of.iter().flat_map(|(of, codes)| codes.iter().map(move |code| (of, *code)))
    }

    /// Makes a data key an environment's, unless it is known whose it is; the environment's oldest
    /// is forgotten where it has too many.
    pub fn add(&mut self, environment: &Environment, code: DataKeyCode) {
        if self.owners.contains_key(&code) {
            return;
        }
        self.owners.insert(code, environment.clone());
        let codes = self.of.entry(environment.clone()).or_default();
        codes.push_back(code);
        if codes.len() > MOST_OF_ONE
            && let Some(oldest) = codes.pop_front()
        {
            self.owners.remove(&oldest);
        }
    }

    /// Makes a data key an environment's, whosever it was known to be before.
    pub fn assign(&mut self, environment: &Environment, code: DataKeyCode) {
        match self.owners.get(&code) {
            Some(owner) if owner == environment => return,
            Some(owner) => {
                if let Some(codes) = self.of.get_mut(owner) {
                    codes.retain(|of| *of != code);
                    if codes.is_empty() {
                        self.of.remove(owner);
                    }
                }
                self.owners.remove(&code);
            }
            None => {}
        }
        self.add(environment, code);
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

    fn owners(of: &[(&str, u8)]) -> DataKeyOwners {
        let mut owners = DataKeyOwners::default();
        for (name, number) in of {
            owners.add(&environment(name), code(*number));
        }
        owners
    }

    #[test]
    fn a_data_key_stays_that_of_the_first_that_was_served_with_it() {
        let mut owners = owners(&[("prod", 1), ("prod", 2), ("dev", 1)]);
        assert_eq!(owners.owner(code(1)), Some(&environment("prod")));
        assert_eq!(owners.owner(code(2)), Some(&environment("prod")));
        assert_eq!(owners.owner(code(3)), None);
        assert!(owners.knows(&environment("prod")) && !owners.knows(&environment("dev")));
        owners.add(&environment("prod"), code(1));
        let prod = environment("prod");
        assert_eq!(owners.iter().collect::<Vec<_>>(), [(&prod, code(1)), (&prod, code(2))]);
    }

    #[test]
    fn one_that_changes_its_data_key_often_forgets_its_own_oldest_and_no_others() {
        let mut owners = owners(&[("prod", 100)]);
        let most = u8::try_from(MOST_OF_ONE).expect("it is small");
        for number in 0..=most {
            owners.add(&environment("dev"), code(number));
        }
        assert_eq!(owners.owner(code(0)), None);
        assert_eq!(owners.owner(code(1)), Some(&environment("dev")));
        assert_eq!(owners.owner(code(most)), Some(&environment("dev")));
        assert_eq!(owners.owner(code(100)), Some(&environment("prod")));
        assert_eq!(owners.iter().count(), MOST_OF_ONE + 1);
    }

    #[test]
    fn what_others_know_of_a_data_key_goes_before_what_was_known() {
        let mut known = owners(&[("dev", 1), ("dev", 2)]);
        known.assign(&environment("prod"), code(1));
        known.assign(&environment("dev"), code(2));
        assert_eq!(known, owners(&[("dev", 2), ("prod", 1)]));
        known.assign(&environment("prod"), code(2));
        assert!(!known.knows(&environment("dev")));
        assert_eq!(known.environments(), 1);
    }
}
