//! The way to the API server.

use std::time::Duration;

use kube::{Client, Config};

use crate::domain::names::Label;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the API server may be silent within an answer; a watch ends sooner by itself.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// An API server, and the namespace that is the program's own.
#[derive(Clone)]
pub struct Cluster {
    /// Asks it.
    pub client: Client,
    /// The program's own namespace.
    pub namespace: String,
}

/// The API server cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing says where it is.
    #[error(
        "no cluster is configured: in a pod, mount the service account's token \
         (automountServiceAccountToken); elsewhere, set KUBECONFIG ({0})"
    )]
    NotConfigured(kube::config::InferConfigError),
    /// What says where it is cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Unusable(String),
}

impl Cluster {
    /// The cluster that a kubeconfig (`KUBECONFIG`, `~/.kube/config`) names, else the one that the
    /// program runs in. Nothing is asked of it yet, so that it may be away.
    ///
    /// `namespace` takes the place of the configuration's.
    pub async fn connect(namespace: Option<Label>) -> Result<Self, ConnectError> {
        // It is an error that there is one already, and there may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::infer().await.map_err(ConnectError::NotConfigured)?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // Time that a connection was idle is no answer's.
        config.reset_reader_on_write = true;
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), String::from);
        let client = Client::try_from(config);
        let client = client.map_err(|error| ConnectError::Unusable(error.to_string()))?;
        Ok(Self { client, namespace })
    }
}
