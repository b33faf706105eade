//! Whose files they are, so that the containers can read them and nobody else can.

use serde_json::Value;

use super::pod_spec::{Container, PodSpec};
use crate::domain::pod::FileMode;

/// The agent's user where it does not share that of the containers.
const AGENT_USER: i64 = 65_532;

/// The group of the files where the pod has none of its own for them.
pub(super) const SHARED_GROUP: i64 = 65_532;

/// Who the agent runs as, and so who the files belong to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileOwner {
    pub(super) user: i64,
    pub(super) group: i64,
    pub(super) mode: FileMode,
    /// Whether the pod needs [`SHARED_GROUP`] for its containers to be in the files' group.
    pub(super) by_shared_group: bool,
}

impl FileOwner {
    /// The user of all readers where it is said, is one and is not root; else the pod's group for
    /// volumes, which the kubelet gives the folder; else a group that the pod gets.
    pub(super) fn of(spec: &PodSpec<'_>, readers: &[Container<'_>]) -> Self {
        let same = |field: &str| {
            let number =
                |container: &Container<'_>| container.security(spec, field).and_then(Value::as_i64);
            let first = number(readers.first()?)?;
            readers.iter().all(|container| number(container) == Some(first)).then_some(first)
        };
        match same("runAsUser") {
            Some(user) if user != 0 => Self {
                user,
                group: same("runAsGroup").unwrap_or(SHARED_GROUP),
                mode: FileMode::Owner,
                by_shared_group: false,
            },
            _ => Self {
                user: AGENT_USER,
                group: SHARED_GROUP,
                mode: FileMode::Group,
                by_shared_group: spec.security("fsGroup").is_none(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Of a pod with this security context whose containers have these.
    fn owner(pod: &Value, containers: &[Value]) -> FileOwner {
        let containers: Vec<Value> = containers
            .iter()
            .enumerate()
            .map(|(n, context)| json!({"name": format!("c{n}"), "securityContext": context}))
            .collect();
        let pod = json!({"spec": {"securityContext": pod, "containers": containers}});
        let spec = PodSpec::of(&pod).unwrap();
        let readers: Vec<Container<'_>> = spec.others().collect();
        FileOwner::of(&spec, &readers)
    }

    fn theirs(user: i64, group: i64) -> FileOwner {
        FileOwner { user, group, mode: FileMode::Owner, by_shared_group: false }
    }

    fn group(by_shared_group: bool) -> FileOwner {
        FileOwner { user: 65_532, group: 65_532, mode: FileMode::Group, by_shared_group }
    }

    #[test]
    fn one_user_of_all_containers_owns_the_files_alone() {
        let own = json!({"runAsUser": 1000, "runAsGroup": 3000});
        assert_eq!(owner(&own, &[json!({}), json!(null)]), theirs(1000, 3000));
        assert_eq!(owner(&json!(null), &[own.clone(), own.clone()]), theirs(1000, 3000));
        assert_eq!(owner(&json!({"fsGroup": 5}), &[own]), theirs(1000, 3000));
    }

    #[test]
    fn a_container_s_user_comes_before_the_pod_s() {
        let pod = json!({"runAsUser": 1, "runAsGroup": 1});
        let own = json!({"runAsUser": 7});
        assert_eq!(owner(&pod, &[own.clone(), own.clone()]), theirs(7, 1));
        assert_eq!(owner(&pod, &[own, json!({})]), group(true));
    }

    #[test]
    fn groups_that_differ_are_no_matter_where_the_user_is_the_same() {
        let with = |group| json!({"runAsUser": 7, "runAsGroup": group});
        assert_eq!(owner(&json!({}), &[with(1), with(2)]), theirs(7, 65_532));
    }

    #[test]
    fn root_an_unsaid_user_and_different_ones_share_the_files_by_a_group() {
        for containers in [
            vec![json!({"runAsUser": 0})],
            vec![json!({})],
            vec![json!({"runAsUser": 7}), json!({})],
            vec![json!({"runAsUser": 7}), json!({"runAsUser": 8})],
            vec![],
        ] {
            assert_eq!(owner(&json!({}), &containers), group(true), "{containers:?}");
            assert_eq!(owner(&json!({"fsGroup": 5}), &containers), group(false), "{containers:?}");
        }
    }
}
