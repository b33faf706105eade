//! One value has vault and agents traced, and lets the vault reach the collector.

use serde_json::{Value, json};

use super::{helm, named, render};

const ENDPOINT: &str = "http://collector.observability:4318";

fn variable<'a>(deployment: &'a Value, name: &str) -> Option<&'a Value> {
    let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let mut found = variables.unwrap().iter().filter(|variable| variable["name"] == name);
    found.next().map(|variable| &variable["value"])
}

#[test]
fn a_collector_is_told_to_vault_and_injector_and_reached_by_the_vault_alone() {
    let Some(helm) = helm() else { return };
    let endpoint = format!("tracing.endpoint={ENDPOINT}");
    let values = [&endpoint, "tracing.ratio=0.1", "networkPolicy.egress.enabled=true"];
    let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
    let objects = render(helm, &values).unwrap();
    let vault = named(&objects, "Deployment vanta-vault");
    assert_eq!(variable(vault, "OTEL_EXPORTER_OTLP_ENDPOINT"), Some(&json!(ENDPOINT)));
    assert_eq!(variable(vault, "OTEL_TRACES_SAMPLER_ARG"), Some(&json!("0.1")));
    let injector = named(&objects, "Deployment vanta-injector");
    assert_eq!(variable(injector, "VANTA_AGENT_TRACES"), Some(&json!(ENDPOINT)));
    let reached = |policy| {
        let ports = named(&objects, policy)["spec"]["egress"][0]["ports"].as_array().unwrap();
        ports.iter().any(|port| port["port"] == 4318)
    };
    assert!(reached("NetworkPolicy vanta-vault") && !reached("NetworkPolicy vanta-injector"));

    let objects = render(helm, &[]).unwrap();
    let vault = named(&objects, "Deployment vanta-vault");
    assert_eq!(variable(vault, "OTEL_EXPORTER_OTLP_ENDPOINT"), None);
    let refused = render(helm, &["--set", "tracing.endpoint=https://collector"]);
    assert!(refused.unwrap_err().contains("tracing"), "agents speak in clear alone");
}
