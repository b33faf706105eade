//! The configuration, which the injector writes into the agent's container: variables alone.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::trace::Collector;
use crate::adapters::client::Address;
use crate::domain::names::ObjectName;
use crate::domain::pod::{
    AUTHORITY_FILE, AUTHORITY_FOLDER, AgentMode, FileMode, IDENTITY_FILE, IDENTITY_FOLDER,
    LONGEST_START_UP, OnRevoke, SECRETS_FOLDER, STATUS_FILE, variables,
};

/// How long init mode tries, where nothing is said.
const START_UP_BUDGET: Duration = Duration::from_mins(2);

/// What the agent does, where, and for whom.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) address: Address,
    pub(super) authority_file: PathBuf,
    pub(super) identity_file: PathBuf,
    pub(super) secrets_folder: PathBuf,
    /// The SecretAccesses that are wanted; all of the subject's where there is none.
    pub(super) access: Vec<ObjectName>,
    pub(super) mode: AgentMode,
    pub(super) start_up_budget: Duration,
    pub(super) on_revoke: OnRevoke,
    pub(super) file_mode: FileMode,
    /// Where traces go; nothing is traced without it.
    pub(super) collector: Option<Collector>,
    /// Whether a collector is named that cannot be spoken to. No pod waits for that.
    pub(super) has_unusable_collector: bool,
}

/// A variable that cannot be used. Its text is not repeated but where it is a name.
#[derive(Debug, thiserror::Error)]
#[error("{variable} cannot be used: {why}")]
pub(super) struct InvalidConfig {
    variable: &'static str,
    why: String,
}

impl Config {
    /// The configuration of the environment.
    pub(super) fn from_environment() -> Result<Self, InvalidConfig> {
        Self::new(variable)
    }

    fn new(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        let path = |variable, default: &str| lookup(variable).unwrap_or(default.to_owned()).into();
        let address = lookup(variables::ADDRESS)
            .ok_or_else(|| refuse(variables::ADDRESS, "it has to name the vault's address"))?;
        let endpoint = lookup(variables::COLLECTOR);
        let collector = endpoint.as_deref().and_then(|endpoint| collector(endpoint, &lookup));
        Ok(Self {
            has_unusable_collector: endpoint.is_some() && collector.is_none(),
            collector,
            address: parse(variables::ADDRESS, &address)?,
            authority_file: path(
                variables::AUTHORITY_FILE,
                &format!("{AUTHORITY_FOLDER}/{AUTHORITY_FILE}"),
            ),
            identity_file: path(
                variables::IDENTITY_FILE,
                &format!("{IDENTITY_FOLDER}/{IDENTITY_FILE}"),
            ),
            secrets_folder: path(variables::SECRETS_FOLDER, SECRETS_FOLDER),
            access: names(lookup(variables::ACCESS).as_deref().unwrap_or_default())?,
            mode: choice(&lookup, variables::MODE)?,
            start_up_budget: lookup(variables::START_UP_BUDGET)
                .map_or(Ok(START_UP_BUDGET), |text| budget(&text))?,
            on_revoke: choice(&lookup, variables::ON_REVOKE)?,
            file_mode: choice(&lookup, variables::FILE_MODE)?,
        })
    }
}

/// Where the agent says how it stands.
pub(super) fn status_file() -> PathBuf {
    variable(variables::STATUS_FILE).unwrap_or_else(|| STATUS_FILE.to_owned()).into()
}

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "this is the place where variables are read")]
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

fn refuse(variable: &'static str, why: impl fmt::Display) -> InvalidConfig {
    InvalidConfig { variable, why: why.to_string() }
}

fn parse<T: std::str::FromStr<Err: fmt::Display>>(
    variable: &'static str,
    text: &str,
) -> Result<T, InvalidConfig> {
    text.parse().map_err(|error| refuse(variable, error))
}

fn choice<T: std::str::FromStr<Err: fmt::Display> + Default>(
    lookup: impl Fn(&str) -> Option<String>,
    variable: &'static str,
) -> Result<T, InvalidConfig> {
    lookup(variable).map_or_else(|| Ok(T::default()), |text| parse(variable, &text))
}

