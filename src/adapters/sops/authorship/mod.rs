//! What is asked of a file beyond that it opens: that it names its environment, that it is no older
//! one that was put back, and that somebody who is trusted signed it.
//!
//! SOPS's MAC proves that a file is whole, and not who wrote it: recipients are public, so whoever
//! can write the file can replace it.
//!
//! Invariant: a file is opened, and the last good version displaced, only once its signature was
//! found good over the very bytes that are opened, where one is asked for.

mod allowed_signers;
mod commands;
mod content;
mod error;
mod leaf;
mod rollback;
mod signature;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub(super) use commands::Subject;
pub(super) use content::ContentDigest;
pub use error::AuthorshipError;
pub(super) use leaf::{EnvironmentLeaf, is_reserved};
pub use rollback::{AcceptedVersion, AcceptedVersionError};
pub(super) use rollback::{Objection, accepts_nothing, judge};
pub(super) use signature::{
    Signed, check as check_signature, file_name as signature_name, read as read_signature,
};

/// How long a signature may come after its file before that is an alarm.
const SIGNATURE_GRACE: Duration = Duration::from_secs(5);

/// What is asked of the files of all environments.
#[derive(Debug)]
pub struct Authorship {
    /// Which files have to name their environment.
    pub leaf: RequireLeaf,
    /// What becomes of a version that is older than one that was served.
    pub rollback: Rollback,
    /// Older versions that the administrator takes on purpose.
    pub accepted: BTreeSet<AcceptedVersion>,
    /// A file in the form of ssh's allowed signers, one of whom has to have signed each file; none
    /// where no signature is asked for.
    pub trusted_signers: Option<PathBuf>,
    /// How long a signature may come after its file while an earlier version is served.
    pub signature_grace: Duration,
}

impl Default for Authorship {
    fn default() -> Self {
        Self {
            leaf: RequireLeaf::default(),
            rollback: Rollback::default(),
            accepted: BTreeSet::new(),
            trusted_signers: None,
            signature_grace: SIGNATURE_GRACE,
        }
    }
}

/// Which files have to name their environment. A name that is there has to be right whatever this
/// says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequireLeaf {
    /// None.
    Never,
    /// Those of environments without an identity of their own.
    #[default]
    Shared,
    /// All.
    Always,
}

impl RequireLeaf {
    /// Why a file has to name its environment, where it has to: the environment has an identity of
    /// its own or not, and master keys of other kinds are allowed or not.
    pub(super) fn asks(self, own_identity: bool, keys_allowed: bool) -> Option<WhyNamed> {
        match self {
            Self::Never => None,
            Self::Shared if keys_allowed => Some(WhyNamed::KeysAllowed),
            Self::Shared if own_identity => None,
            Self::Shared => Some(WhyNamed::NoOwnIdentity),
            Self::Always => Some(WhyNamed::Always),
        }
    }

    /// Whether two environments may not have one data key: with one, neither the name nor an
    /// identity of its own tells an environment's file from the other's.
    pub(super) fn compares_data_keys(self) -> bool {
        self != Self::Never
    }
}

/// Why a file has to name its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNamed {
    /// The identity that opens it may open other environments' files.
    NoOwnIdentity,
    /// So may a key that sops is asked for.
    KeysAllowed,
    /// All files have to.
    Always,
}

impl fmt::Display for WhyNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOwnIdentity => "the environment has no identity of its own",
            Self::KeysAllowed => {
                "VANTA_SOPS_ALLOWED_KEYS allows keys, which open the files of all environments"
            }
            Self::Always => "VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF is always",
        })
    }
}

/// What becomes of a version that is older than one that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rollback {
    /// It is served, and raises an alarm.
    #[default]
    Alarm,
    /// It is refused, and raises an alarm.
    Deny,
}

/// What is wrong with an environment's file, for whoever watches; the gravest is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// It does not open, is refused for what it holds, or has waited long for its data key.
    Refused,
    /// It is older than one that was served, or of the same second and other content, or says that
    /// it is of the future.
    Rollback,
    /// Nobody who is trusted signed it.
    Signature,
    /// It is another environment's, does not say of which it is though it has to, or has the data
    /// key of another one.
    Environment,
}

impl Alarm {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Refused, Self::Rollback, Self::Signature, Self::Environment];

    /// Its name, in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Rollback => "rollback",
            Self::Signature => "signature",
            Self::Environment => "environment",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_to_name_its_environment_wherever_something_else_may_open_it() {
        let shared = |own, keys| RequireLeaf::Shared.asks(own, keys);
        assert_eq!(shared(true, false), None);
        assert_eq!(shared(false, false), Some(WhyNamed::NoOwnIdentity));
        for own in [true, false] {
            assert_eq!(shared(own, true), Some(WhyNamed::KeysAllowed), "an identity is not enough");
            for keys in [true, false] {
                assert_eq!(RequireLeaf::Always.asks(own, keys), Some(WhyNamed::Always));
                assert_eq!(RequireLeaf::Never.asks(own, keys), None);
            }
        }
    }
}
