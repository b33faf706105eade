//! Why the vault gave no answer, or not the one that was asked for.

use std::io::ErrorKind;

use super::Distrust;
use crate::contract::api::problem::{Problem, ProblemKind};

/// A call's failure. It never holds a token, a client's secret or a value.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// 401 or 403: the vault refuses, and says why.
    #[error("the vault refuses: {}", said(.0))]
    Refused(Problem),
    /// 404: the environment or the key does not exist.
    #[error("the vault does not have it: {}", said(.0))]
    NotFound(Problem),
    /// Another status: the vault does not take the request as it is.
    #[error("the vault does not take the request: {}", said(.0))]
    Rejected(Problem),
    /// 429, 5xx, no connection or no answer in time: it may work later.
    #[error("the vault at {address} cannot answer now: {why}")]
    Temporary {
        /// The vault's address.
        address: String,
        /// What happened.
        why: String,
        /// Whether nothing listens there.
        connection_refused: bool,
        /// What the vault said that it was, where it said anything.
        kind: Option<ProblemKind>,
    },
    /// Whoever answered does not speak as a vault does.
    #[error("the answer is not a vault's: {what}")]
    Protocol {
        /// What was wrong with the answer.
        what: String,
    },
    /// The certificate is not one to believe.
    #[error("the vault at {address} cannot be believed: {why}")]
    Untrusted {
        /// The vault's address.
        address: String,
        /// What is wrong with its certificate.
        why: Distrust,
    },
    /// The client cannot be set up as it is configured.
    #[error("{0}")]
    Configuration(String),
}

fn said(problem: &Problem) -> String {
    let id = problem.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
    // The detail says all that the title does, and what to do.
    let text = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
    format!("{text}{id}")
}

impl ClientError {
    /// One word for what is wrong: the kind of problem, where the vault says one.
    pub fn word(&self) -> &'static str {
        let known = match self {
            Self::Refused(problem) | Self::NotFound(problem) | Self::Rejected(problem) => {
                problem.known_kind()
            }
            Self::Temporary { kind, .. } => *kind,
            Self::Protocol { .. } | Self::Untrusted { .. } | Self::Configuration(_) => None,
        };
        known.map_or("failed", ProblemKind::name)
    }

    /// A failure to exchange anything. The transport's own texts hold addresses at most.
    pub(super) fn of_transport(error: &ureq::Error, address: &str) -> Self {
        let temporary = |why: String, connection_refused| Self::Temporary {
            address: address.to_owned(),
            why,
            connection_refused,
            kind: None,
        };
        match error {
            ureq::Error::Timeout(_) => temporary("it took too long".to_owned(), false),
            ureq::Error::HostNotFound => temporary("its name is not known".to_owned(), false),
            ureq::Error::ConnectionFailed => temporary("no connection is made".to_owned(), true),
            ureq::Error::Rustls(error) => {
                Self::Untrusted { address: address.to_owned(), why: error.into() }
            }
            // rustls' errors come through input and output as "invalid data".
            ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
                Self::Untrusted { address: address.to_owned(), why: error.into() }
            }
            ureq::Error::Io(error) => {
                temporary(error.to_string(), error.kind() == ErrorKind::ConnectionRefused)
            }
            ureq::Error::BodyExceedsLimit(_) => Self::Protocol {
                what: format!("it is longer than {} bytes", super::exchange::MAX_BODY),
            },
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
                temporary("the proxy gives no connection to it".to_owned(), false)
            }
            _ => Self::Protocol { what: "it is not well-formed HTTP".to_owned() },
        }
    }
}
