//! What a pod's agent would wait for, as the grants are now: for its author, at the earliest.
//!
//! Invariant: what is said depends on the pod's annotations and on the SecretAccesses of its own
//! service account and their policies; nothing is told of another subject, another object or what
//! stands in them. Whoever can reach the port may ask for any pod.

use jiff::Timestamp;
use serde_json::Value;

use super::annotations::Annotations;
use crate::domain::grants::{Access, Grants, Permission};
use crate::domain::identity::{Identity, Subject};
use crate::domain::names::{ObjectName, Shown};
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
            account(&identity)
        )];
    };
    let mut alone = Grants { accesses: Vec::new(), policies: grants.policies.clone() };
    let missing = names.iter().filter_map(|name| {
        let is_it = |access: &&Access| {
            access.namespace.as_str() == namespace && access.name == *name && own(access)
        };
        let Some(access) = grants.accesses.iter().find(is_it) else {
            return Some(format!(
                "there is no SecretAccess {} for {} yet: the pod waits until it is applied",
                Shown::new(name.as_str()),
                account(&identity)
            ));
        };
        alone.accesses = vec![access.clone()];
        let lacking = || {
            format!(
                "SecretAccess {} does not yet let {} read and list: the pod waits, and the object's status says why",
                Shown::new(name.as_str()),
                account(&identity)
            )
        };
        (!is_given(access, &identity, &alone)).then(lacking)
    });
    missing.take(MOST).collect()
}

/// The pod's own service account, in a warning.
fn account(identity: &Identity) -> String {
    match &identity.subject {
        Subject::ServiceAccount { name, .. } => {
            format!("the pod's service account {}", Shown::new(name.as_str()))
        }
        other => other.to_string(),
    }
}

/// Whether an access, which is the only one of these grants, gives what a file takes: to read and
/// to list.
fn is_given(access: &Access, identity: &Identity, alone: &Grants) -> bool {
    [Permission::Read, Permission::List].into_iter().all(|permission| {
        let target = Target::Issue(access.key_pattern.clone());
        let request = Request { environment: access.environment.clone(), permission, target };
        // No identity ends here, so the time is no matter.
        decide(alone, identity, &request, Timestamp::UNIX_EPOCH).is_ok()
    })
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
            told(&[("access", "checkout,gone,reading")], "checkout", &grants(true)),
            [
                "there is no SecretAccess gone for the pod's service account checkout yet: the pod waits until it is applied",
                "SecretAccess reading does not yet let the pod's service account checkout read and list: the pod waits, and the object's status says why",
            ]
        );
        assert_eq!(
            told(&[("access", "checkout")], "checkout", &grants(false)),
            [
                "SecretAccess checkout does not yet let the pod's service account checkout read and list: the pod waits, and the object's status says why",
            ]
        );
        assert_eq!(
            told(&[], "", &grants(true)),
            [
                "there is no SecretAccess for the pod's service account default yet: the pod waits until one is applied",
            ]
        );
    }

    #[test]
    fn one_for_another_service_account_is_as_if_it_were_not_there() {
        let with_it = told(&[("access", "other")], "checkout", &grants(true));
        let without = Grants { accesses: vec![], ..grants(true) };
        assert_eq!(with_it, told(&[("access", "other")], "checkout", &without));
        assert!(with_it[0].starts_with("there is no SecretAccess other for the pod's"));
    }

    #[test]
    fn what_the_api_server_would_cut_is_not_written() {
        let (name, account) = ("a".repeat(253), "b".repeat(253));
        let mut there = grants(false);
        there.accesses.push(access(&name, &account, &[]));
        let names = format!("{name},{}", name.replacen('a', "b", 1));
        let warnings = told(&[("access", &names)], &account, &there);
        assert_eq!(warnings.len(), 2);
        for warning in warnings {
            assert!(warning.len() <= 256, "{warning}");
        }
    }
}
