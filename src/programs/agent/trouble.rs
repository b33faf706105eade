//! What keeps a grant's values from their file, and what it means for whoever waits.
//!
//! Invariant: no text holds a value or a token.

use crate::adapters::client::ClientError;
use crate::adapters::files::FolderError;
use crate::adapters::process::Status;
use crate::contract::api::problem::ProblemKind;
use crate::domain::render::RenderError;

/// Whether waiting helps.
///
/// In the order in which they tell what an agent that gives up ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It is being done, and nothing is wrong.
    Underway,
    /// It may pass by itself.
    Temporary,
    /// Somebody has to mend a SecretAccess, a value, or the pod.
    Configuration,
    /// Somebody has to grant something.
    Refused,
}

/// Why something is not as it should be, as whoever looks at the pod is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Trouble {
    pub(super) fn underway(text: impl Into<String>) -> Self {
        Self { kind: Kind::Underway, text: text.into() }
    }

    pub(super) fn temporary(text: impl Into<String>) -> Self {
        Self { kind: Kind::Temporary, text: text.into() }
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, text: text.into() }
    }

    pub(super) fn configuration(text: impl Into<String>) -> Self {
        Self { kind: Kind::Configuration, text: text.into() }
    }

    /// Whether somebody has to grant something.
    pub(super) fn is_refusal(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// The same, said of one SecretAccess.
    pub(super) fn of_access(self, name: &str) -> Self {
        Self { text: format!("SecretAccess {name}: {}", self.text), ..self }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Refused(_) | ClientError::NotFound(_) => Kind::Refused,
            ClientError::Rejected(problem)
                if problem.known_kind() == Some(ProblemKind::NotAcceptable) =>
            {
                Kind::Configuration
            }
            // A vault of another version, or an authority that is being changed, may be right soon.
            ClientError::Rejected(_)
            | ClientError::Temporary { .. }
            | ClientError::Protocol { .. }
            | ClientError::Untrusted { .. }
            | ClientError::Configuration(_) => Kind::Temporary,
        };
        Self { kind, text: error.to_string() }
    }
}

impl From<RenderError> for Trouble {
    fn from(error: RenderError) -> Self {
        Self::configuration(error.to_string())
    }
}

impl From<FolderError> for Trouble {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::NotOurs { .. } | FolderError::Root { .. } => {
                Self::configuration(error.to_string())
            }
            FolderError::System { .. } => Self::temporary(error.to_string()),
        }
    }
}

impl From<Kind> for Status {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Underway | Kind::Temporary => Self::Temporary,
            Kind::Refused => Self::Refused,
            Kind::Configuration => Self::Configuration,
        }
    }
}
