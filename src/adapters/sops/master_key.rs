//! The master keys that a file lists: each wraps the data key, or its group's share of it.

use super::key_sources::MAX_OTHERS;
use super::remedy::CHECKOUT;
use super::shown::shown;
use crate::adapters::key_service::{KeyName, KeyServiceError, Kind, MAX_SHOWN, NotAllowed};
use crate::domain::names::Shown;

/// Keys of which any one opens what the group wraps.
pub(super) struct KeyGroup(pub(super) Vec<MasterKey>);

/// One key that something was wrapped for.
pub(super) enum MasterKey {
    /// Opened in this process.
    Age(AgeKey),
    /// Of every other kind.
    Other(OtherKey),
}

/// What is wrapped for one age recipient.
pub(super) struct AgeKey {
    /// A hint, and no more.
    pub(super) recipient: String,
    /// An ASCII-armored age file.
    pub(super) armored: String,
}

/// What is wrapped by a key that is not age's.
pub(super) struct OtherKey {
    pub(super) name: KeyName,
    /// In the form in which its service takes it.
    pub(super) wrapped: String,
}

/// How a recipient of age's hybrid, post-quantum kind begins.
const POST_QUANTUM: &str = "age1pq1";

/// Why one master key gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// None of the identities is its recipient's.
    #[error("no identity for {recipient}")]
    NoIdentity {
        /// As the file names it, escaped and cut.
        recipient: String,
    },
    /// There is no identity at all.
    #[error("no identity is configured for {recipient}")]
    NoneConfigured {
        /// As the file names it, escaped and cut.
        recipient: String,
    },
    /// A recipient whose kind of identity is not read.
    #[error(
        "{recipient} is a post-quantum recipient, which is not supported: add one that begins with \
         age1 alone"
    )]
    PostQuantum {
        /// As the file names it, escaped and cut.
        recipient: String,
    },
    /// One of the identities is its recipient's, and what is wrapped does not open.
    #[error("what is wrapped for {recipient} is broken: restore the file")]
    Broken {
        /// As the file names it, escaped and cut.
        recipient: String,
    },
    /// More of them are broken than are tried.
    #[error(
        "more than {limit} of the file's age keys are broken, though there is an identity for \
         them: restore the file ({CHECKOUT})"
    )]
    TooManyBroken {
        /// In keys.
        limit: usize,
    },
    /// Nothing is configured that opens keys of its kind.
    #[error("the file's key \"{name}\" is not opened, since no key is allowed")]
    NoService {
        /// As an entry of the list of allowed keys would name it.
        name: Shown,
    },
    /// The administrator does not allow the key.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The file is of a sops that wrote another format, or does not say of which.
    #[error(
        "the file is of a sops before 3.3.0 or says no version, and for such a one sops is not \
         asked: change it with `sops edit` of a newer one, which writes its version; `sops set` and \
         `sops rotate` do not"
    )]
    TooOld,
    /// What is wrapped is longer than any data key's.
    #[error("the encrypted data key of a key of {0} is too long")]
    TooLong(Kind),
    /// The file lists more keys than sops is asked for.
    #[error(
        "the file has {0} master keys beside those of age, and sops is asked for no more than \
         {MAX_OTHERS}: list fewer"
    )]
    TooMany(usize),
    /// Sops is being asked.
    #[error("the data key is being asked for from {0}")]
    Awaited(Kind),
    /// Sops could not.
    #[error("{kind}: {error}")]
    Service {
        /// Of the key.
        kind: Kind,
        /// Why not.
        error: KeyServiceError,
    },
}

impl KeyError {
    /// Whether the whole file is refused for it, whatever its other keys give.
    pub(super) fn refuses_file(&self) -> bool {
        matches!(
            self,
            Self::NotAllowed(_)
                | Self::TooOld
                | Self::TooLong(_)
                | Self::TooMany(_)
                | Self::TooManyBroken { .. }
        )
    }
}

impl MasterKey {
    /// What is wrapped for it, as the file has it.
    pub(super) fn wrapped(&self) -> &str {
        match self {
            Self::Age(key) => &key.armored,
            Self::Other(key) => &key.wrapped,
        }
    }
}

impl OtherKey {
    /// Why it could not be opened where no key is allowed.
    pub(super) fn no_service(&self) -> KeyError {
        KeyError::NoService { name: Shown::up_to(&self.name.to_string(), MAX_SHOWN) }
    }
}

impl AgeKey {
    /// Why it could not be opened though one of the identities is its recipient's.
    pub(super) fn broken(&self) -> KeyError {
        KeyError::Broken { recipient: shown(&self.recipient) }
    }

    /// Why it could not be opened, by identities of which there are none at all or some.
    pub(super) fn no_identity(&self, none: bool) -> KeyError {
        let recipient = shown(&self.recipient);
        if self.recipient.trim().starts_with(POST_QUANTUM) {
            KeyError::PostQuantum { recipient }
        } else if none {
            KeyError::NoneConfigured { recipient }
        } else {
            KeyError::NoIdentity { recipient }
        }
    }
}
