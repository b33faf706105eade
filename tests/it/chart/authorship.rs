//! What is asked of who wrote a file, as the chart configures it.

use serde_json::Value;

use super::{helm, named, render};

fn pod(values: &[&str]) -> Option<Value> {
    let objects = render(helm()?, values).unwrap();
    Some(named(&objects, "Deployment vanta-vault")["spec"]["template"]["spec"].clone())
}

/// What a variable of the vault is set to.
fn variable(pod: &Value, name: &str) -> Value {
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let found = variables.iter().find(|variable| variable["name"] == name);
    found.map_or(Value::Null, |variable| variable["value"].clone())
}

#[test]
fn by_default_the_vault_is_told_of_old_versions_and_asks_for_no_signature() {
    let Some(pod) = pod(&[]) else { return };
    assert_eq!(variable(&pod, "VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF"), "once");
    assert_eq!(variable(&pod, "VANTA_SOPS_ROLLBACK"), "alarm");
    assert_eq!(variable(&pod, "VANTA_SOPS_ACCEPT_ROLLBACK"), Value::Null);
    assert_eq!(variable(&pod, "VANTA_SOPS_TRUSTED_SIGNERS"), Value::Null);
}

#[test]
fn the_trusted_signers_are_of_a_secret_and_not_of_a_config_map() {
    let Some(pod) = pod(&["-f", "charts/vanta/ci/everything-values.yaml"]) else { return };
    assert_eq!(variable(&pod, "VANTA_SOPS_ROLLBACK"), "deny");
    assert_eq!(
        variable(&pod, "VANTA_SOPS_ACCEPT_ROLLBACK"),
        "prod@2026-11-30T12:00:00Z,dev@2026-11-30T12:00:00+01:00"
    );
    let file = variable(&pod, "VANTA_SOPS_TRUSTED_SIGNERS");
    let of_name = |list: &Value| {
        let found = list.as_array().unwrap().iter().find(|entry| entry["name"] == "signers");
        found.expect("it is there").clone()
    };
    let mount = of_name(&pod["containers"][0]["volumeMounts"]);
    assert_eq!(mount["readOnly"], true);
    let volume = &of_name(&pod["volumes"])["secret"];
    assert_eq!(volume["secretName"], "signers");
    let item = volume["items"][0]["path"].as_str().unwrap();
    assert_eq!(file, format!("{}/{item}", mount["mountPath"].as_str().unwrap()));
}

#[test]
fn what_the_vault_would_refuse_the_chart_refuses() {
    let Some(helm) = helm() else { return };
    for (values, reason) in [
        ("vault.authorship.environmentLeaf=some", "value must be one of 'never'"),
        ("vault.authorship.rollback=refuse", "value must be one of 'alarm'"),
        ("vault.authorship.acceptRollback={prod}", "does not match pattern"),
        ("vault.authorship.trustedSigners=x", "additional properties 'trustedSigners' not allowed"),
    ] {
        let refused = render(helm, &["--set", values]).unwrap_err();
        assert!(refused.contains(reason), "{values}: {refused}");
    }
}
