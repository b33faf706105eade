//! What the arguments ask of SOPS files beyond that they open.

use super::args::{AuthorshipArgs, LeafOf, OnRollback};
use crate::adapters::sops::{Authorship, RequireLeaf, Rollback};

impl AuthorshipArgs {
    /// What the arguments ask of each file; `leaf` where they do not say which have to name their
    /// environment.
    pub(super) fn resolve(self, leaf: RequireLeaf) -> Authorship {
        Authorship {
            leaf: match self.require_environment_leaf {
                None => leaf,
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
