//! Removes what VANTA's programs made in the cluster, once nobody needs it any more.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};

use super::cluster::{ClusterError, ask};
use crate::domain::pod::AUTHORITY_CONFIG_MAP;

/// Removes these Secrets of a namespace, and the authority's ConfigMap of every namespace.
///
/// What is gone already is as it should be; the first thing that cannot be removed ends it.
pub async fn remove_all(
    client: &Client,
    namespace: &str,
    secrets: &[&str],
) -> Result<(), ClusterError> {
    let now = DeleteParams::default();
    let all: Api<ConfigMap> = Api::all(client.clone());
    // The right to list is bound to the name too.
    let by_name = ListParams::default().fields(&format!("metadata.name={AUTHORITY_CONFIG_MAP}"));
    let what = || format!("ConfigMaps {AUTHORITY_CONFIG_MAP} cannot be listed");
    let found = ask(what(), all.list_metadata(&by_name)).await?;
    let found = found.map_err(|code| ClusterError::new(what(), format!("status {code}")))?;
    for object in found.items {
        let Some(of) = object.metadata.namespace else { continue };
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &of);
        let what = format!("ConfigMap {AUTHORITY_CONFIG_MAP} of {of} cannot be removed");
        // Removed by somebody else is removed; so is what a conflict speaks of.
        let _ = ask(what, api.delete(AUTHORITY_CONFIG_MAP, &now)).await?;
    }
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for name in secrets {
        let _ = ask(format!("Secret {name} cannot be removed"), api.delete(name, &now)).await?;
    }
    Ok(())
}
