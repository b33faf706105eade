//! The grants of the pod as the vault last said them, each with its values as they were last seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::held::{Held, ToDo};
use super::layout::{Part, usual_form};
use super::manifest::Manifest;
use super::trouble::Trouble;
use super::watch::{Scope, Seen};
use crate::contract::api::access::{Access, AccessList, Missing, MissingKind};
use crate::domain::grants::{FileForm, Permission};
use crate::domain::identity::Subject;
use crate::domain::pod::OnRevoke;

/// All that is known of the pod's grants.
pub(super) struct Grants {
    /// The names that are wanted; all where there is none.
    named: Vec<String>,
    on_revoke: OnRevoke,
    /// By namespace and name.
    held: BTreeMap<String, Held>,
    subject: Option<Subject>,
    /// What is wanted, or could be had, and is not granted, by name.
    missing: Vec<(String, Trouble)>,
    /// Why the vault does not say what is granted now.
    unanswered: Option<Trouble>,
}

/// What an answer changed.
#[derive(Default)]
pub(super) struct Changes {
    /// Whose values are to be followed from now on, for as long as the switch is on.
    pub(super) follow: Vec<(String, Scope, Arc<AtomicBool>)>,
    /// What was withdrawn.
    pub(super) withdrawn: Vec<Trouble>,
}

impl Grants {
    pub(super) fn new(named: Vec<String>, on_revoke: OnRevoke) -> Self {
        Self {
            named,
            on_revoke,
            held: BTreeMap::new(),
            subject: None,
            missing: Vec::new(),
            unanswered: Some(Trouble::underway("the vault has not answered yet")),
        }
    }

    /// The vault does not say what is granted.
    pub(super) fn unanswered(&mut self, why: Trouble) {
        self.unanswered = Some(why);
    }

    /// Whether the vault has said what is granted, since this agent began.
    pub(super) fn are_known(&self) -> bool {
        self.subject.is_some()
    }

    /// Takes the grants as they stood at a moment. What is in the files from before and is not
    /// granted any more is withdrawn too.
    pub(super) fn take(&mut self, list: AccessList, at: Instant, laid: &Manifest) -> Changes {
        let mut changes = Changes::default();
        let mut granted = Vec::new();
        let mut missing = list.missing;
        for access in list.access {
            if let Some(reason) = lacking(&access) {
                let kind = MissingKind::LacksPermission;
                missing.push(Missing { name: access.name, kind, reason });
                continue;
            }
            let key = format!("{}/{}", access.namespace, access.name);
            self.grant(&key, access, at, &mut changes);
            granted.push(key);
        }
        let shares = laid.files.iter().flat_map(|file| file.of.iter().map(move |of| (file, of)));
        for (file, share) in shares {
            if !self.held.contains_key(&share.access) {
                let name = share.access.rsplit('/').next().unwrap_or_default();
                let form = FileForm {
                    path: file.path.clone(),
                    format: file.format,
                    rename: BTreeMap::new(),
                };
                self.held.insert(share.access.clone(), Held::new(name, form, None));
            }
        }
        let gone: Vec<String> = self
            .held
            .iter()
            .filter(|(key, held)| held.withdrawn.is_none() && !granted.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            let reason = self.withdraw(&key, &missing, &list.subject);
            changes.withdrawn.push(reason);
        }
        let told = |missing: Missing| (missing.name.clone(), told(&missing, &list.subject));
        self.missing = missing.into_iter().map(told).collect();
        self.subject = Some(list.subject);
        self.unanswered = None;
        changes
    }

    fn grant(&mut self, key: &str, access: Access, at: Instant, changes: &mut Changes) {
        let scope = Scope { environment: access.environment, pattern: access.key_pattern };
        let form = access.file.unwrap_or_else(usual_form);
        let revision = access.revision;
        let same = self.held.get_mut(key).filter(|held| held.scope.as_ref() == Some(&scope));
        if let Some(held) = same.filter(|held| held.withdrawn.is_none()) {
            held.form = form;
            held.is_granted(at);
            // A token opens no more than was granted when it was issued.
            if held.is_behind(revision.as_deref()) {
                changes.follow.push((key.to_owned(), scope, held.follow_anew()));
            }
            return;
        }
        if let Some(mut before) = self.held.remove(key) {
            before.follow_anew();
        }
        let held = Held::new(&access.name, form, Some(scope.clone()));
        changes.follow.push((key.to_owned(), scope, Arc::clone(&held.following)));
        self.held.insert(key.to_owned(), held);
    }

    fn withdraw(&mut self, key: &str, missing: &[Missing], subject: &Subject) -> Trouble {
        let held = self.held.get_mut(key).expect("what is withdrawn was held");
        let said = missing.iter().find(|missing| missing.name == held.name);
        let reason = said.map_or_else(
            || format!("it is not among the grants of {subject} any more"),
            |missing| missing.reason.clone(),
        );
        let path = &held.form.path;
        let trouble = Trouble::refused(match self.on_revoke {
            OnRevoke::Keep => format!(
                "SecretAccess {} was withdrawn: {reason}; {path} keeps its values as they were",
                held.name
            ),
            OnRevoke::Remove => format!(
                "SecretAccess {} was withdrawn: {reason}; its values are removed from {path}",
                held.name
            ),
        });
        held.following.store(false, Ordering::Relaxed);
        match self.on_revoke {
            OnRevoke::Keep => held.withdrawn = Some(trouble.text.clone()),
            OnRevoke::Remove => drop(self.held.remove(key)),
        }
        trouble
    }

