//! Removes what VANTA's programs made in the cluster, once nobody needs it any more.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};

use crate::adapters::kubernetes::{ClusterError, ask};
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
    let found = ask("list configmaps", all.list_metadata(&by_name)).await?;
    for object in found.items {
        let Some(of) = object.metadata.namespace else { continue };
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &of);
        let what = format!("delete configmaps/{AUTHORITY_CONFIG_MAP} in {of}");
        removed(ask(&what, api.delete(AUTHORITY_CONFIG_MAP, &now)).await)?;
    }
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for name in secrets {
        removed(ask(&format!("delete secrets/{name}"), api.delete(name, &now)).await)?;
    }
    Ok(())
}

/// Removed by somebody else is removed; so is what a conflict speaks of.
fn removed<T>(answer: Result<T, ClusterError>) -> Result<(), ClusterError> {
    match answer {
        Err(error) if !matches!(error.code(), Some(404 | 409)) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
