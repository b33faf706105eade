//! While the injector is away, only pods that asked for it are held back, and they come back.

use serde_json::json;

use crate::support::kubectl::kubectl;
use crate::support::pods::{IDLE, deployment, pod, template};
use crate::support::shop::Shop;
use crate::support::{SYSTEM, alone, until};

/// Scales the injector, and waits until it is so.
fn injectors(replicas: &str) {
    kubectl(&["-n", SYSTEM, "scale", "deployment", "vanta-injector", "--replicas", replicas])
        .unwrap();
    until("the injector is scaled", || {
        let slices = ["-n", SYSTEM, "get", "endpointslices", "-l"];
        let of = ["kubernetes.io/service-name=vanta-injector", "-o"];
        let ready = ["jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}"];
        let ready = kubectl(&[&slices[..], &of, &ready].concat())?;
        let count = ready.split_whitespace().count().to_string();
        if count == replicas { Ok(()) } else { Err(format!("{count} endpoints are ready")) }
    });
}

/// Brings the injector back, whatever becomes of the test.
struct Outage;

impl Outage {
    fn begin() -> Self {
        injectors("0");
        Self
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        injectors("2");
    }
}

#[test]
fn an_outage_of_the_injector_refuses_annotated_pods_alone_and_a_deployment_recovers() {
    let Some(_alone) = alone() else { return };
    let shop = Shop::new("outages", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    let outage = Outage::begin();

    let mut plain = template("default", None, IDLE);
    plain["metadata"] = json!({});
    shop.apply(&pod("plain", plain));
    shop.ready("plain");
    let mut declined = template("default", None, IDLE);
    declined["metadata"]["annotations"] = json!({"example.com/a": "b"});
    shop.apply(&pod("of-others", declined));
    shop.ready("of-others");

    let refusal =
        shop.try_apply(&pod("annotated", template("default", Some("app"), IDLE))).unwrap_err();
    println!("refused: {refusal}");
    assert!(refusal.contains("pods.vanta.dev"), "{refusal}");
    assert!(refusal.contains("vanta-injector"), "it does not say what to look at: {refusal}");

    shop.apply(&deployment("web", template("default", Some("app"), IDLE)));
    until("the Deployment says why it has no pods", || {
        let events = kubectl(&["-n", &shop.name, "get", "events", "-o", "yaml"])?;
        let says = events.contains("FailedCreate") && events.contains("vanta-injector");
        if says { Ok(()) } else { Err(events) }
    });
    drop(outage);
    shop.ready("web");
}
