//! The vault as the agent speaks to it: the pod's identity and the authority are read again for
//! each call, since the kubelet changes both under a running pod.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::config::Config;
use super::pace::jittered;
use super::trace::Tracer;
use super::trouble::Trouble;
use crate::adapters::client::{
    AccessToken, Address, Authorities, ClientError, Credential, EntityTag, TaggedValues,
    VaultClient,
};
use crate::adapters::files::{ReadError, read_bounded, read_text};
use crate::contract::api::access::AccessList;
use crate::contract::api::tokens::GenerateRequest;
use crate::domain::grants::Permission;
use crate::domain::names::Environment;
use crate::domain::pattern::KeyPattern;
use crate::domain::pod::AUTHORITY_CONFIG_MAP;

/// The longest token and the longest file of authorities that are read.
const LONGEST_TOKEN: u64 = 64 * 1024;
const LONGEST_AUTHORITY: u64 = 1024 * 1024;

/// Longer than any token's life, in seconds: what a vault says beyond it is not believed.
const LONGEST_LIFE: u64 = 7 * 24 * 60 * 60;

/// One vault, for all threads of the agent.
pub(super) struct Vault {
    address: Address,
    authority_file: PathBuf,
    identity_file: PathBuf,
    names: Vec<String>,
    /// The client, and the authorities' file that it was made from.
    client: Mutex<Option<(Vec<u8>, Arc<VaultClient>)>>,
    /// None where nothing is traced.
    tracer: Option<Arc<Tracer>>,
}

/// An access token, and until when it is of use.
pub(super) struct Token {
    text: AccessToken,
    /// From then on another one is to be asked for.
    pub(super) renew_at: Instant,
    pub(super) ends_at: Instant,
    /// How many more answers may carry values, where that is counted.
    pub(super) uses_left: Option<u32>,
}

impl Vault {
    pub(super) fn new(config: &Config, tracer: Option<Arc<Tracer>>) -> Self {
        Self {
            address: config.address.clone(),
            authority_file: config.authority_file.clone(),
            identity_file: config.identity_file.clone(),
            names: config.access.iter().map(ToString::to_string).collect(),
            client: Mutex::new(None),
            tracer,
        }
    }

