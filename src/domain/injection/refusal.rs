//! Why a pod cannot get an agent: what is wrong, why that is so, and what to do.
//!
//! Invariant: whatever the pod's author wrote is in it as [`Shown`], so that no refusal is long and
//! none repeats a secret that is in the wrong place.

use super::annotations::MOST_BYTES;
use super::pod_spec::MOST_CONTAINERS;
use crate::domain::names::{InvalidName, Shown};
use crate::domain::pod::{AGENT_CONTAINER, SECRETS_FOLDER};

/// A pod that asks for an agent and cannot have one as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no pod.
    #[error("{field} is not {expected}: correct the pod")]
    Malformed {
        /// Where, with dots.
        field: String,
        /// What has to be there.
        expected: &'static str,
    },
    /// There is more in the annotations than anybody means.
    #[error(
        "annotations vanta.dev/... have more than {} KiB together: shorten them, or remove those that are not needed",
        MOST_BYTES / 1024
    )]
    AnnotationsTooLarge,
    /// There are more containers than any pod has.
    #[error(
        "the pod has more than {MOST_CONTAINERS} containers, which is the most that one with an agent may have: divide it"
    )]
    TooManyContainers,
    /// The value of `vanta.dev/inject` is neither of two.
    #[error("{0}")]
    Inject(InvalidName),
    /// Another annotation's value.
    #[error("annotation {name}: {reason}")]
    Annotation {
        /// Which, with its prefix.
        name: String,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// `vanta.dev/containers` names one that is not there.
    #[error(
        "annotation vanta.dev/containers names {name}, which the pod does not have: its containers are {there}"
    )]
    NoSuchContainer {
        /// As the annotation has it.
        name: Shown,
        /// The first of the pod's, with commas.
        there: String,
    },
    /// A container has the agent's name.
    #[error(
        "the pod has a container {AGENT_CONTAINER} that is not VANTA's agent: the name is the agent's, so give the container another"
    )]
    ContainerTaken,
    /// A volume has the name of one that the agent needs.
    #[error(
        "the pod has a volume {0} that is not what the agent needs under this name: give the volume another name"
    )]
    VolumeTaken(&'static str),
    /// Something is mounted where the files come.
    #[error(
        "container {container} mounts {path}, and {SECRETS_FOLDER} is where its secrets come: mount it elsewhere, or leave the container out with annotation vanta.dev/containers"
    )]
    MountTaken {
        /// The container.
        container: Shown,
        /// Its mount's path.
        path: Shown,
    },
    /// A container could change the files.
    #[error(
        "container {container} mounts volume {volume} to write into it, and the agent alone writes there: set readOnly: true on the mount"
    )]
    WritableMount {
        /// The container.
        container: Shown,
        /// The volume's name.
        volume: &'static str,
    },
    /// A container would get the agent's identity.
    #[error(
        "container {container} mounts volume {volume}, which holds the agent's identity and is the agent's alone: remove the mount"
    )]
    IdentityMounted {
        /// The container.
        container: Shown,
        /// The volume's name.
        volume: &'static str,
    },
    /// The vault's name does not resolve with the node's name servers.
    #[error(
        "{0}, so the pod asks the node's name servers, which do not know the vault: set dnsPolicy: {1}"
    )]
    NodeNameServers(&'static str, &'static str),
    /// Not Linux.
    #[error(
        "the pod is for Windows, and the agent runs on Linux alone: remove annotation vanta.dev/inject or set it to \"false\""
    )]
    Windows,
    /// A static pod's image in the API.
    #[error(
        "a static pod has no service account and so no identity for the vault: make it a DaemonSet, or remove annotation vanta.dev/inject"
    )]
    StaticPod,
}

impl Refusal {
    /// A field that is not what it has to be.
    pub(super) fn malformed(field: impl Into<String>, expected: &'static str) -> Self {
        Self::Malformed { field: field.into(), expected }
    }

    /// Which it is, for the log, which the pod's author has no part in.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::AnnotationsTooLarge => "annotations-too-large",
            Self::TooManyContainers => "too-many-containers",
            Self::Inject(_) => "inject",
            Self::Annotation { .. } => "annotation",
            Self::NoSuchContainer { .. } => "no-such-container",
            Self::ContainerTaken => "container-taken",
            Self::VolumeTaken(_) => "volume-taken",
            Self::MountTaken { .. } => "mount-taken",
            Self::WritableMount { .. } => "writable-mount",
            Self::IdentityMounted { .. } => "identity-mounted",
            Self::NodeNameServers(..) => "node-name-servers",
            Self::Windows => "windows",
            Self::StaticPod => "static-pod",
        }
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
