//! What is refused is told on the pod and on the SecretAccess, and what is not loaded on the
//! ConfigMap: where whoever has to mend it looks.

use serde_json::{Value, json};

use super::cluster::{ACCESS, POLICY, Scenario, access_token, generate, generate_of, read, sops};
use crate::support::fake_cluster::{FakeCluster, Mood};
use crate::support::program::{Program, agent, until};

/// A proof that is bound to the pod `checkout-1`.
fn pod_token(cluster: &FakeCluster) -> String {
    cluster.account_token(
        "shop:checkout",
        &json!({
            "authentication.kubernetes.io/pod-name": ["checkout-1"],
            "authentication.kubernetes.io/pod-uid": ["uid-of-pod"],
        }),
    )
}

fn event(scenario: &Scenario, kind: &str, name: &str) -> Value {
    until("there is an event", || scenario.cluster.events(kind, name).pop())
}

#[test]
fn a_refusal_is_told_on_the_pod_and_on_the_secret_access() {
    let scenario = Scenario::with(&[ACCESS]);
    let vault = scenario.start();
    assert_eq!(generate(&vault, &pod_token(&scenario.cluster)).0, 403);
    let told = event(&scenario, "SecretAccess", "checkout");
    assert_eq!(
        told["note"],
        "a token of environment prod was refused to system:serviceaccount:shop:checkout: No grant \
         allows this (not-granted)"
    );
    assert_eq!(
        (&told["type"], &told["reason"], &told["action"]),
        (&json!("Warning"), &json!("Refused"), &json!("Issue"))
    );
    let object = scenario.cluster.get("secretaccesses", "shop", "checkout").unwrap();
    assert_eq!(told["regarding"]["uid"], object["metadata"]["uid"]);
    assert_eq!(told["regarding"]["apiVersion"], "vanta.dev/v1alpha1");
    let pod = event(&scenario, "Pod", "checkout-1");
    assert_eq!(pod["regarding"]["uid"], "uid-of-pod");
    assert_eq!(pod["metadata"]["namespace"], "shop");
}

#[test]
fn a_read_out_of_scope_names_no_key() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &pod_token(&scenario.cluster));
    scenario.cluster.apply(&POLICY.replace("APP_*", "OTHER_*"));
    until("it is refused", || (read(&vault, &token) == 403).then_some(()));
    let told = event(&scenario, "SecretAccess", "checkout");
    assert!(told["note"].as_str().unwrap().contains("out-of-scope"), "{told}");
    assert_eq!(told["action"], "Read");
    assert!(!told.to_string().contains("APP_DB_USER"), "{told}");
    assert_eq!(event(&scenario, "Pod", "checkout-1")["action"], "Read");
}

#[test]
fn a_refusal_is_told_on_its_own_subjects_objects_alone() {
    let others = ACCESS.replace("checkout", "other");
    let scenario = Scenario::with(&[ACCESS, &others]);
    let vault = scenario.start();
    let other = scenario.cluster.account_token("shop:other", &json!({}));
    assert_eq!(generate(&vault, &other).0, 403);
    event(&scenario, "SecretAccess", "other");
    // They are written in the order in which they were seen: what was told of the first refusal is
    // there once the second's is.
    assert_eq!(generate(&vault, &pod_token(&scenario.cluster)).0, 403);
    event(&scenario, "Pod", "checkout-1");
    event(&scenario, "SecretAccess", "checkout");
    let told = scenario.cluster.events("SecretAccess", "checkout");
    let [told] = told.as_slice() else { panic!("there are more: {told:?}") };
    let note = told["note"].as_str().unwrap();
    assert!(note.contains("system:serviceaccount:shop:checkout:"), "{note}");
}

#[test]
fn many_refusals_are_one_event_with_a_count() {
    let scenario = Scenario::with(&[ACCESS]);
    let vault = scenario.start();
    let proof = pod_token(&scenario.cluster);
    for _ in 0..20 {
        assert_eq!(generate(&vault, &proof).0, 403);
    }
    let counted = until("they are counted", || {
        let events = scenario.cluster.events("SecretAccess", "checkout");
        assert!(events.len() <= 1, "each is an event of its own: {events:?}");
        events.into_iter().find(|event| event["series"]["count"] == 20)
    });
    assert!(counted["series"]["lastObservedTime"].is_string());
    let writes = scenario.cluster.asked("POST /apis/events.k8s.io")
        + scenario.cluster.asked("PATCH /apis/events.k8s.io");
    assert!(writes <= 8, "{writes} writes");
}

#[test]
fn made_up_environments_are_told_of_as_one_and_by_no_name() {
    let scenario = Scenario::with(&[ACCESS]);
    let vault = scenario.start();
    let proof = pod_token(&scenario.cluster);
    for number in 0..20 {
        assert_eq!(generate_of(&vault, &proof, &format!("made-up-{number}")).0, 403);
    }
    let counted = until("they are counted", || {
        let events = scenario.cluster.events("Pod", "checkout-1");
        assert!(events.len() <= 1, "each is an event of its own: {events:?}");
        events.into_iter().find(|event| event["series"]["count"] == 20)
    });
    assert_eq!(
        counted["note"],
        "a token of an environment that no SecretAccess names for it was refused to \
         system:serviceaccount:shop:checkout: No grant allows this (not-granted)"
    );
    assert!(scenario.cluster.events("SecretAccess", "checkout").is_empty());
}

#[test]
fn no_request_waits_for_an_api_server_that_takes_no_events() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &scenario.token());
    scenario.cluster.feel(Mood::Silent);
    let refused = || assert_eq!(vault.read(&agent(), "prod/NONE", &token).unwrap().status, 403);
    refused();
    until("an event is on its way", || {
        (scenario.cluster.asked("POST /apis/events.k8s.io") > 0).then_some(())
    });
    // More than may wait to be told of.
    for _ in 0..600 {
        refused();
    }
    assert_eq!(read(&vault, &token), 200);
    let metrics = vault.health("/metrics").1;
    let line = metrics.lines().find_map(|line| line.strip_prefix("vanta_events_dropped_total "));
    let dropped: u64 = line.expect("it is counted").parse().expect("it is a number");
    assert!(dropped > 0, "they wait somewhere");
}

#[test]
fn a_config_map_whose_file_is_not_loaded_says_so() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault: Program = scenario.start();
    let bad =
        sops("prod", "prod.enc.yaml").replace("ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:AAAA");
    scenario.cluster.apply(&bad);
    let told = event(&scenario, "ConfigMap", "prod");
    assert_eq!(
        (&told["reason"], &told["metadata"]["namespace"]),
        (&json!("NotLoaded"), &json!("vanta-system"))
    );
    let note = told["note"].as_str().unwrap();
    assert!(note.starts_with("environment prod, an earlier version is served: "), "{note}");
    let object = scenario.cluster.get("configmaps", "vanta-system", "prod").unwrap();
    assert_eq!(told["regarding"]["uid"], object["metadata"]["uid"]);
    assert!(vault.log().contains("the environment was not loaded"));
}