    /// Does work whose requests are of one trace.
    pub(super) fn fetch<T>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let Some(tracer) = &self.tracer else { return work() };
        tracer.within(name, false, |_| work(), |done| done.as_ref().err().map(|_| "failed"))
    }

    /// Makes one request, whose name is its method and route.
    fn call<T>(
        &self,
        name: &'static str,
        client: &VaultClient,
        request: impl FnOnce(&VaultClient) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let Some(tracer) = &self.tracer else { return request(client) };
        let in_trace = |trace_parent: &str| request(&client.in_trace(trace_parent));
        tracer.within(name, true, in_trace, |done| done.as_ref().err().map(ClientError::word))
    }

    /// What the pod may have now, of what is wanted.
    pub(super) fn access(&self) -> Result<AccessList, Trouble> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let (client, identity) = (self.client()?, self.identity()?);
        let access = |client: &VaultClient| client.access(&identity, &names);
        Ok(self.call("GET /api/v1/access", &client, access)?)
    }

    /// A token to read and list these keys, for as long and as often as the grants allow.
    pub(super) fn token(
        &self,
        environment: &Environment,
        pattern: &KeyPattern,
    ) -> Result<Token, Trouble> {
        let request = GenerateRequest {
            subject: None,
            environment: environment.clone(),
            key_pattern: pattern.clone(),
            ttl_minutes: None,
            usage_limit: None,
            permissions: vec![Permission::Read, Permission::List],
        };
        // Before the call, so that the token ends here sooner than there.
        let now = Instant::now();
        let (client, identity) = (self.client()?, self.identity()?);
        let generate = |client: &VaultClient| client.generate(&identity, &request);
        let issued = self.call("POST /api/v1/vault/tokens/generate", &client, generate)?;
        let life = u64::try_from(issued.expires_in).unwrap_or_default().min(LONGEST_LIFE);
        let life = Duration::from_secs(life);
        let token = Zeroizing::new(issued.token);
        let text = AccessToken::new(&token).map_err(|why| {
            Trouble::temporary(format!("the vault's token cannot be used: {why}"))
        })?;
        Ok(Token {
            text,
            // Two thirds of its life, and 20 % of jitter around them.
            renew_at: now + jittered(life.mul_f64(2.0 / 3.0 * 1.1), 0.2 / 1.1),
            ends_at: now + life,
            uses_left: issued.usage_limit,
        })
    }

    /// The values that the token reaches, or none where they are those that are known still.
    pub(super) fn values(
        &self,
        token: &Token,
        environment: &Environment,
        pattern: &KeyPattern,
        known: Option<(&EntityTag, Duration)>,
    ) -> Result<Option<TaggedValues>, CallError> {
        let client = self.client().map_err(CallError::Before)?;
        let values =
            |client: &VaultClient| client.values_unless(&token.text, environment, pattern, known);
        let values = self.call("GET /api/v1/vault/{environment}", &client, values);
        values.map_err(CallError::Vault)
    }

    fn identity(&self) -> Result<Credential, Trouble> {
        let file = self.identity_file.display();
        let text = read_text(&self.identity_file, LONGEST_TOKEN).map(Zeroizing::new);
        let text = text.map_err(|error| {
            Trouble::temporary(format!("the identity token cannot be read from {file}: {error}"))
        })?;
        Credential::identity_token(&text).map_err(|why| {
            Trouble::temporary(format!("the identity token in {file} cannot be used: {why}"))
        })
    }

    /// The client, made anew when the authorities changed. Where their file is gone or cannot be
    /// used, whom it named before is believed still: a pod's files must not depend on it.
    fn client(&self) -> Result<Arc<VaultClient>, Trouble> {
        // A panic of another thread leaves nothing half done in it.
        let mut made = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.authorities(made.as_ref().map(|(file, _)| file.as_slice())), made.as_ref()) {
            (Ok(None) | Err(_), Some((_, client))) => Ok(Arc::clone(client)),
            (Err(trouble), None) => Err(trouble),
            (Ok(changed), _) => {
                let (file, authorities) = changed.unwrap_or_default();
                let client = Arc::new(VaultClient::believing(self.address.clone(), authorities));
                *made = Some((file, Arc::clone(&client)));
                Ok(client)
            }
        }
    }

    /// The authorities, unless their file is as it was.
    fn authorities(
        &self,
        before: Option<&[u8]>,
    ) -> Result<Option<(Vec<u8>, Authorities)>, Trouble> {
        if !self.address.is_encrypted() {
            return Ok(None);
        }
        let file = &self.authority_file;
        let pem =
            read_bounded(file, LONGEST_AUTHORITY).map_err(|error| no_authority(file, &error))?;
        if before == Some(pem.as_slice()) {
            return Ok(None);
        }
        let authorities = Authorities::in_pem(&pem, file)?;
        Ok(Some((pem, authorities)))
    }
}

fn no_authority(file: &std::path::Path, error: &ReadError) -> Trouble {
    let file = file.display();
    Trouble::temporary(if error.is_missing() {
        format!(
            "there is no certificate authority in {file} yet: the injector keeps it in the \
             ConfigMap {AUTHORITY_CONFIG_MAP} of each namespace, and the kubelet brings it here"
        )
    } else {
        format!("the certificate authority cannot be read from {file}: {error}")
    })
}

/// Why a call with a token failed.
pub(super) enum CallError {
    /// Nothing was sent.
    Before(Trouble),
    /// The vault did not give what was asked for.
    Vault(ClientError),
}

impl CallError {
    /// Whether another token may do: this one has ended, was revoked, or has no uses left.
    pub(super) fn is_the_token_s(&self) -> bool {
        matches!(self, Self::Vault(ClientError::Refused(problem)) if problem.status == 401)
    }

    /// Whether the token is of no use here any more.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Vault(ClientError::Refused(_)))
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Before(trouble) => trouble,
            CallError::Vault(error) => error.into(),
        }
    }
}
