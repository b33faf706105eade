//! The key that signs access tokens, made once for a cluster.

use std::time::Duration;

use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::ask::{ClusterError, ask};
use super::connect::Cluster;

/// How long it is tried to reach an API server that is away.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// The key is not made.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// There would be no key.
    #[error("no random bytes could be had: {0}")]
    Random(#[from] getrandom::Error),
    /// The Secret cannot be put into a request.
    #[error("the request cannot be made: {0}")]
    Request(#[from] axum::http::Error),
    /// The API server does not make the Secret.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// What became of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// There is a new one.
    New,
    /// There was one, and it stays.
    Kept,
}

/// Makes a Secret with a random signing key below `signing-key`, where there is no Secret of that
/// name. One that is there is neither read nor changed.
pub async fn make_signing_key(cluster: &Cluster, name: &str) -> Result<Made, SigningKeyError> {
    let secret = secret(name)?;
    let namespace = &cluster.namespace;
    let what = format!("create secrets in {namespace}");
    let until = Instant::now() + PATIENCE;
    loop {
        let request = Request::post(format!("/api/v1/namespaces/{namespace}/secrets"))
            .header("content-type", "application/json")
            .body(secret.to_vec())?;
        // As text: an answer that the library cannot read it would log, with the key in it.
        let Err(error) = ask(&what, cluster.client.request_text(request)).await else {
            return Ok(Made::New);
        };
        match attempt(&error) {
            Attempt::Needless => return Ok(Made::Kept),
            Attempt::Again if Instant::now() < until => {}
            Attempt::Again | Attempt::Futile => return Err(error.into()),
        }
        tracing::warn!(reason = %error, "the signing key is not made yet; it is tried again");
        sleep(PAUSE).await;
    }
}

/// What another attempt would be.
enum Attempt {
    Needless,
    Again,
    Futile,
}

fn attempt(error: &ClusterError) -> Attempt {
    match error {
        ClusterError::Refused { status, .. } => match status.code {
            409 if status.reason == "AlreadyExists" => Attempt::Needless,
            409 | 429 | 500.. => Attempt::Again,
            _ => Attempt::Futile,
        },
        ClusterError::Silent { .. } => Attempt::Again,
        ClusterError::NotUnderstood { .. } | ClusterError::NoCredentials { .. } => Attempt::Futile,
    }
}

fn secret(name: &str) -> Result<Zeroizing<Vec<u8>>, getrandom::Error> {
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(random.as_mut_slice())?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/part-of": "vanta",
                "app.kubernetes.io/managed-by": "vanta",
            },
        },
        "type": "Opaque",
        "stringData": {"signing-key": URL_SAFE_NO_PAD.encode(random.as_slice())},
    });
    Ok(Zeroizing::new(secret.to_string().into_bytes()))
}
