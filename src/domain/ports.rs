//! What the programs need of the world outside: the only three traits of the crate.
//!
//! Each has a real implementation in `adapters` and a fake beside the tests that use it.

use std::collections::BTreeMap;
use std::pin::Pin;

use super::administration::Administration;
use super::claims::{Claims, TokenId};
use super::identity::{Administers, Identity, Subject};
use super::names::{Environment, Key, Label};
use super::policy::Grant;
use super::revocation::{IssuedToken, Revocation, SubjectStanding};
use super::secret::SecretValue;

/// An answer that has to be waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the secrets are.
pub trait SecretStore: Send + Sync {
    /// The value of the one key that the grant is for.
    fn read(&self, grant: &Grant) -> Result<SecretValue, SecretStoreError>;

    /// The keys of an environment, in order.
    fn keys(&self, environment: &Environment) -> Result<Vec<Key>, SecretStoreError>;

    /// The values of the keys for which `select` gives a grant to read, all of one version of
    /// the environment.
    fn read_all(
        &self,
        environment: &Environment,
        select: &dyn Fn(&Key) -> Option<Grant>,
    ) -> Result<BTreeMap<Key, SecretValue>, SecretStoreError>;
}

/// Why a value cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretStoreError {
    /// There is no file for the environment.
    #[error("environment {0} does not exist")]
    NoEnvironment(Environment),
    /// There was a file for the environment, and it is gone.
    #[error("environment {0} is not served any more: its file is gone")]
    Gone(Environment),
    /// There is a file, and no version of it could be loaded. The text says why, for the log.
    #[error("environment {environment} cannot be opened: {reason}")]
    Unreadable {
        /// The environment.
        environment: Environment,
        /// What is wrong, as far as a caller is told.
        fault: FileFault,
        /// Why, without a value or the file's content.
        reason: String,
    },
    /// The administrator does not allow a value of this kind to be served.
    #[error("{key} in environment {environment}: {reason}")]
    Withheld {
        /// The environment.
        environment: Environment,
        /// The key.
        key: Key,
        /// Why, and which setting would allow it.
        reason: String,
    },
    /// The environment has no such key.
    #[error("environment {environment} has no key {key}")]
    NoKey {
        /// The environment.
        environment: Environment,
        /// The key.
        key: Key,
    },
    /// One value could not be decrypted.
    #[error("the value of {key} in environment {environment} cannot be decrypted: {reason}")]
    Undecryptable {
        /// The environment.
        environment: Environment,
        /// The key.
        key: Key,
        /// Why, without the value.
        reason: String,
    },
    /// The grant is not one to read a single key of this environment.
    #[error("the grant is not one to read this key")]
    NotGranted,
}

/// What is wrong with an environment's file, as far as a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// It was changed by somebody without its key: a MAC or a value is not authentic.
    Tampered,
    /// It has no MAC, so nothing proves that it is whole.
    NoMac,
    /// None of the vault's identities opens it.
    NoIdentity,
    /// It is refused for another reason, or cannot be read.
    Refused,
    /// It is not known yet what is in it, or which files there are.
    Awaited,
}

/// Which tokens have uses left, and which are revoked.
pub trait TokenStore: Send + Sync {
    /// Writes down a token before it is handed out.
    fn issue<'a>(&'a self, claims: &'a Claims) -> Answer<'a, Result<(), TokenStoreError>>;

    /// Takes one use, or none where none is left.
    fn take_use<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Result<UseTaken, TokenStoreError>>;

    /// How many uses are left, without taking one; none where the token is unknown.
    fn uses_left<'a>(&'a self, id: &'a TokenId)
    -> Answer<'a, Result<Option<u32>, TokenStoreError>>;

    /// Stores a revocation, which holds from this moment on.
    fn revoke(&self, revocation: Revocation) -> Answer<'_, Result<(), TokenStoreError>>;

    /// Whether a token is revoked, as far as this replica has heard.
    fn is_revoked(&self, token: IssuedToken<'_>) -> Result<bool, StaleRevocations>;

    /// How a subject stands, as far as this replica has heard.
    fn standing(&self, subject: &Subject) -> Result<SubjectStanding, StaleRevocations>;
}

/// It is so long since this replica has heard of revocations that it may have missed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("revocations were not heard of for {seconds} s")]
pub struct StaleRevocations {
    /// For how many seconds.
    pub seconds: u64,
}

/// What became of an attempt to take a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseTaken {
    /// One was taken.
    Taken,
    /// None was left.
    Exhausted,
    /// The store has never heard of the token.
    Unknown,
}

/// The state store did not answer, or not in time. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state store is unavailable: {0}")]
pub struct TokenStoreError(pub String);

/// Who checks a caller's proof of identity.
pub trait Authenticator: Send + Sync {
    /// The identity that these credentials prove.
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>>;

    /// Whether an identity may do this, which no grant gives, as it stands at this moment.
    ///
    /// Without a cluster to ask, that is so where its credentials alone make it an administrator.
    fn administers<'a>(
        &'a self,
        identity: &'a Identity,
        _what: Administration,
    ) -> Answer<'a, Result<(), AdministrationError>> {
        Box::pin(std::future::ready(match identity.administers {
            Administers::Everything => Ok(()),
            Administers::Nothing | Administers::AsCluster(_) => {
                Err(AdministrationError::Refused("its credentials are no administrator's".into()))
            }
        }))
    }
}

/// What a caller shows to prove who it is.
pub enum Credentials {
    /// A client's name and secret (RFC 7617).
    Basic {
        /// The client's name.
        name: Label,
        /// Its secret.
        secret: SecretValue,
    },
    /// A token of somebody else's (RFC 6750).
    Bearer(SecretValue),
}

/// Why credentials prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// They are wrong, expired, or of no known kind. The text is for the log.
    #[error("the credentials are refused: {0}")]
    Refused(String),
    /// Whoever must be asked does not answer. The text is for the log.
    #[error("the credentials cannot be checked: {0}")]
    Unavailable(String),
}

/// Why an identity may not administer. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdministrationError {
    /// It is no administrator in this.
    #[error("it is no administrator: {0}")]
    Refused(String),
    /// Whoever must be asked does not answer.
    #[error("whether it is an administrator cannot be asked: {0}")]
    Unavailable(String),
}
