//! What a pod that asks for secrets gets: an agent, a folder in memory, an identity for the agent.
//!
//! Invariants: the answer depends on the pod and the configuration alone; a pod that has all of it
//! already gets nothing more, also after others have added to it; of what the pod's author wrote,
//! nothing is changed or removed.

mod agent;
mod annotations;
mod draft;
mod mounts;
mod owner;
mod pod_spec;
mod refusal;
mod shape;
mod waiting;
mod workloads;

pub use annotations::PREFIX;
pub use draft::{Operation, Patch};
pub use refusal::Refusal;
pub use waiting::warnings_of_grants;
pub use workloads::{pod_pointer, warnings_of_workload};

use serde_json::Value;

use agent::{Agent, OwnVolume};
use annotations::Annotations;
use draft::Draft;
use owner::{FileOwner, SHARED_GROUP};
use pod_spec::PodSpec;

/// What is the same for every pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionConfig {
    /// The agent's image.
    pub agent_image: String,
    /// `Always`, `IfNotPresent` or `Never`; what Kubernetes takes for the image where absent.
    pub image_pull_policy: Option<String>,
    /// The vault's URL.
    pub vault_address: String,
    /// Where agents send traces; they make none without it.
    pub traces: Option<TraceConfig>,
}

/// Where agents send traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceConfig {
    /// The collector, `http://HOST:PORT`.
    pub endpoint: String,
    /// The part of the traces that is exported, from 0 to 1; all without it.
    pub ratio: Option<String>,
}

/// What becomes of a pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Injection {
    /// Makes of the pod the one with an agent; empty where it asks for none or has it already.
    pub patch: Patch,
    /// Whether the pod asks for an agent.
    pub asked: bool,
    /// What its author should know; each is a sentence without its full stop.
    pub warnings: Vec<String>,
}

/// Gives a pod what it asks for. `pod` is its JSON as the API server has it, or a pod template.
pub fn inject(pod: &Value, config: &InjectionConfig) -> Result<Injection, Refusal> {
    let annotations = Annotations::of(pod)?;
    let mut warnings = annotations.warnings();
    if !annotations.asks()? {
        return Ok(Injection { warnings, ..Injection::default() });
    }
    let choices = annotations.choices()?;
    let spec = PodSpec::of(pod)?;
    spec.check_platform()?;
    warnings.extend(spec.warnings());
    mounts::check_owned(&spec)?;

    let present = spec.agent()?;
    let readers = mounts::readers(&spec, choices.containers.as_deref(), present.is_some())?;
    let owner = FileOwner::of(&spec, &readers.all);
    let agent = Agent { config, choices: &choices, owner: &owner };

    let mut draft = Draft::new(pod);
    for volume in OwnVolume::ALL {
        if !volume.is_in(&spec)? {
            draft.append("/spec", "volumes", volume.wanted());
        }
    }
    if owner.by_shared_group && !spec.has_supplemental_group(SHARED_GROUP) {
        draft.append_in("/spec", "securityContext", "supplementalGroups", SHARED_GROUP.into());
    }
    // By their places of now: the agent comes before them afterwards.
    for reader in &readers.lacking {
        draft.append(&reader.pointer(), "volumeMounts", mounts::wanted());
    }
    match present {
        None => draft.insert_first("/spec", "initContainers", agent.container()),
        Some((place, there)) => {
            let kept = agent.kept(there);
            if kept != *there {
                draft.replace(&format!("/spec/initContainers/{place}"), kept);
            }
        }
    }
    Ok(Injection { patch: draft.into_patch(), asked: true, warnings })
}

/// What is said of a pod's annotations, also where the pod is refused for something else.
pub fn warnings_of_annotations(pod: &Value) -> Vec<String> {
    Annotations::of(pod).map_or_else(|_| Vec::new(), |annotations| annotations.warnings())
}

#[cfg(test)]
#[path = "inject_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "inject_laws_tests.rs"]
mod laws;
