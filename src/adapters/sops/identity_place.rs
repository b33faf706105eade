//! Which identities open an environment's files: its own, or those that it shares with others.
//!
//! Invariant: what is asked of a file for the sake of its identity is asked for the very one that
//! the file was opened with, also where another one appears meanwhile.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use super::file::EncryptedFile;
use super::identities::{Identities, IdentityError};
use super::identity_files::IdentityFiles;
use super::key_sources::{KeySources, ServiceFor};
use super::refusal::Refusal;
use super::source::Source;
use super::store::{SharedIdentities, StoreOptions};
use crate::domain::names::Environment;

/// How often a file is opened in one look at the most.
const ATTEMPTS: usize = 3;

/// Where an environment's identities are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdentityPlace {
    /// The file that they are read from, where it is one.
    pub(super) path: Option<PathBuf>,
    /// Whether nothing that opens another environment's files opens this one's.
    pub(super) is_own: bool,
}

impl StoreOptions {
    /// Where an environment's identities are now.
    pub(super) fn identity_place(&self, environment: &Environment) -> IdentityPlace {
        let own = self.identities_folder.as_ref();
        let own = own.map(|folder| folder.join(format!("{environment}.txt")));
        // Also a dangling link is the environment's own, and what cannot be looked at: it never
        // falls back to the shared ones.
        let is_there = |path: &PathBuf| {
            path.symlink_metadata().err().is_none_or(|error| error.kind() != ErrorKind::NotFound)
        };
        if let Some(path) = own.filter(is_there) {
            // Sops is asked for the data keys of all environments.
            return IdentityPlace { path: Some(path), is_own: self.key_service.is_none() };
        }
        let path = match &self.shared {
            SharedIdentities::File(path) => Some(path.clone()),
            SharedIdentities::None | SharedIdentities::Given(_) => None,
        };
        IdentityPlace { path, is_own: false }
    }

    pub(super) fn open(
        &self,
        files: &IdentityFiles,
        place: &IdentityPlace,
        environment: &Environment,
        source: &Source,
        bytes: &[u8],
    ) -> Result<EncryptedFile, Refusal> {
        let identities = match (&self.shared, &place.path) {
            (_, Some(path)) => files.of(path).map_err(|error| match error {
                IdentityError::Unreadable { .. } => Refusal::passing(error),
                error => Refusal::lasting(error),
            })?,
            (SharedIdentities::Given(identities), None) => Arc::clone(identities),
            // What is wrong with the file, or which keys it is for, is told all the same.
            (SharedIdentities::None | SharedIdentities::File(_), None) => {
                Arc::new(Identities::none())
            }
        };
        let service = self.key_service.as_deref();
        let service =
            service.map(|service| ServiceFor { service, origin: &source.origin, environment });
        let keys = KeySources { identities: &identities, service };
        EncryptedFile::open(bytes, source.format, keys, self.leave).map_err(Refusal::of_file)
    }
}

/// Opens with what is found, and again where something else is found afterwards. Gives what it was
/// opened with in the end, and nothing more where that changed each time.
pub(super) fn open_with<P: PartialEq, T>(
    mut place: P,
    find: impl Fn() -> P,
    mut open: impl FnMut(&P) -> T,
) -> (P, Option<T>) {
    for _ in 0..ATTEMPTS {
        let opened = open(&place);
        let found = find();
        if found == place {
            return (place, Some(opened));
        }
        place = found;
    }
    (place, None)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_opened_is_opened_with_what_is_there_before_and_after() {
        let there = Cell::new("shared");
        let mut opened = Vec::new();
        let found = open_with(
            "shared",
            || there.get(),
            |place: &&str| {
                opened.push(*place);
                there.set("own");
                opened.len()
            },
        );
        assert_eq!(found, ("own", Some(2)));
        assert_eq!(opened, ["shared", "own"]);
    }

    #[test]
    fn what_comes_and_goes_each_time_gives_nothing() {
        let there = Cell::new(0);
        let next = || there.set(there.get() + 1);
        let (_, opened) = open_with(0, || there.get(), |_| next());
        assert_eq!((opened, there.get()), (None, ATTEMPTS));
    }
}
