//! Identity tokens of service accounts, made up: what they prove is in their text. The suite on a
//! real cluster (`tests/e2e`) has real ones, which TokenReview checks.

use jiff::{SignedDuration, Timestamp};
use vanta::adapters::identity::ClientCredentials;
use vanta::domain::identity::{Administers, Identity, Method, PodReference, Subject};
use vanta::domain::ports::{Answer, AuthenticationError, Authenticator, Credentials};

/// How each begins. Behind it come the name of an account in namespace `shop` and the seconds after
/// which the proof ends, each after a dot.
pub(crate) const IDENTITY_TOKEN: &str = "made-up-identity";

/// Knows made-up tokens, and leaves all else to the clients.
pub(crate) struct WithPods(pub(crate) ClientCredentials);

impl Authenticator for WithPods {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        let proved = match credentials {
            Credentials::Bearer(token) => token.expose_str().and_then(identity),
            Credentials::Basic { .. } => None,
        };
        match proved {
            Some(identity) => Box::pin(std::future::ready(Ok(identity))),
            None => self.0.authenticate(credentials),
        }
    }
}

fn identity(token: &str) -> Option<Identity> {
    let (account, seconds) =
        token.strip_prefix(IDENTITY_TOKEN)?.strip_prefix('.')?.split_once('.')?;
    let namespace: vanta::domain::names::Label = "shop".parse().ok()?;
    let name: vanta::domain::names::ObjectName = account.parse().ok()?;
    let life = SignedDuration::from_secs(seconds.parse().ok()?);
    Some(Identity {
        method: Method::ServiceAccountToken,
        subject: Subject::ServiceAccount { namespace: namespace.clone(), name: name.clone() },
        pod: Some(PodReference { namespace, name, uid: format!("uid-of-{account}") }),
        service_account_uid: Some(format!("uid-of-account-{account}")),
        credential_id: None,
        expires_at: Some(Timestamp::now() + life),
        administers: Administers::Nothing,
    })
}
