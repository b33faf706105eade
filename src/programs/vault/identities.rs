//! Whoever may be asked who a caller is: each kind of credentials has one.

use std::sync::Arc;

use kube::Client;
use tracing::Span;

use crate::adapters::identity::{ClientCredentials, OidcIssuers};
use crate::adapters::kubernetes::{ClusterAdministrators, ServiceAccountTokens};
use crate::adapters::serve::{Method, Metrics, Proof};
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
    metrics: Arc<Metrics>,
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
        Self { clients, issuers, cluster, metrics: Arc::default() }
    }

    /// The same, counted here.
    #[must_use]
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Counts what is answered, and names the method in the span of the moment.
    fn counted<'a>(
        &'a self,
        method: Method,
        answer: Answer<'a, Result<Identity, AuthenticationError>>,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        Box::pin(async move {
            Span::current().record("vanta.method", method.name());
            let answer = answer.await;
            let proof = match &answer {
                Ok(_) => Proof::Accepted,
                Err(AuthenticationError::Refused(_)) => Proof::Refused,
                Err(AuthenticationError::Unavailable(_)) => Proof::Unavailable,
            };
            self.metrics.decisions.reviewed(method, proof);
            answer
        })
    }
}

impl Authenticator for Identities {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        let Credentials::Bearer(token) = credentials else {
            return self.counted(Method::Client, self.clients.authenticate(credentials));
        };
        // What a token claims of its issuer decides whom to ask, and nothing else.
        let token = token.expose_str();
        if let Some((token, issuer)) =
            token.and_then(|token| Some((token, self.issuers.claimed(token)?)))
        {
            let answer = Box::pin(async move { issuer.check(token).await });
            return self.counted(Method::Oidc, answer);
        }
        let answer = match &self.cluster {
            Some((accounts, _)) => accounts.authenticate(credentials),
            None => self.clients.authenticate(credentials),
        };
        self.counted(Method::ServiceAccount, answer)
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
