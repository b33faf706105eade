//! The key that signs access tokens, made once for a cluster.

use std::time::Duration;

use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::Error;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::connect::Cluster;
use super::explain::explain;

/// How long it is tried to reach an API server that is away.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

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
pub async fn make_signing_key(cluster: &Cluster, name: &str) -> Result<Made, String> {
    let secret = secret(name).map_err(|error| format!("no random bytes could be had: {error}"))?;
    let namespace = &cluster.namespace;
    let what = format!("create secrets in {namespace}");
    let until = Instant::now() + PATIENCE;
    loop {
        let request = Request::post(format!("/api/v1/namespaces/{namespace}/secrets"))
            .header("content-type", "application/json")
            .body(secret.to_vec())
            .map_err(|error| format!("to {what}: {error}"))?;
        // As text: an answer that the library cannot read it would log, with the key in it.
        let created = timeout(ANSWER_TIMEOUT, cluster.client.request_text(request)).await;
        let (passing, reason) = match created {
            Ok(Ok(_)) => return Ok(Made::New),
            Ok(Err(Error::Api(status))) if status.code == 409 => {
                if status.reason == "AlreadyExists" {
                    return Ok(Made::Kept);
                }
                (true, explain(&Error::Api(status), &what))
            }
            Ok(Err(error)) => (is_passing(&error), explain(&error, &what)),
            Err(_) => (true, format!("to {what}: the API server does not answer in time")),
        };
        if !passing || Instant::now() >= until {
            return Err(reason);
        }
        tracing::warn!(reason, "the signing key is not made yet; it is tried again");
        sleep(PAUSE).await;
    }
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Api(status) => status.code == 429 || status.code >= 500,
        Error::HyperError(_) | Error::Service(_) => true,
        _ => false,
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
