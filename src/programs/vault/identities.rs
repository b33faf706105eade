//! Whoever may be asked who a caller is: each kind of credentials has one.

use std::sync::Arc;

use kube::Client;

use crate::adapters::identity::{ClientCredentials, OidcIssuers};
use crate::adapters::kubernetes::{ClusterAdministrators, ServiceAccountTokens};
use crate::domain::administration::Administration;
use crate::domain::identity::{Administers, Identity};
use crate::domain::ports::{
    AdministrationError, Answer, AuthenticationError, Authenticator, Credentials,
};

/// Clients by `Basic`; by `Bearer` the subjects of OIDC issuers, and all else that the cluster
/// knows.
pub struct Identities {
    clients: Arc<ClientCredentials>,
    issuers: Arc<OidcIssuers>,
    cluster: Option<(ServiceAccountTokens, ClusterAdministrators)>,
}

impl Identities {
    /// Those of the files, and of a cluster where there is one.
    pub fn new(
        clients: Arc<ClientCredentials>,
        issuers: Arc<OidcIssuers>,
        cluster: Option<Client>,
    ) -> Self {
        let cluster = cluster.map(|client| {
            (ServiceAccountTokens::new(client.clone()), ClusterAdministrators::new(client))
        });
        Self { clients, issuers, cluster }
    }
}

impl Authenticator for Identities {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        let Credentials::Bearer(token) = credentials else {
            return self.clients.authenticate(credentials);
        };
        // What a token claims of its issuer decides whom to ask, and nothing else.
        let token = token.expose_str();
        if let Some((token, issuer)) =
            token.and_then(|token| Some((token, self.issuers.claimed(token)?)))
        {
            return Box::pin(async move { issuer.check(token).await });
        }
        match &self.cluster {
            Some((accounts, _)) => accounts.authenticate(credentials),
            None => self.clients.authenticate(credentials),
        }
    }

    fn administers<'a>(
        &'a self,
        identity: &'a Identity,
        what: Administration,
    ) -> Answer<'a, Result<(), AdministrationError>> {
        match (&identity.administers, &self.cluster) {
            (Administers::AsCluster(user), Some((_, rules))) => Box::pin(rules.check(user, what)),
            _ => self.clients.administers(identity, what),
        }
    }
}
