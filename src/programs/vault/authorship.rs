//! What is asked of SOPS files beyond that they open: arguments as said, and what they mean.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::adapters::sops::{AcceptedVersion, Authorship, RequireLeaf, Rollback};

#[derive(Debug, Args)]
pub(super) struct AuthorshipArgs {
    /// Which files have to say of which environment they are, in an encrypted `_vanta_environment`
    #[arg(
        long = "sops-require-environment-leaf",
        env = "VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF",
        value_enum,
        default_value_t = LeafOf::Once
    )]
    pub(super) require_environment_leaf: LeafOf,
    /// What becomes of a file that is older than one that was served
    #[arg(long = "sops-rollback", env = "VANTA_SOPS_ROLLBACK", value_enum, default_value_t = OnRollback::Alarm)]
    pub(super) rollback: OnRollback,
    /// Older files to take on purpose, by what they say of themselves
    #[arg(
        long = "sops-accept-rollback",
        env = "VANTA_SOPS_ACCEPT_ROLLBACK",
        value_delimiter = ',',
        value_name = "ENVIRONMENT@LASTMODIFIED"
    )]
    pub(super) accept_rollback: Vec<AcceptedVersion>,
    /// A file in the form of ssh's allowed signers, one of whom has to have signed each SOPS file
    #[arg(long = "sops-trusted-signers", env = "VANTA_SOPS_TRUSTED_SIGNERS", value_name = "FILE")]
    pub(super) trusted_signers: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LeafOf {
    /// None; one that is there has to be right all the same
    Never,
    /// Of environments without an identity of their own, once a version of them did
    Once,
    /// Of environments without an identity of their own
    Shared,
    /// All
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnRollback {
    /// It is served, with an alarm
    Alarm,
    /// It is refused, with an alarm
    Deny,
}

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
