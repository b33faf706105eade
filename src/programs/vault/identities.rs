//! Whoever may be asked who a caller is: each kind of credentials has one.

use std::sync::Arc;

use crate::adapters::identity::ClientCredentials;
use crate::adapters::kubernetes::{ClusterAdministrators, ServiceAccountTokens};
use crate::domain::administration::Administration;
use crate::domain::identity::{Administers, Identity};
use crate::domain::ports::{
    AdministrationError, Answer, AuthenticationError, Authenticator, Credentials,
};

/// Clients by `Basic`, service accounts of the cluster by `Bearer`.
pub struct Identities {
    /// Those of the file.
    pub clients: Arc<ClientCredentials>,
    /// Service accounts.
    pub tokens: ServiceAccountTokens,
    /// Which service accounts are administrators.
    pub administrators: ClusterAdministrators,
}

impl Authenticator for Identities {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        match credentials {
            Credentials::Basic { .. } => self.clients.authenticate(credentials),
            Credentials::Bearer(_) => self.tokens.authenticate(credentials),
        }
    }

    fn administers<'a>(
        &'a self,
        identity: &'a Identity,
        what: Administration,
    ) -> Answer<'a, Result<(), AdministrationError>> {
        match &identity.administers {
            Administers::AsCluster(user) => Box::pin(self.administrators.check(user, what)),
            Administers::Everything | Administers::Nothing => {
                self.clients.administers(identity, what)
            }
        }
    }
}
