//! Keeps the authority and the certificates: looks, does the one thing that is next, and looks
//! again, until there is nothing left to do.
//!
//! Invariant: certificates are read before the authority, so that none is replaced for the sake of
//! an authority that is older than what signed it.

use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use super::metrics::Metrics;
use super::standing::Standing;
use crate::adapters::authority::{
    Authority, AuthorityError, Bundle, Filled, SecretData, Secrets, Signer, StoredSecret, Written,
    authority_data, bundle, certificate_and_key, fill_bundle, read_served, with_bundle,
};
use crate::adapters::kubernetes::ClusterError;
use crate::adapters::serve::{PemError, server_config};
use crate::domain::authority::{AuthorityStep, authority_step, reissue, service_names};
use crate::domain::system::{AUTHORITY_SECRET, INJECTOR, INJECTOR_SECRET, VAULT, VAULT_SECRET};

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(30);

/// How soon is looked again after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// The most writes that one look can take: more means that somebody undoes them.
const MOST_STEPS: usize = 12;

/// The Secret of each service, and the service.
const OF_INJECTOR: (&str, &str) = (INJECTOR_SECRET, INJECTOR);
const OF_VAULT: (&str, &str) = (VAULT_SECRET, VAULT);

/// What stands in the way.
#[derive(Debug, thiserror::Error)]
enum CertificatesError {
    #[error("{0}")]
    Cluster(#[from] ClusterError),
    #[error(
        "Secret {AUTHORITY_SECRET} holds no authority: {0}; put one in tls.crt and tls.key, or delete the Secret, and a new authority is made"
    )]
    Authority(AuthorityError),
    #[error("{0}")]
    Make(AuthorityError),
    #[error("the certificate of Secret {INJECTOR_SECRET}: {0}")]
    Serve(#[from] PemError),
    #[error("somebody else keeps changing the Secrets of the certificates: find out who")]
    Contested,
}

/// All as it should be.
struct Settled {
    bundle: String,
    injector: StoredSecret,
}

/// Keeps the certificates.
pub(super) struct Certificates {
    pub(super) client: Client,
    pub(super) secrets: Secrets,
    pub(super) namespace: String,
    /// What the webhooks are served with, once there is a certificate.
    pub(super) tls: watch::Sender<Option<RustlsConfig>>,
    pub(super) bundle: watch::Sender<Bundle>,
    pub(super) standing: Arc<Standing>,
    pub(super) metrics: Arc<Metrics>,
}

impl Certificates {
    /// Keeps them for as long as the program runs.
    pub(super) async fn run(self) {
        let mut served = Vec::new();
        loop {
            let looked = self.look(&mut served).await;
            let wait = if looked { PERIOD } else { RETRY };
            tokio::time::sleep(wait).await;
        }
    }

