//! Which age identities the vault takes from where, as the log says it at the start.
//!
//! Invariant: paths, names of variables and counts, and nothing of a key.

use super::config::{AGE_KEY, AGE_KEY_FILE, Sources};
use crate::adapters::files::is_readable_by_others;
use crate::adapters::sops::{Identities, SharedIdentities};

impl Sources {
    /// Says whose identities open the environments: a variable that a shell exports for sops is
    /// taken by a vault that is started there too.
    pub(super) fn tell_of_identities(&self) {
        self.tell_of_own_identities();
        match &self.shared_identities {
            SharedIdentities::Given(given) => tracing::info!(
                variable = AGE_KEY,
                identities = given.count(),
                "the age identities of this variable open every environment without one of its own"
            ),
            SharedIdentities::File(path) => {
                warn_where_open(path, "a file of age identities");
                let read = Identities::read(path).map(|read| read.count());
                let variable = (!self.with_example_key).then_some(AGE_KEY_FILE);
                let path = path.display();
                match read {
                    Ok(identities) => tracing::info!(
                        variable,
                        %path,
                        identities,
                        "the age identities of this file open every environment without one of its own"
                    ),
                    Err(error) => tracing::warn!(
                        variable,
                        %path,
                        reason = %error,
                        "there are no age identities for environments without one of their own"
                    ),
                }
            }
            SharedIdentities::None if self.age_identities_path.is_none() => {
                tracing::info!("no age identities are configured");
            }
            SharedIdentities::None => {}
        }
    }

    fn tell_of_own_identities(&self) {
        let Some(folder) = &self.age_identities_path else { return };
        let mut environments = 0_usize;
        // A folder that cannot be listed is told of where an environment needs it.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "txt") {
                environments += 1;
                warn_where_open(&entry.path(), "a file of age identities");
            }
        }
        let path = folder.display();
        tracing::info!(
            variable = "VANTA_AGE_IDENTITIES_PATH",
            %path,
            environments,
            "environments have age identities of their own in this folder, which alone open them"
        );
    }
}

/// Warns where a file that holds a secret can be read by every user of the machine.
pub(super) fn warn_where_open(path: &std::path::Path, what: &str) {
    if is_readable_by_others(path) {
        let path = path.display();
        tracing::warn!(%path, "{what} can be read by every user: run `chmod o-r` on it");
    }
}
