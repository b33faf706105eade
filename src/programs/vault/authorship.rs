//! What the arguments ask of SOPS files beyond that they open.

use super::args::{AuthorshipArgs, LeafOf, OnRollback};
use crate::adapters::sops::{Authorship, RequireLeaf, Rollback};

impl AuthorshipArgs {
    /// What the arguments ask of each file.
    pub(super) fn resolve(self) -> Authorship {
        Authorship {
            leaf: match self.require_environment_leaf {
                LeafOf::Never => RequireLeaf::Never,
                LeafOf::Once => RequireLeaf::Once,
                LeafOf::Shared => RequireLeaf::Shared,
                LeafOf::Always => RequireLeaf::Always,
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
