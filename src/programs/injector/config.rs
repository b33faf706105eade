//! Arguments as said, then configuration as meant; the name of each variable is here alone.

use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};

use crate::domain::injection::{InjectionConfig, TraceConfig};
use crate::domain::names::Label;
use crate::domain::system::{VAULT, VAULT_PORT};

/// Gives pods that ask for secrets an agent, and keeps the system's certificates.
#[derive(Debug, Parser)]
#[command(name = "vanta-injector", version)]
pub(super) struct InjectorArgs {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Where the API server's questions are answered, over HTTPS
    #[arg(long, env = "VANTA_LISTEN", default_value = "0.0.0.0:8443")]
    pub(super) listen: SocketAddr,
    /// Where to answer `/healthz`, `/readyz` and `/metrics`
    #[arg(long, env = "VANTA_HEALTH_LISTEN", default_value = "0.0.0.0:9090")]
    pub(super) health_listen: SocketAddr,
    /// The namespace of the system [default: that of the service account]
    #[arg(long, env = "VANTA_NAMESPACE")]
    pub(super) namespace: Option<Label>,
    /// The agent's image
    #[arg(long, env = "VANTA_AGENT_IMAGE")]
    pub(super) agent_image: Option<String>,
    /// When the kubelet pulls it [default: what Kubernetes takes for the image's tag]
    #[arg(long, env = "VANTA_AGENT_IMAGE_PULL_POLICY", value_enum)]
    pub(super) agent_image_pull_policy: Option<PullPolicy>,
    /// The vault's URL as agents reach it [default: `https://vanta-vault.NAMESPACE.svc:8443`]
    #[arg(long = "vault-addr", env = "VANTA_VAULT_ADDR")]
    pub(super) vault_address: Option<String>,
    /// Where agents send traces, `http://HOST:PORT` of a collector's OTLP over HTTP
    #[arg(long, env = "VANTA_AGENT_TRACES")]
    pub(super) agent_traces: Option<String>,
    /// The part of the agents' traces that is exported, from 0 to 1
    #[arg(long, env = "VANTA_AGENT_TRACES_RATIO")]
    pub(super) agent_traces_ratio: Option<f64>,
    /// What to log: a level, or directives such as `vanta=debug,info`
    #[arg(long, env = "VANTA_LOG", default_value = "info")]
    pub(super) log: String,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum Command {
    /// Remove what the programs made in the cluster, and end: the authority's ConfigMap of every
    /// namespace, and the Secrets of certificates and signing key
    Cleanup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(super) enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// The injector's configuration, as far as it does not depend on where it runs.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) listen: SocketAddr,
    pub(super) health_listen: SocketAddr,
    pub(super) namespace: Option<Label>,
    agent_image: String,
    image_pull_policy: Option<String>,
    vault_address: Option<String>,
    traces: Option<TraceConfig>,
}

/// What is wrong with the configuration, and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConfigError {
    #[error(
        "--agent-image is needed (VANTA_AGENT_IMAGE): the agent's image, of this program's version"
    )]
    NoAgentImage,
    #[error(
        "the agent's image {0:?} (VANTA_AGENT_IMAGE) is no image's name: write it without spaces"
    )]
    AgentImage(String),
    #[error(
        "the vault's address {0:?} (VANTA_VAULT_ADDR) does not begin with https://: tokens and secrets would cross the network in clear"
    )]
    PlainHttp(String),
    #[error(
        "the collector {0:?} (VANTA_AGENT_TRACES) is not http://HOST:PORT: agents have no authorities to believe another by"
    )]
    Collector(String),
    #[error("{0} (VANTA_AGENT_TRACES_RATIO) is no part of the traces: use a number from 0 to 1")]
    Ratio(String),
}

