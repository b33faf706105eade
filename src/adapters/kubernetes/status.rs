//! Writing how a SecretAccess stands into the object.

use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::ask::{ClusterError, ask};
use crate::contract::crd::{API_VERSION, SecretAccess, SecretAccessStatus};
use crate::domain::system::VAULT;

/// Writes the status by server-side apply. An object that is gone needs none.
pub async fn write_status(
    client: &Client,
    namespace: &str,
    name: &str,
    status: &SecretAccessStatus,
) -> Result<(), ClusterError> {
    let api: Api<SecretAccess> = Api::namespaced(client.clone(), namespace);
    let patch = json!({
        "apiVersion": API_VERSION,
        "kind": "SecretAccess",
        "metadata": {"name": name, "namespace": namespace},
        "status": status,
    });
    let params = PatchParams::apply(VAULT).force();
    let what = "patch secretaccesses.vanta.dev/status";
    match ask(what, api.patch_status(name, &params, &Patch::Apply(&patch))).await {
        Err(error) if error.code() != Some(404) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
