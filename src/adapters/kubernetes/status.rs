//! Writing how a SecretAccess stands into the object.

use std::time::Duration;

use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::json;
use tokio::time::timeout;

use super::explain::explain;
use crate::contract::crd::{API_VERSION, SecretAccess, SecretAccessStatus};

/// Who owns what is written.
const FIELD_MANAGER: &str = "vanta-vault";

/// How long the API server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes the status by server-side apply. An object that is gone needs none.
pub async fn write_status(
    client: &Client,
    namespace: &str,
    name: &str,
    status: &SecretAccessStatus,
) -> Result<(), String> {
    let api: Api<SecretAccess> = Api::namespaced(client.clone(), namespace);
    let patch = json!({
        "apiVersion": API_VERSION,
        "kind": "SecretAccess",
        "metadata": {"name": name, "namespace": namespace},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let what = "patch secretaccesses.vanta.dev/status";
    match timeout(ANSWER_TIMEOUT, api.patch_status(name, &params, &Patch::Apply(&patch))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(Error::Api(status))) if status.code == 404 => Ok(()),
        Ok(Err(error)) => Err(explain(&error, what)),
        Err(_) => Err(format!("to {what}: the API server does not answer in time")),
    }
}
