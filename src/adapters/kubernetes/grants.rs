//! The grants of the cluster: its SecretAccesses and SecretPolicies, as they are now.
//!
//! Invariant: there is no answer before both kinds were listed once, and never one of a part. A
//! SecretAccess that does not hold together gives nothing; a SecretPolicy that does not keeps what
//! it said before, since leaving it out would loosen the bounds of what it is around.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Resource;
use kube::api::Api;
use kube::core::DeserializeGuard;
use tokio::sync::watch;

use super::connect::Cluster;
use super::contact::Contact;
use super::watch::{Seen, Watch};
use crate::contract::crd::{SecretAccess, SecretAccessStatus, SecretPolicy};
use crate::domain::grants::{Access, Grants, Policy};
use crate::domain::identity::Subject;
use crate::domain::names::Environment;

/// How many SecretAccesses of a namespace are in force for one subject: each read looks at all of
/// them, and whoever may write in a namespace may write any number.
const MOST_OF_A_SUBJECT: usize = 64;

/// A SecretAccess as the cluster has it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessObject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Option<String>,
    /// Counts the changes of what it says.
    pub generation: Option<i64>,
    /// How it stands, as was written before.
    pub status: Option<SecretAccessStatus>,
    /// What it says, or why that does not hold together.
    pub access: Result<Access, String>,
}

/// The SecretAccesses and SecretPolicies of a cluster.
pub struct ClusterGrants {
    accesses: Api<DeserializeGuard<SecretAccess>>,
    policies: Api<DeserializeGuard<SecretPolicy>>,
    accesses_contact: Contact,
    policies_contact: Contact,
    objects: Mutex<Objects>,
    grants: watch::Sender<Option<Arc<Grants>>>,
    changes: watch::Sender<u64>,
}

/// What was seen; none of a kind before it was listed.
#[derive(Default)]
struct Objects {
    accesses: Option<BTreeMap<(String, String), AccessObject>>,
    policies: Option<BTreeMap<String, PolicyObject>>,
}

struct PolicyObject {
    /// Why what it says now does not hold together.
    problem: Option<String>,
    /// What it said when it last did.
    used: Option<Policy>,
}

impl ClusterGrants {
    /// The grants of a cluster that was not looked at yet; they are sent to `grants`.
    pub fn new(cluster: &Cluster, grants: watch::Sender<Option<Arc<Grants>>>) -> Self {
        Self {
            accesses: Api::all(cluster.client.clone()),
            policies: Api::all(cluster.client.clone()),
            accesses_contact: Contact::default(),
            policies_contact: Contact::default(),
            objects: Mutex::default(),
            grants,
            changes: watch::Sender::default(),
        }
    }

    /// Watches until it is dropped.
    pub async fn run(&self) -> Infallible {
        let accesses = Watch {
            api: self.accesses.clone(),
            labels: None,
            fields: None,
            kind: "secretaccesses.vanta.dev",
            contact: &self.accesses_contact,
        };
        let policies = Watch {
            api: self.policies.clone(),
            labels: None,
            fields: None,
            kind: "secretpolicies.vanta.dev",
            contact: &self.policies_contact,
        };
        tokio::select! {
            never = accesses.run(|seen| self.see_accesses(seen)) => never,
            never = policies.run(|seen| self.see_policies(seen)) => never,
        }
    }

