//! Who a caller is, once it has proved it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::names::{InvalidName, Label, ObjectName};

/// Whom a grant is for, in the form that it has in claims and in the audit.
///
/// `system:serviceaccount:NAMESPACE:NAME`, `client:NAME` or `oidc:ISSUER:SUBJECT`. Colons in the
/// issuer after `https://` are written `%3A`, so that no two subjects share a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// A Kubernetes service account.
    ServiceAccount {
        /// Its namespace.
        namespace: Label,
        /// Its name.
        name: ObjectName,
    },
    /// A client with credentials of its own, outside a cluster.
    Client(Label),
    /// A subject of an OpenID Connect issuer.
    Oidc {
        /// The issuer's `https` URL.
        issuer: String,
        /// The `sub` claim, as the issuer wrote it.
        subject: String,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount { namespace, name } => {
                write!(f, "system:serviceaccount:{namespace}:{name}")
            }
            Self::Client(name) => write!(f, "client:{name}"),
            Self::Oidc { issuer, subject } => {
                let host_and_path = issuer.strip_prefix("https://").unwrap_or(issuer);
                let escaped = host_and_path.replace('%', "%25").replace(':', "%3A");
                write!(f, "oidc:https://{escaped}:{subject}")
            }
        }
    }
}

impl FromStr for Subject {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = || {
            InvalidName::new(
                "subject",
                text,
                "write system:serviceaccount:NAMESPACE:NAME, client:NAME or oidc:ISSUER:SUBJECT",
            )
        };
        if let Some(account) = text.strip_prefix("system:serviceaccount:") {
            let (namespace, name) = account.split_once(':').ok_or_else(refuse)?;
            return Ok(Self::ServiceAccount { namespace: namespace.parse()?, name: name.parse()? });
        }
        if let Some(name) = text.strip_prefix("client:") {
            return Ok(Self::Client(name.parse()?));
        }
        let (issuer, subject) = text
            .strip_prefix("oidc:https://")
            .and_then(|rest| rest.split_once(':'))
            .filter(|(issuer, subject)| !issuer.is_empty() && !subject.is_empty())
            .ok_or_else(refuse)?;
        let issuer = issuer.replace("%3A", ":").replace("%25", "%");
        Ok(Self::Oidc { issuer: format!("https://{issuer}"), subject: subject.to_owned() })
    }
}

impl TryFrom<String> for Subject {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

/// How a client's secret begins, so that scanners of code know one when they see it.
pub(crate) const CLIENT_SECRET_PREFIX: &str = "vanta_client_";

/// A client's secret: the prefix, and 256 random bits as 43 characters of base64url. Only a secret
/// of this form is safe to keep as a plain hash.
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// The secret of these random bytes.
    pub fn from_random(random: &[u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(CLIENT_SECRET_PREFIX.len() + 44));
        text.push_str(CLIENT_SECRET_PREFIX);
        URL_SAFE_NO_PAD.encode_string(random, &mut text);
        Self(text)
    }

    /// The secret that this is, where it has the form of one.
    pub fn parse(secret: &[u8]) -> Option<Self> {
        let random = secret.strip_prefix(CLIENT_SECRET_PREFIX.as_bytes())?;
        let base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let well_formed = random.len() == 43 && random.iter().all(base64url);
        let text = std::str::from_utf8(secret).ok().filter(|_| well_formed)?;
        Some(Self(Zeroizing::new(text.to_owned())))
    }

    /// What is kept of it.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The secret as text. Each call is a place where it can leak: keep them few.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([redacted])")
    }
}

/// Whether this has the form of a [`ClientSecret`].
pub fn is_client_secret(secret: &[u8]) -> bool {
    ClientSecret::parse(secret).is_some()
}

/// The pod that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodReference {
    /// The pod's namespace.
    pub namespace: Label,
    /// The pod's name.
    pub name: ObjectName,
    /// The pod's uid.
    pub uid: String,
}

/// How an identity was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Name and secret of a client (RFC 7617).
    ClientCredential,
    /// A Kubernetes service-account token, checked by TokenReview.
    ServiceAccountToken,
    /// An OpenID Connect ID token.
    Oidc,
    /// An access token of the vault's own.
    AccessToken,
}