    /// Looks once, and says whether all is well.
    async fn look(&self, served: &mut Vec<u8>) -> bool {
        let settled = self.settle().await.and_then(|settled| {
            self.serve(&settled, served)?;
            Ok(settled)
        });
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => {
                if self.standing.certificates.set(Some(error.to_string())) {
                    tracing::warn!(%error, "the certificates are not as they should be; it is tried again");
                }
                return false;
            }
        };
        self.standing.certificates.set(None);
        let filled = fill_bundle(self.client.clone(), INJECTOR, &settled.bundle).await;
        let error = match filled {
            Ok(Filled::Already) => None,
            Ok(Filled::Now) => {
                tracing::info!("the webhook configuration trusts the authority");
                None
            }
            Ok(Filled::Missing) => Some(format!(
                "there is no MutatingWebhookConfiguration {INJECTOR}: install the chart"
            )),
            Err(error) => Some(error.to_string()),
        };
        let is_well = error.is_none();
        if self.standing.webhook.set(error.clone()) {
            tracing::warn!(error, "the API server may not trust this injector; it is tried again");
        }
        self.bundle.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(settled.bundle.as_str());
            *known = Some(settled.bundle.into());
            is_new
        });
        is_well
    }

    /// Serves the injector's own certificate, where it is another than before.
    fn serve(&self, settled: &Settled, served: &mut Vec<u8>) -> Result<(), CertificatesError> {
        let (certificate, key) = certificate_and_key(&settled.injector);
        if *served == certificate {
            return Ok(());
        }
        let config = server_config(certificate, key)?;
        self.tls.send_modify(|tls| match tls {
            Some(tls) => tls.reload_from_config(config),
            None => *tls = Some(RustlsConfig::from_config(config)),
        });
        *served = certificate.to_vec();
        tracing::info!("the certificate is served");
        Ok(())
    }

    async fn settle(&self) -> Result<Settled, CertificatesError> {
        for _ in 0..MOST_STEPS {
            if let Some(settled) = self.step().await? {
                return Ok(settled);
            }
        }
        Err(CertificatesError::Contested)
    }

    /// Does one thing, or none where nothing is left to do. Who was slower than another replica has
    /// done nothing, and sees at the next step what the other has done.
    async fn step(&self) -> Result<Option<Settled>, CertificatesError> {
        let now = Timestamp::now().as_second();
        let injector = self.secrets.read(OF_INJECTOR.0).await?;
        let vault = self.secrets.read(OF_VAULT.0).await?;
        let Some(stored) = self.secrets.read(AUTHORITY_SECRET).await? else {
            let data = authority_data(&create(now)?, None, vec![]);
            tell(self.secrets.create(AUTHORITY_SECRET, data).await?, "an authority was made");
            return Ok(None);
        };
        let authority = Authority::read(&stored).map_err(CertificatesError::Authority)?;
        if let Some((data, done)) = next_authority(&authority, now)? {
            tell(self.secrets.replace(AUTHORITY_SECRET, stored, data).await?, done);
            return Ok(None);
        }
        let Authority { current, .. } = &authority;
        self.metrics.certificate("authority", current.certificate.validity.end);
        let bundle = bundle(&authority.trusted(now));
        let vault = self.keep(OF_VAULT, vault, current, &bundle, now).await?;
        let injector = self.keep(OF_INJECTOR, injector, current, &bundle, now).await?;
        Ok(match (vault, injector) {
            (Some(_), Some(injector)) => Some(Settled { bundle, injector }),
            _ => None,
        })
    }

    /// Gives the Secret of a service where nothing has to be done about it.
    async fn keep(
        &self,
        (name, service): (&'static str, &'static str),
        stored: Option<StoredSecret>,
        authority: &Signer,
        bundle: &str,
        now: i64,
    ) -> Result<Option<StoredSecret>, CertificatesError> {
        let names = service_names(service, &self.namespace);
        let served = stored.as_ref().and_then(|stored| read_served(stored, authority));
        let (data, reason) = if let Some(reason) = reissue(served.as_ref(), &names, now) {
            let issued = authority.issue(&names, bundle, now);
            (issued.map_err(CertificatesError::Make)?, reason.as_str())
        } else if let Some(data) = stored.as_ref().and_then(|it| with_bundle(it, bundle)) {
            (data, "the bundle is another")
        } else {
            self.metrics.certificate(service, served.map_or(0, |served| served.validity.end));
            return Ok(stored);
        };
        let written = match stored {
            None => self.secrets.create(name, data).await?,
            Some(stored) => self.secrets.replace(name, stored, data).await?,
        };
        if written == Written::Done {
            tracing::info!(secret = name, reason, "a certificate was written");
        }
        Ok(None)
    }
}

/// What the authority's Secret has to hold from now on, where that is not what it holds.
fn next_authority(
    authority: &Authority,
    now: i64,
) -> Result<Option<(SecretData, &'static str)>, CertificatesError> {
    let validity = |signer: &Signer| signer.certificate.validity;
    let next = authority.next.as_ref();
    let step = authority_step(Some(validity(&authority.current)), next.map(validity), now);
    let trusted = authority.trusted(now);
    Ok(match (step, next) {
        (AuthorityStep::Keep, _) if authority.has_its_bundle(now) => None,
        (AuthorityStep::Keep, _) => {
            Some((authority_data(&authority.current, next, trusted), "the bundle was put right"))
        }
        (AuthorityStep::Promote, Some(next)) => {
            Some((authority_data(next, None, trusted), "the next authority signs from now on"))
        }
        (AuthorityStep::Prepare, _) => {
            let data = authority_data(&authority.current, Some(&create(now)?), trusted);
            Some((data, "the next authority was made, and is trusted from now on"))
        }
        (AuthorityStep::Create | AuthorityStep::Promote, _) => {
            let data = authority_data(&create(now)?, None, trusted);
            Some((data, "the authority was over, and a new one was made"))
        }
    })
}

fn create(now: i64) -> Result<Signer, CertificatesError> {
    Signer::create(now).map_err(CertificatesError::Make)
}

fn tell(written: Written, done: &str) {
    match written {
        Written::Done => tracing::info!(secret = AUTHORITY_SECRET, "{done}"),
        Written::Raced => tracing::info!(secret = AUTHORITY_SECRET, "another replica was faster"),
    }
}