    /// Changes whenever an object does, in its status too.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Every SecretAccess, in order; none before both kinds were listed.
    pub fn accesses(&self) -> Option<Vec<AccessObject>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.policies.as_ref()?;
        Some(bounded(objects.accesses.as_ref()?.values().cloned()).collect())
    }

    /// The SecretAccesses of a subject in an environment, the first of them: namespace, name, uid.
    pub fn of_subject(
        &self,
        subject: &Subject,
        environment: &Environment,
        most: usize,
    ) -> Vec<(String, String, Option<String>)> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let own = objects.accesses.iter().flat_map(BTreeMap::values).filter(|object| {
            let access = object.access.as_ref();
            access.is_ok_and(|one| one.subject == *subject && one.environment == *environment)
        });
        let names = own.map(|one| (one.namespace.clone(), one.name.clone(), one.uid.clone()));
        names.take(most).collect()
    }

    /// How it stands with the API server, for each kind.
    pub fn contacts(&self) -> [&Contact; 2] {
        [&self.accesses_contact, &self.policies_contact]
    }

    /// For how long nothing was heard of one of the kinds; nothing before both were.
    ///
    /// While the API server is well this stays below the time that it keeps a watch open.
    pub fn silence(&self) -> Duration {
        let silences = self.contacts().map(|contact| contact.silence().unwrap_or_default());
        silences.into_iter().max().unwrap_or_default()
    }

    /// The SecretPolicies that do not hold together, each with what is in use in its place.
    pub fn problems(&self) -> Vec<String> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let policies = objects.policies.iter().flatten();
        let problems = policies.filter_map(|(name, policy)| {
            let kept = match policy.used {
                Some(_) => "what it said before stays in use",
                None => "nothing of it is in use",
            };
            policy.problem.as_ref().map(|problem| format!("SecretPolicy {name}: {problem}; {kept}"))
        });
        problems.collect()
    }

    fn see_accesses(&self, seen: Seen<DeserializeGuard<SecretAccess>>) {
        self.change(|objects| match seen {
            Seen::All(all) => {
                objects.accesses = Some(all.iter().filter_map(access_entry).collect());
                true
            }
            Seen::Applied(object) => {
                let Some(accesses) = &mut objects.accesses else { return false };
                let Some((name, access)) = access_entry(&object) else {
                    return accesses.remove(&full_name(&object)).is_some();
                };
                let said = access.access.clone();
                // Its status alone may be another.
                accesses.insert(name, access).is_none_or(|before| before.access != said)
            }
            Seen::Deleted(object) => {
                let accesses = objects.accesses.as_mut();
                accesses.and_then(|known| known.remove(&full_name(&object))).is_some()
            }
        });
    }

    fn see_policies(&self, seen: Seen<DeserializeGuard<SecretPolicy>>) {
        self.change(|objects| match seen {
            Seen::All(all) => {
                let mut before = objects.policies.take().unwrap_or_default();
                let policies = all.iter().map(|object| {
                    let name = full_name(object).1;
                    let policy = policy_object(object, before.remove(&name));
                    (name, policy)
                });
                objects.policies = Some(policies.collect());
                true
            }
            Seen::Applied(object) => {
                let Some(policies) = &mut objects.policies else { return false };
                let name = full_name(&object).1;
                let policy = policy_object(&object, policies.remove(&name));
                policies.insert(name, policy);
                true
            }
            Seen::Deleted(object) => {
                let policies = objects.policies.as_mut();
                policies.and_then(|known| known.remove(&full_name(&object).1)).is_some()
            }
        });
    }

    /// Changes what was seen, and then the grants where they are others for it: `work` says
    /// whether they may be.
    fn change(&self, work: impl FnOnce(&mut Objects) -> bool) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        if work(&mut objects)
            && let Some(grants) = objects.grants()
        {
            self.grants.send_if_modified(|before| {
                let changed = before.as_deref() != Some(&grants);
                if changed {
                    *before = Some(Arc::new(grants));
                }
                changed
            });
        }
        drop(objects);
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Objects {
    /// The grants that they are; none before both kinds were listed.
    fn grants(&self) -> Option<Grants> {
        let accesses = bounded(self.accesses.as_ref()?.values().cloned());
        let policies = self.policies.as_ref()?.values();
        Some(Grants {
            accesses: accesses.filter_map(|object| object.access.ok()).collect(),
            policies: policies.filter_map(|object| object.used.clone()).collect(),
        })
    }
}

