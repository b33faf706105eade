//! Grants by way of the policy, since there is no other.

use vanta::domain::grants::{Access, Grants, Permission, Policy, SubjectSelector};
use vanta::domain::identity::{Administers, Identity, Method, Subject};
use vanta::domain::names::{Environment, Key};
use vanta::domain::policy::{self, Grant, Request, Target};

pub(crate) fn environment(name: &str) -> Environment {
    name.parse().unwrap()
}

/// A grant to read one key.
pub(crate) fn grant(environment: &str, key: &str) -> Grant {
    decide(environment, Permission::Read, Target::Key(key.parse::<Key>().unwrap()))
}

/// What the policy decides of somebody who may read and list all.
pub(crate) fn decide(environment: &str, permission: Permission, target: Target) -> Grant {
    let client = Subject::Client("tester".parse().unwrap());
    let access = Access {
        namespace: "tests".parse().unwrap(),
        name: "all".parse().unwrap(),
        subject: client.clone(),
        environment: environment.parse().unwrap(),
        key_pattern: "*".parse().unwrap(),
        permissions: vec![Permission::Read, Permission::List],
        ttl_minutes: None,
        usage_limit: None,
        file: None,
    };
    let selector = SubjectSelector::Client {
        namespace: "tests".parse().unwrap(),
        name: "tester".parse().unwrap(),
    };
    let policy = Policy {
        name: "all".parse().unwrap(),
        environment: environment.parse().unwrap(),
        subjects: vec![selector],
        key_patterns: vec!["*".parse().unwrap()],
        permissions: vec![Permission::Read, Permission::List],
        max_ttl_minutes: None,
        max_usage_limit: None,
        require_pod_bound_token: false,
    };
    let grants = Grants { accesses: vec![access], policies: vec![policy] };
    let identity = Identity {
        method: Method::ClientCredential,
        subject: client,
        pod: None,
        service_account_uid: None,
        credential_id: None,
        expires_at: None,
        administers: Administers::Nothing,
    };
    let request = Request { environment: environment.parse().unwrap(), permission, target };
    policy::decide(&grants, &identity, &request, jiff::Timestamp::UNIX_EPOCH).unwrap()
}
