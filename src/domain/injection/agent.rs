//! The agent's container and its volumes.

use serde_json::{Value, json};

use super::InjectionConfig;
use super::annotations::Choices;
use super::owner::FileOwner;
use super::pod_spec::PodSpec;
use super::refusal::Refusal;
use super::shape::{contains, merged};
use crate::domain::pod::{
    AGENT_CONTAINER, AGENT_PROGRAM, AUDIENCE, AUTHORITY_CONFIG_MAP, AUTHORITY_FILE,
    AUTHORITY_FOLDER, AgentMode, IDENTITY_FILE, IDENTITY_FOLDER, SECRETS_FOLDER, variables,
};

/// The most that the files of a pod may take, in memory.
const SECRETS_LIMIT: &str = "4Mi";

/// How long an identity token lives, in seconds; the kubelet renews it at four fifths of that.
const IDENTITY_LIFE: u32 = 3600;

/// What another may rewrite in the agent's container: registries are mirrored, every image is
/// pulled, resources are limited.
const REWRITTEN_BY_OTHERS: [&str; 3] = ["image", "imagePullPolicy", "resources"];

/// What the container has in one mode alone.
const OF_A_MODE: [&str; 2] = ["restartPolicy", "startupProbe"];

/// The volumes that the agent needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnVolume {
    /// The files, in memory.
    Secrets,
    /// The pod's identity for the vault.
    Identity,
    /// The authority that vouches for the vault.
    Authority,
}

impl OwnVolume {
    pub(super) const ALL: [Self; 3] = [Self::Secrets, Self::Identity, Self::Authority];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Secrets => "vanta-secrets",
            Self::Identity => "vanta-identity",
            Self::Authority => AUTHORITY_CONFIG_MAP,
        }
    }

    pub(super) fn wanted(self) -> Value {
        match self {
            Self::Secrets => json!({
                "name": self.name(),
                "emptyDir": {"medium": "Memory", "sizeLimit": SECRETS_LIMIT},
            }),
            Self::Identity => json!({
                "name": self.name(),
                "projected": {"sources": [{"serviceAccountToken": {
                    "audience": AUDIENCE, "expirationSeconds": IDENTITY_LIFE, "path": IDENTITY_FILE,
                }}]},
            }),
            // A pod whose ConfigMap is late starts, and the agent says what it waits for.
            Self::Authority => json!({
                "name": self.name(),
                "configMap": {"name": AUTHORITY_CONFIG_MAP, "optional": true},
            }),
        }
    }

    /// What makes a volume of this name the one that is needed, whatever its limits are.
    fn essence(self) -> Value {
        match self {
            Self::Secrets => json!({"emptyDir": {"medium": "Memory"}}),
            Self::Identity => json!({"projected": {"sources": [{"serviceAccountToken": {
                "audience": AUDIENCE, "path": IDENTITY_FILE,
            }}]}}),
            Self::Authority => json!({"configMap": {"name": AUTHORITY_CONFIG_MAP}}),
        }
    }

    /// Whether the pod has it; another one of its name is refused.
    pub(super) fn is_in(self, spec: &PodSpec<'_>) -> Result<bool, Refusal> {
        match spec.volume(self.name()) {
            None => Ok(false),
            Some(volume) if contains(volume, &self.essence()) => Ok(true),
            Some(_) => Err(Refusal::VolumeTaken(self.name())),
        }
    }

    fn mount(self) -> Value {
        match self {
            Self::Secrets => json!({"name": self.name(), "mountPath": SECRETS_FOLDER}),
            Self::Identity => {
                json!({"name": self.name(), "mountPath": IDENTITY_FOLDER, "readOnly": true})
            }
            Self::Authority => {
                json!({"name": self.name(), "mountPath": AUTHORITY_FOLDER, "readOnly": true})
            }
        }
    }
}

/// The agent of one pod.
pub(super) struct Agent<'a> {
    pub(super) config: &'a InjectionConfig,
    pub(super) choices: &'a Choices,
    pub(super) owner: &'a FileOwner,
}

