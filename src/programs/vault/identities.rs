//! Whoever may be asked who a caller is: each kind of credentials has one.

use std::sync::Arc;

use crate::adapters::identity::ClientCredentials;
use crate::adapters::kubernetes::ServiceAccountTokens;
use crate::domain::identity::Identity;
use crate::domain::ports::{Answer, AuthenticationError, Authenticator, Credentials};

/// Clients by `Basic`, service accounts of the cluster by `Bearer`.
pub(super) struct Identities {
    pub(super) clients: Arc<ClientCredentials>,
    pub(super) tokens: ServiceAccountTokens,
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
}
