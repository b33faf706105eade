//! What a refresh did and how each environment is, for logs, metrics and readiness.
//!
//! Invariant: texts hold names and reasons, and no value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::authorship::Alarm;
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;

/// What one refresh changed. Nothing that is as it was at the last refresh is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefreshReport {
    /// The environments of which another version is served now.
    pub loaded: Vec<Loaded>,
    /// The environments that changed and could not be loaded.
    pub failed: Vec<Failed>,
    /// What was refused, and gone again before that was an alarm.
    pub brief: Vec<Brief>,
    /// The environments whose data keys sops has begun to be asked for.
    pub awaited: Vec<Environment>,
    /// The environments whose files are gone.
    pub removed: Vec<Environment>,
    /// Files and keys of ConfigMaps that look like an environment's file and are none.
    pub ignored: Vec<Misnamed>,
    /// The files of identities that have changed.
    pub identities: Vec<IdentitiesRead>,
    /// Versions that the administrator takes of environments that are not there, each with what to
    /// do.
    pub accepts_nothing: Vec<String>,
    /// That there are more environments than are read, of which ConfigMaps or which folder.
    pub left_out: Vec<String>,
    /// Why the folder cannot be listed. What was served before still is.
    pub folder: Option<String>,
    /// Whether it can be listed again.
    pub folder_is_back: bool,
}

impl RefreshReport {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what a refresh after this one did.
    pub(super) fn add(&mut self, after: Self) {
        self.loaded.extend(after.loaded);
        self.failed.extend(after.failed);
        self.brief.extend(after.brief);
        self.awaited.extend(after.awaited);
        self.removed.extend(after.removed);
        self.ignored.extend(after.ignored);
        self.identities.extend(after.identities);
        self.accepts_nothing.extend(after.accepts_nothing);
        self.left_out.extend(after.left_out);
        self.folder_is_back |= after.folder_is_back;
        self.folder = after.folder.or(self.folder.take());
    }
}

/// A file, or a key of a ConfigMap, that looks like an environment's file and is none; or that there
/// are more of them than are named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Misnamed {
    /// The folder or the ConfigMap.
    pub origin: Arc<str>,
    /// Its name, and what is wrong with that.
    pub reason: String,
}

/// A version that is served from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Of what.
    pub environment: Environment,
    /// How many keys it serves.
    pub keys: usize,
    /// What is odd about it: names that are no keys, values that need leave, an older version that
    /// the administrator takes.
    pub warnings: Vec<String>,
    /// What is wrong with it though it is served, and why.
    pub alarm: Option<(Alarm, String)>,
    /// Which trusted signer signed it, where a signature is asked for.
    pub signer: Option<String>,
}

/// A version that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Of what.
    pub environment: Environment,
    /// Of what kind the failure is, for callers.
    pub fault: FileFault,
    /// The same for whoever watches.
    pub alarm: Alarm,
    /// Why.
    pub reason: String,
    /// Whether an earlier version is served in its place.
    pub serves_earlier: bool,
}

/// Versions that were refused, one or one after the other, and gone again before that was an alarm:
/// they may have been halves of a file, or one whose signature came after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Of what.
    pub environment: Environment,
    /// What the gravest of them would have been.
    pub alarm: Alarm,
    /// Why it was refused.
    pub reason: String,
}

/// A file of identities that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitiesRead {
    /// The file.
    pub path: PathBuf,
    /// How many identities there are from now on, or why those that were read before stay in use.
    pub outcome: Result<usize, String>,
}

/// How one environment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentStatus {
    /// Which.
    pub environment: Environment,
    /// How many keys are served; none where no version could be loaded.
    pub keys: Option<usize>,
    /// Why the newest version is not served, where it is not.
    pub error: Option<String>,
    /// What is wrong with the newest version, served or not, and why.
    pub alarm: Option<(Alarm, String)>,
    /// What is wrong with the version that is served, and why: it lasts as long as that is served,
    /// whatever comes after it.
    pub served_alarm: Option<(Alarm, String)>,
}

impl EnvironmentStatus {
    /// Whether this is wrong with the newest version, or with the one that is served.
    pub fn is_alarmed(&self, of: Alarm) -> bool {
        [&self.alarm, &self.served_alarm].into_iter().flatten().any(|(alarm, _)| *alarm == of)
    }
}

/// Which version of each environment is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions(Arc<BTreeMap<Environment, u64>>);

impl Versions {
    /// A number that changes when another version is served; none where none is.
    pub fn number(&self, environment: &Environment) -> Option<u64> {
        self.0.get(environment).copied()
    }
}

impl FromIterator<(Environment, u64)> for Versions {
    fn from_iter<T: IntoIterator<Item = (Environment, u64)>>(versions: T) -> Self {
        Self(Arc::new(versions.into_iter().collect()))
    }
}