impl Agent<'_> {
    /// Its container. It passes the Pod Security Standard `restricted`.
    pub(super) fn container(&self) -> Value {
        let mut container = json!({
            "name": AGENT_CONTAINER,
            "image": self.config.agent_image,
            "env": self.variables(),
            "resources": {
                "requests": {"cpu": "5m", "memory": "8Mi"},
                "limits": {"memory": "32Mi"},
            },
            "volumeMounts": OwnVolume::ALL.map(OwnVolume::mount),
            "securityContext": {
                "runAsUser": self.owner.user,
                "runAsGroup": self.owner.group,
                "runAsNonRoot": true,
                "readOnlyRootFilesystem": true,
                "allowPrivilegeEscalation": false,
                "privileged": false,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        });
        if let Some(policy) = &self.config.image_pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        if self.choices.mode == AgentMode::Sidecar {
            container["restartPolicy"] = json!("Always");
            // It fails while the agent waits and says for what, which the kubelet makes an event
            // of the pod; no number of failures ends the waiting.
            container["startupProbe"] = json!({
                "exec": {"command": [AGENT_PROGRAM, "probe"]},
                "periodSeconds": 1,
                "timeoutSeconds": 5,
                "failureThreshold": i32::MAX,
            });
        }
        container
    }

    /// The container that is there already, with all in it that the agent needs.
    pub(super) fn kept(&self, there: &Value) -> Value {
        let mut wanted = self.container();
        let mut kept = there.clone();
        if let (Some(wanted), Some(kept)) = (wanted.as_object_mut(), kept.as_object_mut()) {
            for field in REWRITTEN_BY_OTHERS.iter().filter(|field| kept.contains_key(**field)) {
                wanted.remove(*field);
            }
            for field in OF_A_MODE.iter().filter(|field| !wanted.contains_key(**field)) {
                kept.remove(*field);
            }
            if let Some(Value::Array(variables)) = kept.get_mut("env") {
                variables.retain(|variable| !is_stale(variable, &wanted["env"]));
            }
        }
        merged(&kept, &wanted)
    }

    fn variables(&self) -> Vec<Value> {
        let mut all = vec![
            (variables::ADDRESS, self.config.vault_address.clone()),
            (variables::AUTHORITY_FILE, format!("{AUTHORITY_FOLDER}/{AUTHORITY_FILE}")),
            (variables::IDENTITY_FILE, format!("{IDENTITY_FOLDER}/{IDENTITY_FILE}")),
            (variables::SECRETS_FOLDER, SECRETS_FOLDER.to_owned()),
            (variables::MODE, self.choices.mode.to_string()),
            (variables::ON_REVOKE, self.choices.on_revoke.to_string()),
            (variables::FILE_MODE, self.owner.mode.to_string()),
        ];
        if let Some(traces) = &self.config.traces {
            all.push((variables::COLLECTOR, traces.endpoint.clone()));
            if let Some(ratio) = &traces.ratio {
                all.push((variables::SAMPLER, "parentbased_traceidratio".to_owned()));
                all.push((variables::SAMPLER_RATIO, ratio.clone()));
            }
        }
        if let Some(access) = &self.choices.access {
            let names: Vec<&str> = access.iter().map(AsRef::as_ref).collect();
            all.push((variables::ACCESS, names.join(",")));
        }
        if let (AgentMode::Init, Some(seconds)) = (self.choices.mode, self.choices.start_up_budget)
        {
            all.push((variables::START_UP_BUDGET, seconds.to_string()));
        }
        all.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    }
}

/// The variables that the agent has only sometimes.
const SOMETIMES: [&str; 5] = [
    variables::ACCESS,
    variables::START_UP_BUDGET,
    variables::COLLECTOR,
    variables::SAMPLER,
    variables::SAMPLER_RATIO,
];

/// Whether a variable is one that the agent has only sometimes, and not now.
fn is_stale(variable: &Value, wanted: &Value) -> bool {
    let name = &variable["name"];
    let sometimes = SOMETIMES.iter().any(|it| name == it);
    sometimes && !wanted.as_array().is_some_and(|all| all.iter().any(|it| it["name"] == *name))
}
