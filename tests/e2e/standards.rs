//! The agent in a namespace that enforces the `restricted` Pod Security Standard.

use crate::support::kubectl::kubectl;
use crate::support::pods::{IDLE, deployment, template};
use crate::support::share;
use crate::support::shop::Shop;

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