    /// Takes what was seen of a grant's values.
    pub(super) fn see(&mut self, key: &str, seen: Seen, laid: &Manifest) -> ToDo {
        self.held.get_mut(key).map_or_else(ToDo::default, |held| held.see(seen, laid.knows(key)))
    }

    /// Drops what was withdrawn and has given way to what is granted.
    pub(super) fn forget(&mut self, key: &str) {
        self.held.remove(key);
    }

    /// The grants' shares of the files.
    pub(super) fn parts(&self) -> Vec<Part<'_>> {
        let named = !self.named.is_empty();
        self.held.iter().map(|(key, held)| part_of(key, held, named)).collect()
    }

    /// What keeps the pod from its start, as far as grants and values go.
    pub(super) fn lacking(&self) -> Vec<Trouble> {
        let Some(subject) = &self.subject else {
            return self.unanswered.iter().cloned().collect();
        };
        let granted = || self.held.values().filter(|held| held.withdrawn.is_none());
        let missing = || self.missing.iter().map(|(_, trouble)| trouble.clone());
        let mut lacking = Vec::new();
        if !self.named.is_empty() {
            lacking.extend(missing());
            lacking.extend(granted().filter_map(Held::without_values));
            let said = |name: &str| {
                granted().any(|held| held.name == name)
                    || self.missing.iter().any(|(missing, _)| missing == name)
            };
            let unsaid = self.named.iter().filter(|name| !said(name));
            lacking.extend(unsaid.map(|name| {
                Trouble::temporary(format!("the vault says nothing of SecretAccess {name}"))
            }));
        } else if granted().any(|held| held.values.is_some()) {
            lacking.extend(
                granted().filter(|held| held.is_expected()).filter_map(Held::without_values),
            );
        } else {
            lacking.extend(missing());
            lacking.extend(granted().filter_map(Held::without_values));
            if lacking.is_empty() && granted().next().is_none() {
                lacking.push(Trouble::refused(format!(
                    "no SecretAccess gives {subject} anything yet; apply one in its namespace, \
                     and a SecretPolicy around it"
                )));
            }
        }
        lacking
    }

    /// Whether what is wanted is granted, as far as the vault has said.
    pub(super) fn are_complete(&self) -> bool {
        let missing = !self.named.is_empty() && !self.missing.is_empty();
        let granted = self.held.values().all(|held| held.withdrawn.is_none());
        self.unanswered.is_none() && !missing && granted && !self.held.is_empty()
    }

    /// All that is not as it should be, whether or not the pod runs all the same.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let withdrawn = self.held.values().filter_map(|held| held.withdrawn.clone());
        let missing: &[_] = if self.named.is_empty() { &[] } else { &self.missing };
        let missing = missing.iter().map(|(_, trouble)| trouble.clone());
        let of_values = self
            .held
            .values()
            .filter(|held| held.withdrawn.is_none())
            .filter_map(Held::what_is_wrong);
        let withdrawn = withdrawn.map(Trouble::refused);
        let unanswered = self.unanswered.iter().cloned();
        unanswered.chain(withdrawn).chain(missing).chain(of_values).collect()
    }
}

fn part_of<'a>(key: &'a str, held: &'a Held, named: bool) -> Part<'a> {
    let granted = held.withdrawn.is_none();
    Part {
        access: key,
        name: &held.name,
        form: &held.form,
        values: held.values.as_ref().map(|(values, revision)| (values, revision.as_str())),
        granted,
        expected: granted && (named || held.is_expected()),
    }
}

/// What a file takes and the grant does not allow.
fn lacking(access: &Access) -> Option<String> {
    let lacks = |permission| !access.permissions.contains(&permission);
    let lacking: Vec<String> = [Permission::Read, Permission::List]
        .into_iter()
        .filter(|permission| lacks(*permission))
        .map(|permission| permission.to_string())
        .collect();
    (!lacking.is_empty()).then(|| {
        let lacking = lacking.join(" and ");
        format!("it does not allow {lacking}, and a file takes both read and list")
    })
}

/// Why a SecretAccess gives nothing, and what to do.
fn told(missing: &Missing, subject: &Subject) -> Trouble {
    let Missing { name, kind, reason } = missing;
    match (kind, subject) {
        (MissingKind::Absent, Subject::ServiceAccount { namespace, .. }) => Trouble::refused(
            format!("{reason}; apply one in namespace {namespace}, and a SecretPolicy around it"),
        ),
        (MissingKind::Absent, _) => Trouble::refused(reason),
        _ => Trouble::refused(reason).of_access(name),
    }
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