/// The SecretAccesses, in order, of which so many are in force for one subject in a namespace.
fn bounded(objects: impl Iterator<Item = AccessObject>) -> impl Iterator<Item = AccessObject> {
    let mut counts: BTreeMap<(String, Subject), usize> = BTreeMap::new();
    objects.map(move |mut object| {
        if let Ok(access) = &object.access {
            let count =
                counts.entry((object.namespace.clone(), access.subject.clone())).or_default();
            *count += 1;
            if *count > MOST_OF_A_SUBJECT {
                object.access = Err(format!(
                    "{MOST_OF_A_SUBJECT} SecretAccesses are in force for one subject in a \
                     namespace, and this is one more by name: let one have a wider keyPattern"
                ));
            }
        }
        object
    })
}

fn full_name(object: &impl Resource) -> (String, String) {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// A SecretAccess by its name; none where somebody has deleted it and a finalizer holds it back.
fn access_entry(
    object: &DeserializeGuard<SecretAccess>,
) -> Option<((String, String), AccessObject)> {
    if object.meta().deletion_timestamp.is_some() {
        return None;
    }
    let (namespace, name) = full_name(object);
    let access = match &object.0 {
        Ok(object) => object.check().map_err(|error| error.to_string()),
        Err(error) => Err(unread(&error.error)),
    };
    let access = AccessObject {
        namespace: namespace.clone(),
        name: name.clone(),
        uid: object.meta().uid.clone(),
        generation: object.meta().generation,
        status: object.0.as_ref().ok().and_then(|object| object.status.clone()),
        access,
    };
    Some(((namespace, name), access))
}

fn policy_object(
    object: &DeserializeGuard<SecretPolicy>,
    before: Option<PolicyObject>,
) -> PolicyObject {
    let said = match &object.0 {
        Ok(object) => object.check().map_err(|error| error.to_string()),
        Err(error) => Err(unread(&error.error)),
    };
    match said {
        Ok(policy) => PolicyObject { problem: None, used: Some(policy) },
        Err(problem) => {
            let used = before.and_then(|before| before.used);
            let name = object.meta().name.as_deref().unwrap_or_default();
            tracing::error!(policy = name, problem, kept = used.is_some(), "a SecretPolicy is bad");
            PolicyObject { problem: Some(problem), used }
        }
    }
}

/// Why an object could not be read. Of values that stand in it nothing is repeated; a field that is
/// not known is named, since a newer definition may have it.
fn unread(error: &str) -> String {
    let field = error.strip_prefix("Unknown field ").and_then(|rest| rest.split('.').next());
    let is_name =
        |field: &&str| field.len() <= 63 && field.bytes().all(|b| b.is_ascii_alphanumeric());
    match field.filter(is_name) {
        Some(field) => format!(
            "it has a field {field}, which this version does not know: are the definitions newer \
             than the vault?"
        ),
        None => "it is not of the form that this version knows: are the definitions and the vault \
                 of one version?"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_subject_so_many_are_in_force_and_those_of_others_are_not_counted() {
        let object = |namespace: &str, name: String, account: &str| AccessObject {
            namespace: namespace.to_owned(),
            uid: None,
            generation: None,
            status: None,
            access: Ok(Access {
                namespace: namespace.parse().unwrap(),
                name: name.parse().unwrap(),
                subject: format!("client:{account}").parse().unwrap(),
                environment: "dev".parse().unwrap(),
                key_pattern: "*".parse().unwrap(),
                permissions: vec![],
                ttl_minutes: None,
                usage_limit: None,
                file: None,
            }),
            name,
        };
        let many = (0..MOST_OF_A_SUBJECT + 2).map(|at| object("a", format!("n{at}"), "ci"));
        let others = [object("a", "z".into(), "other"), object("b", "z".into(), "ci")];
        let seen: Vec<AccessObject> = bounded(many.chain(others)).collect();
        let refused: Vec<&str> = seen
            .iter()
            .filter_map(|object| object.access.is_err().then_some(object.name.as_str()))
            .collect();
        assert_eq!(refused, ["n64", "n65"]);
    }
}
