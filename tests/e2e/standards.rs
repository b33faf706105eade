//! What the agent may be at most: `restricted`, by the Pod Security Standards, and small.

use crate::support::kubectl::kubectl;
use crate::support::pods::{IDLE, deployment, template};
use crate::support::shop::Shop;
use crate::support::{share, variable};

#[test]
fn an_injected_pod_runs_where_restricted_pod_security_is_enforced() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("restricted", &[("APP_TOKEN", "t")]);
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &shop.name, enforce]).unwrap();
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    // That it is enforced at all: a pod that breaks the standard is refused.
    let mut rooted = template("default", None, IDLE);
    rooted["metadata"] = serde_json::json!({});
    rooted["spec"]["securityContext"] = serde_json::json!({});
    let refusal = shop.try_apply(&crate::support::pods::pod("rooted", rooted)).unwrap_err();
    assert!(refusal.contains("violates PodSecurity"), "{refusal}");

    shop.apply(&deployment("web", template("default", Some("app"), IDLE)));
    let ready = shop.ready("web");
    assert_eq!(ready["spec"]["initContainers"][0]["name"], "vanta-agent");
}

#[test]
fn the_agents_release_binary_has_at_most_two_and_a_half_megabytes() {
    let Some(_share) = share() else { return };
    // The one in the image that all pods here run.
    let program = variable("VANTA_AGENT_PROGRAM").expect("scripts/cluster-tests says where it is");
    let bytes = std::fs::metadata(program).unwrap().len();
    println!("the agent has {bytes} bytes");
    assert!(bytes > 100_000, "it is no program");
    assert!(bytes <= 2_500_000, "it is too large");
}
