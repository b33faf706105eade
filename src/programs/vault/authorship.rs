//! What the arguments ask of SOPS files beyond that they open.

use super::args::{AuthorshipArgs, LeafOf, OnRollback};
use crate::adapters::sops::{Authorship, RequireLeaf, Rollback};

impl AuthorshipArgs {
    /// What the arguments ask of each file, in `dev` or in earnest.
    pub(super) fn resolve(self, in_dev: bool) -> Authorship {
        Authorship {
            leaf: match self.require_environment_leaf {
                // Whoever tries it out has one key, and nobody to put a file in another's place.
                None if in_dev => RequireLeaf::Never,
                None => RequireLeaf::default(),
                Some(LeafOf::Never) => RequireLeaf::Never,
                Some(LeafOf::Shared) => RequireLeaf::Shared,
                Some(LeafOf::Always) => RequireLeaf::Always,
            },
            rollback: match self.rollback {
                OnRollback::Alarm => Rollback::Alarm,
                OnRollback::Deny => Rollback::Deny,
            },
            accepted: self.accept_rollback.into_iter().collect(),
            trusted_signers: self.trusted_signers,
            ..Authorship::default()
        }
    }
}
