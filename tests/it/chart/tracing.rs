//! One value has vault and agents traced, and lets the vault reach the collector.

use serde_json::json;

use super::pod::{pod, variable};
use super::{helm, named, render};

const ENDPOINT: &str = "http://collector.observability:4318";

#[test]
fn a_collector_is_told_to_vault_and_injector_and_reached_by_the_vault_alone() {
    let Some(helm) = helm() else { return };
    let endpoint = format!("tracing.endpoint={ENDPOINT}");
    let values = [&endpoint, "tracing.ratio=0.1", "networkPolicy.egress.enabled=true"];
    let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
    let objects = render(helm, &values).unwrap();
    let vault = &pod(&objects, "vanta-vault")["containers"][0];
    assert_eq!(variable(vault, "OTEL_EXPORTER_OTLP_ENDPOINT"), Some(&json!(ENDPOINT)));
    assert_eq!(variable(vault, "OTEL_TRACES_SAMPLER_ARG"), Some(&json!("0.1")));
    let injector = &pod(&objects, "vanta-injector")["containers"][0];
    assert_eq!(variable(injector, "VANTA_AGENT_TRACES"), Some(&json!(ENDPOINT)));
    let reached = |policy| {
        let ports = named(&objects, policy)["spec"]["egress"][0]["ports"].as_array().unwrap();
        ports.iter().any(|port| port["port"] == 4318)
    };
    assert!(reached("NetworkPolicy vanta-vault") && !reached("NetworkPolicy vanta-injector"));

    let objects = render(helm, &[]).unwrap();
    let vault = &pod(&objects, "vanta-vault")["containers"][0];
    assert_eq!(variable(vault, "OTEL_EXPORTER_OTLP_ENDPOINT"), None);
    let refused = render(helm, &["--set", "tracing.endpoint=https://collector"]);
    assert!(refused.unwrap_err().contains("tracing"), "agents speak in clear alone");
}
