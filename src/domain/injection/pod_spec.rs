//! A pod's spec, read as far as it matters to the agent.

use serde_json::{Map, Value};

use super::agent::OwnVolume;
use super::refusal::Refusal;
use crate::domain::pod::{AGENT_CONTAINER, SECRETS_FOLDER};

/// The annotation that the kubelet puts on the image of a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The most containers of a pod, init containers among them: each of them gets a mount, so that
/// the patch would grow far beyond the pod.
pub(super) const MOST_CONTAINERS: usize = 256;

/// A pod whose lists are lists and whose containers have names.
pub(super) struct PodSpec<'a> {
    pod: &'a Value,
    init_containers: Vec<Container<'a>>,
    containers: Vec<Container<'a>>,
    volumes: &'a [Value],
}

/// One container, which may be an init container.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    list: &'static str,
    place: usize,
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> PodSpec<'a> {
    pub(super) fn of(pod: &'a Value) -> Result<Self, Refusal> {
        if !pod.get("spec").is_some_and(Value::is_object) {
            return Err(Refusal::malformed("spec", "an object"));
        }
        let init_containers = containers(pod, "initContainers")?;
        let containers = containers(pod, "containers")?;
        if init_containers.len() + containers.len() > MOST_CONTAINERS {
            return Err(Refusal::TooManyContainers);
        }
        Ok(Self {
            pod,
            init_containers,
            containers,
            volumes: list(pod.pointer("/spec/volumes"), || "spec.volumes".to_owned())?,
        })
    }

    /// Whether the pod can have an agent at all.
    pub(super) fn check_platform(&self) -> Result<(), Refusal> {
        let text = |pointer| self.pod.pointer(pointer).and_then(Value::as_str);
        if [text("/spec/os/name"), text("/spec/nodeSelector/kubernetes.io~1os")]
            .contains(&Some("windows"))
        {
            return Err(Refusal::Windows);
        }
        let annotations = self.pod.pointer("/metadata/annotations");
        if annotations.is_some_and(|annotations| annotations.get(MIRROR).is_some()) {
            return Err(Refusal::StaticPod);
        }
        let host_network = self.is_true("hostNetwork");
        match (host_network, text("/spec/dnsPolicy")) {
            (true, None | Some("" | "ClusterFirst" | "Default")) => Err(Refusal::NodeNameServers(
                "the pod has hostNetwork without dnsPolicy: ClusterFirstWithHostNet",
                "ClusterFirstWithHostNet",
            )),
            (false, Some("Default")) => {
                Err(Refusal::NodeNameServers("the pod has dnsPolicy: Default", "ClusterFirst"))
            }
            _ => Ok(()),
        }
    }

    /// What works, and should be known.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_true("shareProcessNamespace") {
            warnings.push(
                "shareProcessNamespace: true lets processes of other containers reach the agent's \
                 files, its identity token among them, by /proc/PID/root: leave it out unless \
                 every container is trusted with the pod's identity"
                    .to_owned(),
            );
        }
        if self.pod.pointer("/spec/dnsPolicy").and_then(Value::as_str) == Some("None") {
            warnings.push(
                "dnsPolicy: None leaves name servers to dnsConfig: the agent reaches the vault \
                 only if these and their search domains resolve the cluster's services"
                    .to_owned(),
            );
        }
        warnings
    }

    /// All containers but the agent, init containers first.
    pub(super) fn others(&self) -> impl Iterator<Item = Container<'a>> {
        let all = self.init_containers.iter().chain(&self.containers);
        all.filter(|container| container.name != AGENT_CONTAINER).copied()
    }

    /// The agent that is in the pod already, and its place among the init containers.
    pub(super) fn agent(&self) -> Result<Option<(usize, &'a Value)>, Refusal> {
        let is_named = |container: &&Container<'_>| container.name == AGENT_CONTAINER;
        if self.containers.iter().any(|container| is_named(&container)) {
            return Err(Refusal::ContainerTaken);
        }
        let Some(agent) = self.init_containers.iter().find(is_named) else { return Ok(None) };
        let writes_the_files = agent.mounts()?.iter().any(|mount| {
            mount.volume == OwnVolume::Secrets.name()
                && mount.path == SECRETS_FOLDER
                && !mount.read_only
        });
        if !writes_the_files {
            return Err(Refusal::ContainerTaken);
        }
        Ok(Some((agent.place, agent.value)))
    }

    pub(super) fn volume(&self, name: &str) -> Option<&'a Value> {
        self.volumes.iter().find(|volume| volume.get("name").is_some_and(|it| it == name))
    }

    /// A field of the pod's security context.
    pub(super) fn security(&self, field: &str) -> Option<&'a Value> {
        self.pod.pointer("/spec/securityContext")?.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn has_supplemental_group(&self, group: i64) -> bool {
        let groups = self.security("supplementalGroups").and_then(Value::as_array);
        groups.is_some_and(|groups| groups.iter().any(|it| *it == group))
    }

    fn is_true(&self, field: &str) -> bool {
        self.pod["spec"].get(field) == Some(&Value::Bool(true))
    }
}

/// What a container mounts, as far as it matters.
pub(super) struct Mount<'a> {
    pub(super) volume: &'a str,
    pub(super) path: &'a str,
    pub(super) read_only: bool,
    /// Whether it is of a part of the volume.
    pub(super) partial: bool,
}

impl<'a> Container<'a> {
    /// Where it is in the pod, as a JSON Pointer.
    pub(super) fn pointer(&self) -> String {
        format!("/spec/{}/{}", self.list, self.place)
    }

    pub(super) fn mounts(&self) -> Result<Vec<Mount<'a>>, Refusal> {
        let field = || format!("spec.{}[{}].volumeMounts", self.list, self.place);
        let mounts = list(self.value.get("volumeMounts"), field)?;
        let text = |mount: &'a Value, field| mount.get(field).and_then(Value::as_str);
        Ok(mounts
            .iter()
            .map(|mount| Mount {
                volume: text(mount, "name").unwrap_or_default(),
                path: text(mount, "mountPath").unwrap_or_default(),
                read_only: mount.get("readOnly") == Some(&Value::Bool(true)),
                partial: ["subPath", "subPathExpr"]
                    .iter()
                    .any(|field| text(mount, field).is_some_and(|path| !path.is_empty())),
            })
            .collect())
    }

    /// A field of its security context, or of the pod's where it is silent.
    pub(super) fn security(&self, spec: &PodSpec<'a>, field: &str) -> Option<&'a Value> {
        let own = self.value.get("securityContext").and_then(|context| context.get(field));
        own.filter(|value| !value.is_null()).or_else(|| spec.security(field))
    }
}

fn containers<'a>(pod: &'a Value, field: &'static str) -> Result<Vec<Container<'a>>, Refusal> {
    let values = list(pod["spec"].get(field), || format!("spec.{field}"))?;
    let named = values.iter().enumerate().map(|(place, value)| {
        let object: Option<&Map<_, _>> = value.as_object();
        let name = object.and_then(|object| object.get("name")).and_then(Value::as_str);
        let name = name.ok_or_else(|| {
            Refusal::malformed(format!("spec.{field}[{place}]"), "a container with a name")
        })?;
        Ok(Container { list: field, place, name, value })
    });
    named.collect()
}

/// The elements of a list that may be absent.
fn list(value: Option<&Value>, field: impl FnOnce() -> String) -> Result<&[Value], Refusal> {
    match value {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(Refusal::malformed(field(), "a list")),
    }
}
