//! The webhook configuration, which the API server finds the authority in.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::adapters::kubernetes::{ClusterError, ask};
use crate::domain::system::INJECTOR;

/// What had to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Nothing: it was there.
    Already,
    /// It was written.
    Now,
    /// There is no such configuration.
    Missing,
}

/// Makes each webhook of a configuration trust this bundle.
pub async fn fill_bundle(client: Client, name: &str, bundle: &str) -> Result<Filled, ClusterError> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client);
    let kind = "mutatingwebhookconfigurations";
    let found = ask(&format!("get {kind}/{name}"), api.get_opt(name)).await?;
    let Some(configuration) = found else { return Ok(Filled::Missing) };
    let operations = operations(&configuration, bundle);
    if operations.is_empty() {
        return Ok(Filled::Already);
    }
    let patch: json_patch::Patch = serde_json::from_value(operations.into())
        .expect("each operation has what RFC 6902 asks for");
    let params = PatchParams { field_manager: Some(INJECTOR.to_owned()), ..PatchParams::default() };
    let patch = Patch::Json::<()>(patch);
    ask(&format!("patch {kind}/{name}"), api.patch(name, &params, &patch)).await?;
    Ok(Filled::Now)
}

/// Tests that the webhooks stand where they were read, then sets each bundle that is another.
fn operations(configuration: &MutatingWebhookConfiguration, bundle: &str) -> Vec<Value> {
    let webhooks = configuration.webhooks.iter().flatten().enumerate();
    let bundle = ByteString(bundle.as_bytes().to_vec());
    webhooks
        .filter(|(_, webhook)| webhook.client_config.ca_bundle.as_ref() != Some(&bundle))
        .flat_map(|(place, webhook)| {
            let at = format!("/webhooks/{place}");
            [
                json!({"op": "test", "path": format!("{at}/name"), "value": webhook.name}),
                json!({"op": "add", "path": format!("{at}/clientConfig/caBundle"), "value": bundle}),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bundles_that_differ_are_written_and_only_where_their_webhook_stands() {
        let webhook = |name: &str, client_config: Value| {
            json!({
                "name": name, "clientConfig": client_config,
                "admissionReviewVersions": ["v1"], "sideEffects": "None",
            })
        };
        let configuration = serde_json::from_value(json!({"webhooks": [
            webhook("a.vanta.dev", json!({"caBundle": "QQ=="})), webhook("b.vanta.dev", json!({})),
        ]}))
        .unwrap();
        let operations = operations(&configuration, "A");
        assert_eq!(
            operations,
            [
                json!({"op": "test", "path": "/webhooks/1/name", "value": "b.vanta.dev"}),
                json!({"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "QQ=="}),
            ]
        );
        assert_eq!(self::operations(&configuration, "B").len(), 4);
    }
}
