//! The names under which keys come out: themselves, renamed, or as variables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Named, RenderError};
use crate::domain::names::Key;
use crate::domain::secret::SecretValue;

/// The variable of a key: `.` and `-` become `_`; none where it would begin with a digit.
///
/// What is left is a name as POSIX has it (XBD section 3.216), for every shell and library.
fn environment_variable_name(key: &Key) -> Option<String> {
    let name = variable_text(key);
    (!name.starts_with(|first: char| first.is_ascii_digit())).then_some(name)
}

fn variable_text(key: &Key) -> String {
    key.as_str().replace(['.', '-'], "_")
}

/// The values under their own or their new names.
pub(super) fn keys<'a>(
    values: &'a BTreeMap<Key, SecretValue>,
    rename: &BTreeMap<String, String>,
) -> Result<Named<'a, Key>, RenderError> {
    name_each(values, |key| renamed(key, rename))
}

/// The values under the names of variables.
pub(super) fn variables<'a>(
    values: &'a BTreeMap<Key, SecretValue>,
    rename: &BTreeMap<String, String>,
) -> Result<Named<'a, String>, RenderError> {
    name_each(values, |key| {
        let new = renamed(key, rename)?;
        environment_variable_name(&new)
            .ok_or_else(|| RenderError::NotVariable { key: key.clone(), name: variable_text(&new) })
    })
}

/// A new name has a key's alphabet, so that it is safe as a file's name too.
fn renamed(key: &Key, rename: &BTreeMap<String, String>) -> Result<Key, RenderError> {
    match rename.get(key.as_str()) {
        None => Ok(key.clone()),
        Some(name) => {
            name.parse().map_err(|reason| RenderError::InvalidRename { key: key.clone(), reason })
        }
    }
}

fn name_each<Name: Ord + ToString>(
    values: &BTreeMap<Key, SecretValue>,
    name_of: impl Fn(&Key) -> Result<Name, RenderError>,
) -> Result<Named<'_, Name>, RenderError> {
    let mut named: Named<'_, Name> = BTreeMap::new();
    for (key, value) in values {
        match named.entry(name_of(key)?) {
            Entry::Vacant(free) => {
                free.insert((key, value));
            }
            Entry::Occupied(taken) => {
                return Err(RenderError::Collision {
                    name: taken.key().to_string(),
                    first: taken.get().0.clone(),
                    second: key.clone(),
                });
            }
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &[&str], rename: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let values =
            keys.iter().map(|key| (key.parse().unwrap(), SecretValue::new(Vec::new()))).collect();
        let rename =
            rename.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned())).collect();
        variables(&values, &rename)
            .map(|named| named.into_keys().collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn dots_and_dashes_become_underscores() {
        assert_eq!(names(&["db.user-name", "_x"], &[]).unwrap(), ["_x", "db_user_name"]);
    }

    #[test]
    fn a_new_name_is_used_in_place_of_the_key() {
        assert_eq!(names(&["1st"], &[("1st", "FIRST"), ("gone", "X")]).unwrap(), ["FIRST"]);
    }

    #[test]
    fn two_keys_under_one_name_are_refused_with_both_named() {
        insta::assert_snapshot!(
            names(&["a.b", "a_b"], &[]).unwrap_err(),
            @"a.b and a_b would both be a_b: rename one, or narrow the key pattern"
        );
        assert!(names(&["A", "B"], &[("A", "B")]).is_err());
    }

    #[test]
    fn a_new_name_that_is_no_name_is_refused() {
        for bad in ["", "a/b", "../a", "a=b", "a b", "2nd"] {
            assert!(names(&["A"], &[("A", bad)]).is_err(), "{bad:?} was accepted");
        }
    }
}
