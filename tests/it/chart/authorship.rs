//! What is asked of who wrote a file, as the chart configures it.

use serde_json::Value;

use super::pod::{pod, variable};
use super::{helm, render};

/// The vault's pod with some values; none without helm.
fn vault(values: &[&str]) -> Option<Value> {
    Some(pod(&render(helm()?, values).unwrap(), "vanta-vault").clone())
}

#[test]
fn by_default_the_vault_is_told_of_old_versions_and_asks_for_no_signature() {
    let Some(vault) = vault(&[]) else { return };
    let container = &vault["containers"][0];
    assert_eq!(variable(container, "VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF").unwrap(), "shared");
    assert_eq!(variable(container, "VANTA_SOPS_ROLLBACK").unwrap(), "alarm");
    assert_eq!(variable(container, "VANTA_SOPS_ACCEPT_ROLLBACK"), None);
    assert_eq!(variable(container, "VANTA_SOPS_TRUSTED_SIGNERS"), None);
}

#[test]
fn the_trusted_signers_are_of_a_secret_and_not_of_a_config_map() {
    let Some(vault) = vault(&["-f", "charts/vanta/ci/everything-values.yaml"]) else { return };
    let container = &vault["containers"][0];
    assert_eq!(variable(container, "VANTA_SOPS_ROLLBACK").unwrap(), "deny");
    assert_eq!(
        variable(container, "VANTA_SOPS_ACCEPT_ROLLBACK").unwrap(),
        "prod@2026-11-30T12:00:00Z,dev@2026-11-30T12:00:00+01:00"
    );
    let file = variable(container, "VANTA_SOPS_TRUSTED_SIGNERS").unwrap();
    let of_name = |list: &Value| {
        let found = list.as_array().unwrap().iter().find(|entry| entry["name"] == "signers");
        found.expect("it is there").clone()
    };
    let mount = of_name(&container["volumeMounts"]);
    assert_eq!(mount["readOnly"], true);
    let volume = &of_name(&vault["volumes"])["secret"];
    assert_eq!(volume["secretName"], "signers");
    let item = volume["items"][0]["path"].as_str().unwrap();
    assert_eq!(*file, format!("{}/{item}", mount["mountPath"].as_str().unwrap()));
}
