//! Identity tokens of service accounts, made up: what they prove is in their text. The suite on a
//! real cluster (`tests/e2e`) has real ones, which TokenReview checks.

use jiff::{SignedDuration, Timestamp};
use vanta::adapters::identity::ClientCredentials;
use vanta::domain::identity::{Identity, Method, PodReference, Subject};
use vanta::domain::ports::{Answer, AuthenticationError, Authenticator, Credentials};

/// How each begins, so that tests find one where it must not be.
pub(crate) const IDENTITY_TOKEN: &str = "made-up-identity";

/// The token of a pod of this service account in namespace `shop`.
pub(crate) fn identity_token(account: &str) -> String {
    identity_token_for(account, 3600)
}

/// The same, whose proof ends so many seconds after it is shown.
pub(crate) fn identity_token_for(account: &str, seconds: u32) -> String {
    format!("{IDENTITY_TOKEN}.{account}.{seconds}")
}

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
    })
}
