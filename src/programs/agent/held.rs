//! One grant of the pod, with its values as they were last seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::trouble::{Kind, Trouble};
use super::watch::{Scope, Seen};
use crate::domain::grants::FileForm;
use crate::domain::names::Key;
use crate::domain::secret::SecretValue;

/// For so long a grant's values are waited for before a pod that named no grant starts without.
const PATIENCE: Duration = Duration::from_secs(10);

/// Values and their revision.
type Values = (BTreeMap<Key, SecretValue>, String);

pub(super) struct Held {
    pub(super) name: String,
    pub(super) form: FileForm,
    pub(super) scope: Option<Scope>,
    pub(super) following: Arc<AtomicBool>,
    since: Instant,
    pub(super) values: Option<Values>,
    /// Values without some keys of those before, and when they came.
    doubtful: Option<(Values, Instant)>,
    trouble: Option<Trouble>,
    pub(super) withdrawn: Option<String>,
}

/// What is to be done about something that was seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ToDo {
    /// The files may have to change.
    pub(super) lay: bool,
    /// The grants may have changed.
    pub(super) ask: bool,
}

impl Held {
    pub(super) fn new(name: &str, form: FileForm, scope: Option<Scope>) -> Self {
        Self {
            name: name.to_owned(),
            form,
            scope,
            following: Arc::new(AtomicBool::new(true)),
            since: Instant::now(),
            values: None,
            doubtful: None,
            trouble: None,
            withdrawn: None,
        }
    }

    /// Takes what was seen of its values; `is_laid` is whether some are in a file.
    pub(super) fn see(&mut self, seen: Seen, is_laid: bool) -> ToDo {
        match seen {
            Seen::Values(values, revision) => {
                self.trouble = None;
                let values = (values, revision);
                if self.loses(&values.0, is_laid) {
                    self.doubtful = Some((values, Instant::now()));
                    return ToDo { lay: false, ask: true };
                }
                self.doubtful = None;
                // A file that was never filled is no better than none: the pod waits for its keys.
                if values.0.is_empty() && !is_laid {
                    self.trouble = self.matches_nothing();
                } else {
                    self.values = Some(values);
                }
                ToDo { lay: true, ask: false }
            }
            Seen::Unchanged => {
                let known = self.values.is_some() || self.doubtful.is_some();
                self.trouble = if known { None } else { self.matches_nothing() };
                ToDo::default()
            }
            Seen::Trouble(trouble) => {
                let ask = trouble.is_refusal();
                self.trouble = Some(trouble);
                ToDo { lay: true, ask }
            }
        }
    }

    /// It is granted as it was, as was asked at this moment: what came before is to be believed.
    pub(super) fn is_granted(&mut self, at: Instant) {
        if self.doubtful.as_ref().is_some_and(|(_, came)| *came <= at) {
            self.values = self.doubtful.take().map(|(values, _)| values);
        }
    }

    /// Whether its values are not there and may be at any moment.
    pub(super) fn is_expected(&self) -> bool {
        let passing = self.trouble.as_ref().is_none_or(|trouble| trouble.kind == Kind::Temporary);
        self.values.is_none() && passing && self.since.elapsed() < PATIENCE
    }

    /// Whether keys are gone. They may be so in the environment, or the grant was withdrawn and
    /// another one still opens the rest: only the vault's list of grants tells.
    fn loses(&self, values: &BTreeMap<Key, SecretValue>, is_laid: bool) -> bool {
        match &self.values {
            Some((before, _)) => before.keys().any(|key| !values.contains_key(key)),
            None => values.is_empty() && is_laid,
        }
    }

    /// Whether the vault would give other values to a new token.
    pub(super) fn is_behind(&self, revision: Option<&str>) -> bool {
        let settled = self.doubtful.is_none() && self.trouble.is_none();
        let known = self.values.as_ref().map(|(_, known)| known.as_str());
        settled && known.zip(revision).is_some_and(|(known, revision)| known != revision)
    }

    /// Ends who follows its values, and gives the switch for who follows them next.
    pub(super) fn follow_anew(&mut self) -> Arc<AtomicBool> {
        self.following.store(false, Ordering::Relaxed);
        self.following = Arc::new(AtomicBool::new(true));
        Arc::clone(&self.following)
    }

    fn matches_nothing(&self) -> Option<Trouble> {
        let Scope { environment, pattern } = self.scope.as_ref()?;
        Some(Trouble::refused(format!(
            "no key of environment {environment} that a SecretPolicy allows matches {pattern}"
        )))
    }

    /// Why its values are not there.
    pub(super) fn without_values(&self) -> Option<Trouble> {
        if self.values.is_some() {
            return None;
        }
        let name = &self.name;
        let coming = || Trouble::underway(format!("SecretAccess {name} is being fetched"));
        Some(self.what_is_wrong().unwrap_or_else(coming))
    }

    /// Why its values may not be fresh. A vault that is away is so for all grants alike.
    pub(super) fn what_is_wrong(&self) -> Option<Trouble> {
        let trouble = self.trouble.clone()?;
        let of_all = trouble.kind == Kind::Temporary;
        Some(if of_all { trouble } else { trouble.of_access(&self.name) })
    }
}
