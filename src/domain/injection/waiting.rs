//! What a pod's agent would wait for, as the grants are now: for its author, at the earliest.

use jiff::Timestamp;
use serde_json::Value;

use super::annotations::Annotations;
use crate::domain::grants::{Access, Grants, Permission};
use crate::domain::identity::{Identity, Subject};
use crate::domain::names::ObjectName;
use crate::domain::policy::{Request, Target, decide};

/// The service account of a pod that names none.
const DEFAULT_ACCOUNT: &str = "default";

/// The most warnings for one pod.
const MOST: usize = 8;

/// What is missing for a pod that asks; nothing where it does not ask, or is refused.
///
/// They are warnings alone: a grant may come after the pod, which starts by itself then.
pub fn warnings_of_grants(pod: &Value, namespace: &str, grants: &Grants) -> Vec<String> {
    let Ok(annotations) = Annotations::of(pod) else { return Vec::new() };
    let (Ok(true), Ok(choices)) = (annotations.asks(), annotations.choices()) else {
        return Vec::new();
    };
    let Some(identity) = identity(pod, namespace) else { return Vec::new() };
    let own = |access: &&Access| access.subject == identity.subject;
    let Some(names) = choices.access else {
        if grants.accesses.iter().any(|access| own(&access)) {
            return Vec::new();
        }
        return vec![format!(
            "there is no SecretAccess for {} yet: the pod waits until one is applied",
            identity.subject
        )];
    };
    let missing = names.iter().filter_map(|name| {
        let is_it = |access: &&Access| {
            access.namespace.as_str() == namespace && access.name == *name
        };
        match grants.accesses.iter().find(is_it) {
            None => Some(format!(
                "there is no SecretAccess {name} in namespace {namespace} yet: the pod waits until it is applied"
            )),
            Some(access) if !own(&access) => Some(format!(
                "SecretAccess {name} is for {}, and the pod is {}: the pod waits",
                access.subject, identity.subject
            )),
            Some(access) => given(access, &identity, grants).err(),
        }
    });
    missing.take(MOST).collect()
}

/// Whether an access gives what a file takes, which is to read and to list.
fn given(access: &Access, identity: &Identity, grants: &Grants) -> Result<(), String> {
    let alone = Grants { accesses: vec![access.clone()], policies: grants.policies.clone() };
    for permission in [Permission::Read, Permission::List] {
        let target = Target::Issue(access.key_pattern.clone());
        let request = Request { environment: access.environment.clone(), permission, target };
        // No identity ends here, so the time is no matter.
        if let Err(denial) = decide(&alone, identity, &request, Timestamp::UNIX_EPOCH) {
            let name = &access.name;
            return Err(if access.permissions.contains(&permission) {
                let reason = denial.explain(access);
                format!("SecretAccess {name} gives nothing yet: {reason}: the pod waits")
            } else {
                format!(
                    "SecretAccess {name} does not allow to {permission}, and a pod needs read and list: the pod waits"
                )
            });
        }
    }
    Ok(())
}

/// Who the agent will be.
fn identity(pod: &Value, namespace: &str) -> Option<Identity> {
    let account = ["serviceAccountName", "serviceAccount"]
        .iter()
        .filter_map(|field| pod["spec"].get(field)?.as_str())
        .find(|account| !account.is_empty())
        .unwrap_or(DEFAULT_ACCOUNT);
    let name: ObjectName = account.parse().ok()?;
    let namespace = namespace.parse().ok()?;
    Some(Identity::supposed(Subject::ServiceAccount { namespace, name }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::grants::{Policy, SubjectSelector};

    fn access(name: &str, account: &str, permissions: &[Permission]) -> Access {
        Access {
            namespace: "shop".parse().unwrap(),
            name: name.parse().unwrap(),
            subject: format!("system:serviceaccount:shop:{account}").parse().unwrap(),
            environment: "prod".parse().unwrap(),
            key_pattern: "A_*".parse().unwrap(),
            permissions: permissions.to_vec(),
            ttl_minutes: None,
            usage_limit: None,
            file: None,
        }
    }

    fn grants(with_policy: bool) -> Grants {
        let both = [Permission::Read, Permission::List];
        let policy = Policy {
            name: "shop".parse().unwrap(),
            subjects: vec![SubjectSelector::AllServiceAccounts {
                namespace: "shop".parse().unwrap(),
            }],
            environment: "prod".parse().unwrap(),
            key_patterns: vec!["*".parse().unwrap()],
            permissions: both.to_vec(),
            max_ttl_minutes: None,
            max_usage_limit: None,
            // The token of an agent is bound to its pod.
            require_pod_bound_token: true,
        };
        Grants {
            accesses: vec![
                access("checkout", "checkout", &both),
                access("reading", "checkout", &[Permission::Read]),
                access("other", "other", &both),
            ],
            policies: if with_policy { vec![policy] } else { vec![] },
        }
    }

    fn told(annotations: &[(&str, &str)], account: &str, grants: &Grants) -> Vec<String> {
        let mut pod = json!({
            "metadata": {"annotations": {"vanta.dev/inject": "true"}},
            "spec": {"serviceAccountName": account, "containers": []},
        });
        for (name, value) in annotations {
            pod["metadata"]["annotations"][format!("vanta.dev/{name}")] = json!(value);
        }
        warnings_of_grants(&pod, "shop", grants)
    }

    #[test]
    fn a_pod_whose_grants_are_there_hears_nothing() {
        assert!(told(&[("access", "checkout")], "checkout", &grants(true)).is_empty());
        assert!(told(&[], "checkout", &grants(true)).is_empty());
    }

    #[test]
    fn a_pod_that_does_not_ask_or_is_refused_hears_nothing() {
        for annotations in
            [[("inject", "false"), ("access", "x")], [("inject", "true"), ("mode", "x")]]
        {
            assert!(told(&annotations, "nobody", &grants(true)).is_empty());
        }
    }

    #[test]
    fn what_is_missing_is_named_one_by_one() {
        assert_eq!(
            told(&[("access", "checkout,gone,other,reading")], "checkout", &grants(true)),
            [
                "there is no SecretAccess gone in namespace shop yet: the pod waits until it is applied",
                "SecretAccess other is for system:serviceaccount:shop:other, and the pod is system:serviceaccount:shop:checkout: the pod waits",
                "SecretAccess reading does not allow to list, and a pod needs read and list: the pod waits",
            ]
        );
        assert_eq!(
            told(&[("access", "checkout")], "checkout", &grants(false)),
            [
                "SecretAccess checkout gives nothing yet: no SecretPolicy covers environment prod, keys A_* for system:serviceaccount:shop:checkout: the pod waits",
            ]
        );
        assert_eq!(
            told(&[], "", &grants(true)),
            [
                "there is no SecretAccess for system:serviceaccount:shop:default yet: the pod waits until one is applied",
            ]
        );
    }

    #[test]
    fn what_the_api_server_would_cut_is_not_written() {
        let name = "a".repeat(60);
        let names = vec![name.as_str(); 20].join(",").replacen("a,", "b,", 5);
        for warning in told(&[("access", &names)], "checkout", &grants(true)) {
            assert!(warning.len() <= 256, "{warning}");
        }
    }
}