/// The collector of traces, where it can be spoken to: in clear, as there are no authorities here
/// to believe one by.
fn collector(endpoint: &str, lookup: impl Fn(&str) -> Option<String>) -> Option<Collector> {
    let host = endpoint.strip_prefix("http://")?.split('/').next()?;
    if host.is_empty() || endpoint.contains(['?', '#', '@']) {
        return None;
    }
    let sampler = lookup(variables::SAMPLER).unwrap_or_default();
    let ratio = match sampler.trim_start_matches("parentbased_") {
        "always_off" => 0.0,
        "traceidratio" => {
            let ratio = lookup(variables::SAMPLER_RATIO).and_then(|ratio| ratio.parse().ok());
            ratio.map_or(1.0, |ratio: f64| ratio.clamp(0.0, 1.0))
        }
        _ => 1.0,
    };
    Some(Collector { endpoint: endpoint.to_owned(), ratio })
}

fn names(text: &str) -> Result<Vec<ObjectName>, InvalidConfig> {
    let said = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut names =
        said.map(|name| parse(variables::ACCESS, name)).collect::<Result<Vec<ObjectName>, _>>()?;
    if names.is_empty() && !text.is_empty() {
        return Err(refuse(variables::ACCESS, "it names no SecretAccess: leave it out for all"));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn budget(text: &str) -> Result<Duration, InvalidConfig> {
    let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST_START_UP).contains(seconds));
    let rule = "use a number of seconds from 1 to 86400";
    seconds
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| refuse(variables::START_UP_BUDGET, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            let found = set.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        };
        Config::new(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_alone_is_needed() {
        let config = with(&[("VANTA_ADDR", "https://vanta-vault.vanta-system.svc:8443")]).unwrap();
        assert_eq!(config.secrets_folder.to_str(), Some("/vanta/secrets"));
        assert_eq!(config.authority_file.to_str(), Some("/vanta/ca/ca.crt"));
        assert_eq!(config.start_up_budget.as_secs(), 120);
        assert!(config.access.is_empty());
        insta::assert_snapshot!(
            with(&[]).unwrap_err(),
            @"VANTA_ADDR cannot be used: it has to name the vault's address"
        );
    }

    #[test]
    fn names_are_taken_once_each_and_white_space_around_them_is_none_of_them() {
        let access = |text: &str| {
            let config = with(&[("VANTA_ADDR", "https://v"), ("VANTA_ACCESS", text)]);
            config.map(|config| config.access.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(access("shared, checkout,shared,").unwrap(), ["checkout", "shared"]);
        assert!(access("").unwrap().is_empty());
        for bad in [",", " ", "Checkout", "a/b", "a b"] {
            assert!(access(bad).unwrap_err().starts_with("VANTA_ACCESS"), "{bad:?}");
        }
    }

    #[test]
    fn a_collector_is_spoken_to_in_clear_and_a_bad_one_keeps_no_pod_waiting() {
        let with =
            |set: &[(&str, &str)]| with(&[&[("VANTA_ADDR", "https://v")], set].concat()).unwrap();
        assert_eq!(with(&[]).collector, None);
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.o11y:4318");
        assert!((with(&[endpoint]).collector.unwrap().ratio - 1.0).abs() < f64::EPSILON);
        let part = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
        let ratio = with(&[&[endpoint], &part[..]].concat()).collector.unwrap().ratio;
        assert!((ratio - 0.25).abs() < f64::EPSILON);
        for bad in ["https://collector:4318", "collector:4317", "http://", "http://u:p@c:4318"] {
            let config = with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", bad)]);
            assert!(config.collector.is_none() && config.has_unusable_collector, "{bad}");
        }
    }

    #[test]
    fn a_bad_variable_is_named_with_the_rule_that_it_breaks() {
        for (variable, bad) in [
            ("VANTA_ADDR", "http://vanta-vault.vanta-system.svc"),
            ("VANTA_AGENT_MODE", "Sidecar"),
            ("VANTA_START_UP_BUDGET", "0"),
            ("VANTA_START_UP_BUDGET", "2m"),
            ("VANTA_START_UP_BUDGET", "86401"),
            ("VANTA_ON_REVOKE", "delete"),
            ("VANTA_FILE_MODE", "0644"),
        ] {
            let mut set = vec![(variable, bad)];
            set.push(("VANTA_ADDR", "https://v"));
            let said = with(&set).unwrap_err();
            assert!(said.starts_with(variable), "{said}");
        }
    }
}
