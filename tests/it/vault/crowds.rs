//! Many environments, and files that cannot be seen: what the vault says of them while it serves.

use std::fs;

use serde_json::json;

use super::cluster::{ACCESS, POLICY, Scenario, access_token, read, sops};
use crate::support::program::{Program, Site, agent, until};

/// A ConfigMap with so many environments that do not open.
fn bad(name: &str, environments: usize) -> String {
    config_map(name, (0..environments).map(|at| format!("{name}{at}.enc.yaml")))
}

/// A ConfigMap with these keys, none of which opens.
fn config_map(name: &str, keys: impl IntoIterator<Item = String>) -> String {
    let data: serde_json::Map<String, serde_json::Value> =
        keys.into_iter().map(|key| (key, json!("a: ["))).collect();
    let labels = json!({"vanta.dev/sops": "true"});
    let metadata = json!({"name": name, "namespace": "vanta-system", "labels": labels});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}).to_string()
}

/// Damages prod's file, and waits until its ConfigMap is told of it.
fn break_prod(scenario: &Scenario) {
    let file = sops("prod", "prod.enc.yaml");
    let file = file.replace("ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:AAAA");
    scenario.cluster.apply(&file);
    let told =
        until("prod's is told", || scenario.cluster.events("ConfigMap", "prod").into_iter().next());
    assert_eq!(told["reason"], "NotLoaded");
}

#[test]
fn one_config_map_with_many_bad_files_leaves_another_its_event_and_is_named() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &scenario.token());
    // In one look, and more than the event of prod would wait for one after the other.
    scenario.cluster.apply(&bad("evil", 300));
    let said = || vault.health("/readyz").1;
    until("it is named", || said().contains("in ConfigMap evil (100 at most)").then_some(()));
    assert_eq!(vault.health("/readyz").0, 200);
    let series = until("they are counted", || {
        let metrics = vault.health("/metrics").1;
        let of_evil = metrics.lines().filter(|line| line.contains(r#"environment="evil"#));
        let series = of_evil.count();
        (series >= 100 && metrics.contains("vanta_environments_listed 0")).then_some(series)
    });
    assert!(series <= 1100, "{series}");
    break_prod(&scenario);
    let of_others = scenario.cluster.events("ConfigMap", "evil").len();
    assert!(of_others < 100, "it came after all {of_others} others");
    assert_eq!(read(&vault, &token), 200);
    scenario.cluster.delete("configmaps", "vanta-system", "evil");
    until("all are read again", || (!said().contains("ConfigMap evil")).then_some(()));
}

#[test]
fn what_begins_as_a_name_of_prods_file_and_is_none_takes_prods_event_from_no_config_map() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let _vault = scenario.start();
    // Before it by name, and as many as are told of one environment.
    for name in ["aa", "ab", "ac", "ad", "ae", "af", "ag", "ah"] {
        scenario.cluster.apply(&config_map(name, ["prod.enc.bak".to_owned()]));
    }
    break_prod(&scenario);
    assert_eq!(scenario.cluster.events("ConfigMap", "aa"), Vec::<serde_json::Value>::new());
}

#[test]
fn config_maps_that_claim_prod_as_well_take_its_event_from_neither_the_served_nor_the_oldest() {
    let claim = |scenario: &Scenario| {
        for at in 0..9 {
            let mut claims = config_map(&format!("a{at}"), ["prod.enc.yaml".to_owned()]);
            let created = r#""metadata":{"creationTimestamp":"2026-01-02T00:00:00Z","#;
            claims = claims.replace(r#""metadata":{"#, created);
            scenario.cluster.apply(&claims);
        }
    };
    let is_told = |scenario: &Scenario| {
        let told = until("prod's is told", || scenario.cluster.events("ConfigMap", "prod").pop());
        assert!(told["note"].as_str().unwrap().contains("remove all but one of"), "{told}");
    };
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    claim(&scenario);
    is_told(&scenario);
    drop(vault);

    let scenario = Scenario::with(&[ACCESS, POLICY]);
    claim(&scenario);
    let mut prod = scenario.cluster.get("configmaps", "vanta-system", "prod").unwrap();
    prod["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    scenario.cluster.apply(&prod.to_string());
    // It is not ready: nothing is served.
    let _vault = Program::start(scenario.command(), "http");
    is_told(&scenario);
}

#[test]
fn a_sops_folder_that_is_moved_away_is_told_until_it_is_back() {
    let site = Site::new();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    let listed = |number: u8| {
        let line = format!("vanta_environments_listed {number}\n");
        until("the metric says so", || vault.health("/metrics").1.contains(&line).then_some(()));
    };
    listed(1);
    assert!(vault.health("/readyz").1.contains(r#""secrets":{"dev":"ok"}"#));
    fs::rename(site.path("secrets"), site.path("away")).unwrap();
    listed(0);
    let (status, said) = vault.health("/readyz");
    let folder = site.path("secrets").display().to_string();
    let problem = format!(r#""secrets":{{"*":"the folder {folder} cannot be listed: "#);
    assert!(status == 200 && said.contains(&problem), "{said}");
    let failures = r#"vanta_reloads_total{source="Secrets",result="failure"} 1"#;
    until("it is counted", || vault.health("/metrics").1.contains(failures).then_some(()));
    let served = vault.read(&agent, "dev/APP_DB_USER", &token).unwrap();
    assert_eq!(served.text, "app", "what was served still is");
    fs::rename(site.path("away"), site.path("secrets")).unwrap();
    listed(1);
    assert!(vault.health("/readyz").1.contains(r#""secrets":{"dev":"ok"}"#));
    let back = "the SOPS folder can be read again";
    until("the log says it", || vault.log().contains(back).then_some(()));
}
