//! Revisions: what changes when a name or value in scope does, and tells nothing else.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::names::{Environment, Key};
use crate::domain::secret::SecretValue;

/// Makes revisions; the same on every replica and after a restart, since its key is kept in the
/// state store, and useless for guessing values without that key.
pub(super) struct RevisionKey([u8; 32]);

impl RevisionKey {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The revision of these values, as 32 hexadecimal digits.
    pub(super) fn of(
        &self,
        environment: &Environment,
        values: &BTreeMap<Key, SecretValue>,
    ) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any size");
        // Each part is preceded by its length, so that no two sets of values make one input.
        let mut add = |part: &[u8]| {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        };
        add(environment.as_str().as_bytes());
        for (key, value) in values {
            add(key.as_str().as_bytes());
            add(value.expose());
        }
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// The revision of one value.
    pub(super) fn of_one(
        &self,
        environment: &Environment,
        key: &Key,
        value: &SecretValue,
    ) -> String {
        self.of(environment, &BTreeMap::from([(key.clone(), value.clone())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(values: &[(&str, &str)]) -> String {
        let values = values
            .iter()
            .map(|(key, value)| (key.parse().unwrap(), SecretValue::from((*value).to_owned())));
        RevisionKey::new([7; 32]).of(&"dev".parse().unwrap(), &values.collect())
    }

    #[test]
    fn a_revision_changes_with_names_and_values_and_with_nothing_else() {
        let first = revision(&[("A", "x"), ("B", "y")]);
        assert_eq!(first, revision(&[("B", "y"), ("A", "x")]));
        for other in [
            revision(&[("A", "x")]),
            revision(&[("A", "x"), ("B", "z")]),
            revision(&[("A", "x"), ("C", "y")]),
            revision(&[("A", "xB"), ("B", "")]),
        ] {
            assert_ne!(first, other);
        }
    }
}
