//! A pod of any JSON: it is refused, or its patch can be applied, only adds, and is the last one.

use serde_json::Value;
use vanta::domain::injection::{InjectionConfig, inject, warnings_of_annotations};

fn config() -> InjectionConfig {
    InjectionConfig {
        agent_image: "registry.example/vanta-agent:1".to_owned(),
        image_pull_policy: None,
        vault_address: "https://vanta-vault.vanta-system.svc:8443".to_owned(),
        traces: None,
    }
}

pub(super) fn run(data: &[u8]) {
    let Ok(pod) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(injection) = inject(&pod, &config()) else {
        warnings_of_annotations(&pod);
        return;
    };
    if !injection.asked {
        assert!(injection.patch.is_empty(), "a pod that asks for nothing is changed");
    }
    for operation in injection.patch.operations() {
        let of_pod = operation.path.starts_with("/spec/");
        assert!(of_pod || operation.path == "/spec", "{}", operation.path);
    }
    let patch = serde_json::to_value(&injection.patch).expect("a patch is JSON");
    let patch: json_patch::Patch = serde_json::from_value(patch).expect("it is a JSON Patch");
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).expect("the patch fits the pod");
    assert_eq!(patched["metadata"], pod["metadata"], "only the spec is changed");

    let again = inject(&patched, &config()).expect("a pod that was made is not refused");
    assert!(again.patch.is_empty(), "a second call changes {:?}", again.patch);
    assert_eq!(again.warnings, injection.warnings);
}
