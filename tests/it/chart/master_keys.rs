//! Master keys that are not age's: nothing is there for them until one is allowed.

use serde_json::{Value, json};

use super::pod::{pod, variable};
use super::{helm, render};

const ALLOWED: &str = "vault.masterKeys.allowed={pgp:FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4,\
                       hc_vault:https://vault:8200/v1/transit/keys/sops}";

/// Without an image that holds sops, no key can be allowed.
const IMAGE: &str = "vault.image=registry.example.com/vanta/vanta-vault-sops:0.1.0";

/// The vault's pod with some values.
fn vault(helm: &std::path::Path, values: &[&str]) -> Value {
    let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
    pod(&render(helm, &values).unwrap(), "vanta-vault").clone()
}

#[test]
fn what_sops_needs_is_there_once_a_key_is_allowed() {
    let Some(helm) = helm() else { return };
    let secrets = ["vault.masterKeys.pgpSecret=pgp", "vault.masterKeys.environmentSecret=sops"];
    let without = vault(helm, &secrets);
    assert_eq!(without["initContainers"], Value::Null);
    assert_eq!(without["containers"][0]["envFrom"], Value::Null);
    assert_eq!(variable(&without["containers"][0], "VANTA_SOPS_ALLOWED_KEYS"), None);

    let with = vault(helm, &[IMAGE, ALLOWED, secrets[0], secrets[1]]);
    let vault = &with["containers"][0];
    assert_eq!(
        variable(vault, "VANTA_SOPS_ALLOWED_KEYS"),
        Some(&json!(
            "pgp:FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4,hc_vault:https://vault:8200/v1/transit/keys/sops"
        ))
    );
    assert_eq!(vault["envFrom"], json!([{"secretRef": {"name": "sops"}}]));
    // The private keys are in memory, and the vault does not see the Secret that they come from.
    let init = &with["initContainers"][0];
    assert_eq!(init["securityContext"], vault["securityContext"]);
    assert_eq!(init["image"], vault["image"]);
    assert_eq!(variable(init, "GNUPGHOME"), variable(vault, "GNUPGHOME"));
    let volume = |name: &str| {
        let mut volumes = with["volumes"].as_array().unwrap().iter();
        volumes.find(|volume| volume["name"] == name).unwrap().clone()
    };
    for name in ["sops", "key-ring"] {
        assert_eq!(volume(name)["emptyDir"]["medium"], "Memory", "{name}");
    }
    let mounts = vault["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().all(|mount| mount["name"] != "pgp"), "{mounts:?}");
}

#[test]
fn what_is_no_key_is_refused_by_the_chart() {
    let Some(helm) = helm() else { return };
    for bad in ["age:age1x", "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"] {
        let value = format!("vault.masterKeys.allowed={{{bad}}}");
        assert!(render(helm, &["--set", &value]).unwrap_err().contains("masterKeys"), "{bad}");
    }
}
