//! One trace over the agent and the vault, both of them real programs: only the pod is made up, as
//! the subject of an issuer.

use std::net::TcpListener;

use super::pod::{Pod, until_file};
use super::served::{Served, access, policy};
use crate::support::collector::Collector;
use crate::support::issuer::{Issuer, SigningKey};
use crate::support::program::{Program, Site};

const SUBJECT: &str = "pod-of-a-test";

/// A vault that believes an issuer, and grants its subject something.
fn vault(site: &Site, issuer: &Issuer, collector: &Collector) -> Program {
    let authority = site.path("issuer-ca.crt");
    site.write("issuer-ca.crt", &issuer.authority);
    let entry = format!("issuers:\n- issuer: {}\n  caFile: {}\n", issuer.url, authority.display());
    site.write("oidc.yaml", &entry);
    let subject = format!("{{issuer: '{}', subject: {SUBJECT}}}", issuer.url);
    site.write(
        "access/all.yaml",
        &format!(
            "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {{name: checkout}}
spec: {{subject: {{oidc: {subject}}}, environment: dev, keyPattern: 'APP_*'}}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {{name: checkout}}
spec: {{subjects: [{{namespace: default, oidc: [{subject}]}}], environment: dev, keyPatterns: ['APP_*']}}
"
        ),
    );
    let mut command = site.command();
    command.env("VANTA_OIDC_FILE", site.path("oidc.yaml"));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint);
    command.env("OTEL_BSP_SCHEDULE_DELAY", "50");
    Program::start(command, "http")
}

#[test]
fn what_an_agent_fetches_is_one_trace_over_agent_and_vault() {
    let key = SigningKey::p256("a");
    let (site, collector, issuer) = (Site::new(), Collector::start(), Issuer::start(&[&key]));
    let vault = vault(&site, &issuer, &collector);
    let pod = Pod::new(&vault.api)
        .with("VANTA_AGENT_MODE", "init")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint);
    pod.write("token", &issuer.token(&key, SUBJECT));
    let mut agent = pod.start();
    assert_eq!(agent.wait().code(), Some(0), "{}", agent.log());
    assert!(pod.read(".env").unwrap().contains("APP_DB_USER"));

    let root = collector.span("vanta-agent", "fetch values");
    assert_eq!(root.parent, "");
    for (route, parts) in [
        ("POST /api/v1/vault/tokens/generate", &["audit.append", "authenticate", "decide"][..]),
        (
            "GET /api/v1/vault/{environment}",
            &["audit.append", "authenticate", "decide", "secrets.read_all"],
        ),
    ] {
        let request = collector.below(&root, "vanta-agent", route);
        let answer = collector.below(&request, "vanta-vault", route);
        for part in parts {
            collector.below(&answer, "vanta-vault", part);
        }
        assert_eq!(collector.names_below(&answer), parts);
    }
    let root = collector.span("vanta-agent", "fetch grants");
    let request = collector.below(&root, "vanta-agent", "GET /api/v1/access");
    let answer = collector.below(&request, "vanta-vault", "GET /api/v1/access");
    let proof = collector.below(&answer, "vanta-vault", "authenticate");
    assert_eq!(proof.attribute("vanta.method"), Some("oidc"));

    let exported = String::from_utf8_lossy(&collector.bodies()).into_owned();
    for secret in [SUBJECT, "eyJ", "APP_", "example-password", "checkout", &issuer.url] {
        assert!(!exported.contains(secret), "{secret} is exported");
    }
}

#[test]
fn files_come_and_agents_end_whether_or_not_anybody_takes_their_traces() {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    let hanging = Collector::that_hangs();
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{away}"), hanging.endpoint.clone(), "https://o:1".to_owned()] {
        let pod = Pod::new(&served.api())
            .with("VANTA_AGENT_MODE", "init")
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
        let mut agent = pod.start();
        assert_eq!(agent.wait().code(), Some(0), "{}", agent.log());
        until_file(&pod, ".env", "APP_DB_USER");
        assert!(agent.logged("traces").len() <= 1, "{}", agent.log());
    }
}

#[test]
fn an_agent_without_a_collector_sends_nothing_of_a_trace() {
    let collector = Collector::start();
    let key = SigningKey::p256("a");
    let (site, issuer) = (Site::new(), Issuer::start(&[&key]));
    let vault = vault(&site, &issuer, &collector);
    let pod = Pod::new(&vault.api).with("VANTA_AGENT_MODE", "init");
    pod.write("token", &issuer.token(&key, SUBJECT));
    assert_eq!(pod.start().wait().code(), Some(0));
    let answer = collector.span("vanta-vault", "GET /api/v1/vault/{environment}");
    assert_eq!(answer.parent, "", "the vault begins a trace by itself");
}
