//! Which containers get the files, and what stands in the way of that.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::agent::OwnVolume;
use super::pod_spec::{Container, PodSpec};
use super::refusal::Refusal;
use crate::domain::names::{Label, Shown};
use crate::domain::pod::SECRETS_FOLDER;

/// The most containers that a refusal lists.
const MOST_LISTED: usize = 8;

/// The containers that read the files.
pub(super) struct Readers<'a> {
    /// All of them once the pod is done.
    pub(super) all: Vec<Container<'a>>,
    /// Those that have no mount yet.
    pub(super) lacking: Vec<Container<'a>>,
}

/// The mount that each of them gets.
pub(super) fn wanted() -> Value {
    json!({"name": OwnVolume::Secrets.name(), "mountPath": SECRETS_FOLDER, "readOnly": true})
}

/// Whether no container has what is the agent's alone.
pub(super) fn check_owned(spec: &PodSpec<'_>) -> Result<(), Refusal> {
    for container in spec.others() {
        let name = || Shown::new(container.name);
        for mount in container.mounts()? {
            let identity = OwnVolume::Identity.name();
            if mount.volume == identity {
                return Err(Refusal::IdentityMounted { container: name(), volume: identity });
            }
            let secrets = OwnVolume::Secrets.name();
            if mount.volume == secrets && !mount.read_only {
                return Err(Refusal::WritableMount { container: name(), volume: secrets });
            }
        }
    }
    Ok(())
}

/// Those that are named; else those that were chosen when the agent came, so that what others have
/// added since gets nothing; else all.
pub(super) fn readers<'a>(
    spec: &PodSpec<'a>,
    named: Option<&[Label]>,
    has_agent: bool,
) -> Result<Readers<'a>, Refusal> {
    let there: BTreeSet<&str> = spec.others().map(|container| container.name).collect();
    let named: Option<BTreeSet<&str>> =
        named.map(|named| named.iter().map(AsRef::as_ref).collect());
    if let Some(name) = named.iter().flatten().find(|name| !there.contains(**name)) {
        return Err(Refusal::NoSuchContainer { name: Shown::new(name), there: listed(spec) });
    }
    let mut readers = Readers { all: Vec::new(), lacking: Vec::new() };
    let mut others = Vec::new();
    for container in spec.others() {
        let mounts = container.mounts()?;
        let reads = mounts.iter().any(|mount| mount.volume == OwnVolume::Secrets.name());
        others.push((container, mounts, reads));
    }
    let chosen_before = has_agent && others.iter().any(|(.., reads)| *reads);
    for (container, mounts, reads) in others {
        let chosen = match &named {
            Some(named) => named.contains(container.name),
            None => !chosen_before || reads,
        };
        let mut has_it = false;
        for mount in mounts.iter().filter(|mount| chosen && overlaps(mount.path, SECRETS_FOLDER)) {
            let is_ours = mount.volume == OwnVolume::Secrets.name()
                && !mount.partial
                && same_path(mount.path, SECRETS_FOLDER);
            if !is_ours {
                let (container, path) = (Shown::new(container.name), Shown::new(mount.path));
                return Err(Refusal::MountTaken { container, path });
            }
            has_it = true;
        }
        // Where it was chosen before, its own way of mounting the files is enough.
        let enough = has_it || (named.is_none() && chosen_before);
        if chosen || reads {
            readers.all.push(container);
        }
        if chosen && !enough {
            readers.lacking.push(container);
        }
    }
    Ok(readers)
}

/// The first of a pod's containers, and how many more there are.
fn listed(spec: &PodSpec<'_>) -> String {
    let first = spec.others().take(MOST_LISTED);
    let first: Vec<String> =
        first.map(|container| Shown::new(container.name).to_string()).collect();
    match spec.others().skip(MOST_LISTED).count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The parts of a path as the container runtime sees it.
fn parts(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
}

fn same_path(one: &str, other: &str) -> bool {
    parts(one) == parts(other)
}

/// Whether one is the other, or lies below it.
fn overlaps(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    one.starts_with(&other) || other.starts_with(&one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_overlap_where_one_is_the_other_or_below_it_however_it_is_written() {
        for path in [
            "/vanta/secrets",
            "/vanta/secrets/",
            "//vanta/./secrets",
            "/vanta/x/../secrets",
            "vanta/secrets",
            "/vanta/secrets/.env",
            "/vanta",
            "/",
            "",
        ] {
            assert!(overlaps(path, SECRETS_FOLDER), "{path}");
        }
        for path in ["/vanta/secrets-2", "/vanta/ca", "/var/vanta/secrets", "/vantas"] {
            assert!(!overlaps(path, SECRETS_FOLDER), "{path}");
        }
    }
}