/// What the cluster knows a caller as, for its own rules to decide by. It is asked again each time:
/// none of it is written down or put into a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterUser {
    /// The user's name.
    pub name: String,
    /// The user's uid, where it has one.
    pub uid: Option<String>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// What else the cluster knows of the user: the pod that the proof is bound to, say.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What a caller may do beyond its grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Administers {
    /// Nothing.
    Nothing,
    /// All that there is.
    Everything,
    /// What the cluster's rules allow this user.
    AsCluster(Box<ClusterUser>),
}

/// What a caller proved about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How it was proved.
    pub method: Method,
    /// Who it is.
    pub subject: Subject,
    /// The pod that the proof is bound to, where there is one.
    pub pod: Option<PodReference>,
    /// The uid of the service account, where there is one.
    pub service_account_uid: Option<String>,
    /// Which of the subject's credentials was used: never the credential itself.
    pub credential_id: Option<String>,
    /// When the proof ends: no access token outlives it.
    pub expires_at: Option<jiff::Timestamp>,
    /// What it may do beyond its grants.
    pub administers: Administers,
}

impl Identity {
    /// A subject with as good a proof as it can ever have, which nobody gave: a service account's
    /// is bound to a pod, one of no uid. It tells what grants would give.
    pub fn supposed(subject: Subject) -> Self {
        let (method, pod) = match &subject {
            Subject::ServiceAccount { namespace, name } => {
                let (namespace, name) = (namespace.clone(), name.clone());
                let pod = PodReference { namespace, name, uid: String::new() };
                (Method::ServiceAccountToken, Some(pod))
            }
            Subject::Client(_) => (Method::ClientCredential, None),
            Subject::Oidc { .. } => (Method::Oidc, None),
        };
        Self {
            method,
            subject,
            pod,
            service_account_uid: None,
            credential_id: None,
            expires_at: None,
            administers: Administers::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_reads_back_and_shows_nothing() {
        let secret = ClientSecret::from_random(&[7; 32]);
        let read = ClientSecret::parse(secret.expose().as_bytes()).unwrap();
        assert_eq!(read.sha256(), secret.sha256());
        assert_eq!(format!("{secret:?}"), "ClientSecret([redacted])");
        let hash: [u8; 32] = Sha256::digest(secret.expose()).into();
        assert_eq!(secret.sha256(), hash, "it is what is kept in the clients' file");
        assert!(is_client_secret(secret.expose().as_bytes()));
        assert!(!is_client_secret(b"vanta_client_") && !is_client_secret(b"GREETING"));
        for bad in
            ["hunter2", "vanta_client_", &secret.expose()[1..], &format!("{}A", secret.expose())]
        {
            assert!(ClientSecret::parse(bad.as_bytes()).is_none(), "{bad:?} was accepted");
        }
    }

    fn round_trips(text: &str) {
        assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
    }

    #[test]
    fn a_subject_reads_back_as_it_was_written() {
        round_trips("system:serviceaccount:shop:checkout");
        round_trips("client:ci");
        round_trips("oidc:https://issuer.example:repo:org/app:ref:main");
        round_trips("oidc:https://issuer.example%3A8443/path:443:x");
    }

    #[test]
    fn two_oidc_subjects_never_share_a_text() {
        let oidc = |issuer: &str, subject: &str| Subject::Oidc {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        };
        let with_port = oidc("https://a:443", "c");
        let without = oidc("https://a", "443:c");
        let escaped = oidc("https://a%3A443", "c");
        assert_ne!(with_port.to_string(), without.to_string());
        assert_ne!(with_port.to_string(), escaped.to_string());
        for subject in [with_port, without, escaped] {
            assert_eq!(subject.to_string().parse::<Subject>().unwrap(), subject);
        }
    }

    #[test]
    fn what_is_no_subject_is_refused() {
        for bad in [
            "",
            "ci",
            "client:",
            "client:A",
            "client:a:b",
            "system:serviceaccount:shop",
            "system:serviceaccount:shop:a:b",
            "system:node:n",
            "oidc:http://a:b",
            "oidc:https://:b",
            "oidc:https://a:",
            "oidc:https://a",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?} was accepted");
        }
    }
}
