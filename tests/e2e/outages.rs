//! While the injector is away, only pods that asked for it are held back, and they come back.

use serde_json::json;

use crate::support::kubectl::kubectl;
use crate::support::pods::{IDLE, deployment, is_ready, pod, template};
use crate::support::shop::Shop;
use crate::support::vault::system_pods;
use crate::support::{SYSTEM, alone, until};

/// Scales the injector, and waits until it is so: a pod that drains may still answer.
fn injectors(replicas: usize) {
    let count = replicas.to_string();
    kubectl(&["-n", SYSTEM, "scale", "deployment", "vanta-injector", "--replicas", &count])
        .unwrap();
    until("the injector is scaled", || {
        let pods = system_pods("injector");
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let scaled = pods.len() == replicas && ready == replicas;
        if scaled { Ok(()) } else { Err(format!("{ready} of {} pods are ready", pods.len())) }
    });
}

/// Brings the injector back, whatever becomes of the test.
struct Outage;

impl Outage {
    fn begin() -> Self {
        injectors(0);
        Self
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        injectors(2);
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
    let advice = "kubectl -n vanta-system get deployment vanta-injector";
    assert!(refusal.contains(advice), "it does not say what to look at: {refusal}");

    shop.apply(&deployment("web", template("default", Some("app"), IDLE)));
    until("the Deployment says why it has no pods", || {
        let events = kubectl(&["-n", &shop.name, "get", "events", "-o", "yaml"])?;
        let says = events.contains("FailedCreate") && events.contains("vanta-injector");
        if says { Ok(()) } else { Err(events) }
    });
    drop(outage);
    shop.ready("web");
}
