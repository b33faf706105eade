//! The definitions of SecretAccess and SecretPolicy, as the cluster takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::contract::crd::{SecretAccess, SecretPolicy};

/// Each file's path in the project, and its text.
pub fn crds() -> Vec<(String, String)> {
    let definitions = [SecretAccess::crd(), SecretPolicy::crd()];
    definitions.iter().map(|definition| (path(definition), yaml(definition))).collect()
}

fn path(definition: &CustomResourceDefinition) -> String {
    let names = &definition.spec.names;
    format!("crds/{}.yaml", names.plural)
}

fn yaml(definition: &CustomResourceDefinition) -> String {
    let yaml = serde_saphyr::to_string(definition).expect("a definition holds only text and lists");
    format!("# Made by `cargo run --bin generate`.\n{yaml}")
}