impl InjectorArgs {
    /// The configuration that the arguments and variables mean.
    pub(super) fn config(self) -> Result<Config, ConfigError> {
        let image = self.agent_image.filter(|image| !image.is_empty());
        let image = image.ok_or(ConfigError::NoAgentImage)?;
        if image.contains(|sign: char| sign.is_whitespace() || sign.is_control()) {
            return Err(ConfigError::AgentImage(image));
        }
        let address = self.vault_address.filter(|address| !address.is_empty());
        if let Some(address) = address.as_ref().filter(|address| !address.starts_with("https://")) {
            return Err(ConfigError::PlainHttp(address.clone()));
        }
        let ratio = self.agent_traces_ratio;
        if let Some(ratio) = ratio.filter(|ratio| !(0.0..=1.0).contains(ratio)) {
            return Err(ConfigError::Ratio(ratio.to_string()));
        }
        let endpoint = self.agent_traces.filter(|endpoint| !endpoint.is_empty());
        if let Some(endpoint) = endpoint.as_ref().filter(|endpoint| !is_collector(endpoint)) {
            return Err(ConfigError::Collector(endpoint.clone()));
        }
        let traces = endpoint
            .map(|endpoint| TraceConfig { endpoint, ratio: ratio.map(|ratio| ratio.to_string()) });
        let policy = self.agent_image_pull_policy;
        Ok(Config {
            listen: self.listen,
            health_listen: self.health_listen,
            namespace: self.namespace,
            agent_image: image,
            image_pull_policy: policy.map(|policy| format!("{policy:?}")),
            vault_address: address,
            traces,
        })
    }
}

/// Whether agents can speak to it.
fn is_collector(endpoint: &str) -> bool {
    let is_strange = |sign: char| sign.is_whitespace() || sign.is_control() || "?#@".contains(sign);
    endpoint.strip_prefix("http://").is_some_and(|rest| !rest.is_empty())
        && !endpoint.contains(is_strange)
}

impl Config {
    /// What each pod gets from the system in this namespace.
    pub(super) fn injection(&self, namespace: &str) -> InjectionConfig {
        let own = || format!("https://{VAULT}.{namespace}.svc:{VAULT_PORT}");
        InjectionConfig {
            agent_image: self.agent_image.clone(),
            image_pull_policy: self.image_pull_policy.clone(),
            vault_address: self.vault_address.clone().unwrap_or_else(own),
            traces: self.traces.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
        let arguments = [&["vanta-injector"], arguments].concat();
        InjectorArgs::try_parse_from(arguments).unwrap().config()
    }

    #[test]
    fn the_vault_is_that_of_the_namespace_unless_it_is_said() {
        let image = ["--agent-image", "registry.example/agent:1"];
        let injection = config(&image).unwrap().injection("secrets");
        assert_eq!(injection.vault_address, "https://vanta-vault.secrets.svc:8443");
        assert_eq!(injection.image_pull_policy, None);
        let more = ["--agent-image-pull-policy", "IfNotPresent", "--vault-addr", "https://v:1"];
        let injection = config(&[&image[..], &more].concat()).unwrap().injection("secrets");
        assert_eq!(injection.vault_address, "https://v:1");
        assert_eq!(injection.image_pull_policy.as_deref(), Some("IfNotPresent"));
    }

    #[test]
    fn what_would_fail_in_every_pod_is_refused_at_the_start() {
        assert_eq!(config(&[]).unwrap_err(), ConfigError::NoAgentImage);
        assert_eq!(config(&["--agent-image", ""]).unwrap_err(), ConfigError::NoAgentImage);
        let error = config(&["--agent-image", "a b"]).unwrap_err();
        assert_eq!(error, ConfigError::AgentImage("a b".to_owned()));
        let error = config(&["--agent-image", "a", "--vault-addr", "http://v"]).unwrap_err();
        assert!(error.to_string().contains("in clear"), "{error}");
        for bad in ["https://collector", "collector:4318", "http://", "http://u:p@collector"] {
            let error = config(&["--agent-image", "a", "--agent-traces", bad]).unwrap_err();
            assert_eq!(error, ConfigError::Collector(bad.to_owned()));
        }
        let error = config(&["--agent-image", "a", "--agent-traces-ratio", "2"]).unwrap_err();
        assert_eq!(error, ConfigError::Ratio("2".to_owned()));
    }
}
