//! The store: `{environment}.enc.yaml`, `.json`, `.env`, `.ini` and `.bin` from a folder or from
//! ConfigMaps, of which a good change is served whole and a bad one not at all.
//!
//! Invariant: a reader sees one version of an environment, whatever happens to the files; a
//! version that cannot be opened never displaces one that could.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

mod listed;
mod remembered;

use super::authorship::Authorship;
use super::data_keys;
use super::file::{EncryptedFile, ReadError};
use super::identities::Identities;
use super::identity_files::IdentityFiles;
use super::leave::Leave;
use super::listing::Sources;
use super::load::{Look, Seen, Settle, Slot, Version};
use super::report::{EnvironmentStatus, Misnamed, RefreshReport, Versions};
use super::source::ConfigMapFiles;
use crate::adapters::files::Fingerprint;
use crate::adapters::key_service::KeyService;
use crate::domain::history::History;
use crate::domain::names::{Environment, Key};
use crate::domain::policy::Grant;
use crate::domain::ports::{FileFault, SecretStore, SecretStoreError};
use crate::domain::secret::SecretValue;

/// Where the files and their keys are.
#[derive(Debug)]
pub struct StoreOptions {
    /// The folder of the encrypted files; none where they are given, see [`SopsStore::take`].
    pub folder: Option<PathBuf>,
    /// The identities of environments that have none of their own.
    pub shared: SharedIdentities,
    /// A folder of `{environment}.txt`, each of which alone opens its environment.
    pub identities_folder: Option<PathBuf>,
    /// What is allowed beyond what SOPS authenticates.
    pub leave: Leave,
    /// What is asked of a file beyond that it opens.
    pub authorship: Authorship,
    /// How long a version may be refused before that is told, where an earlier one is served. For
    /// signatures there is [`Authorship::signature_grace`].
    pub settling: Duration,
    /// What opens master keys that are not age's, where any is allowed.
    pub key_service: Option<Arc<KeyService>>,
}

/// How long the first look waits for data keys that sops is asked for. Later ones never wait.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// How long a file may be half written before that is an alarm. A write takes milliseconds, and a
/// look at the files sees the half of it as a rule once.
pub const SETTLING_OF_FILE: Duration = Duration::from_secs(1);

/// How many environments are remembered whose files are gone.
const MOST_GONE: usize = 1000;

/// Identities that several environments share.
#[derive(Debug)]
pub enum SharedIdentities {
    /// Every environment has its own.
    None,
    /// These.
    Given(Arc<Identities>),
    /// Those of a file, which is read again when it changes.
    File(PathBuf),
}

/// The environments of a folder, or of ConfigMaps.
pub struct SopsStore {
    options: StoreOptions,
    environments: ArcSwap<BTreeMap<Environment, Slot>>,
    /// Those that were served by this process and whose files are gone.
    gone: ArcSwap<BTreeSet<Environment>>,
    identities: IdentityFiles,
    changes: watch::Sender<Versions>,
    /// What was served, as far as it is remembered.
    history: watch::Sender<Arc<History>>,
    /// Why not all files are read that there are.
    problems: ArcSwap<Vec<String>>,
    /// Whether it was seen once which environments there are.
    listed: AtomicBool,
    /// One refresh at a time.
    watch: Mutex<Watch>,
}

/// What was seen at the last refresh.
#[derive(Default)]
struct Watch {
    /// The files of ConfigMaps, once they were given.
    given: Option<ConfigMapFiles>,
    /// What was chosen of them, where there is no folder.
    chosen: Option<Sources>,
    seen: BTreeMap<Environment, Seen>,
    ignored: BTreeSet<Misnamed>,
    folder: Option<String>,
    /// How many versions there were.
    versions: u64,
}

impl SopsStore {
    /// Loads every environment. One that cannot be loaded is in the report and in
    /// [`Self::status`]; the others are served.
    pub fn open(options: StoreOptions) -> (Self, RefreshReport) {
        Self::open_again(options, History::default())
    }

    /// The same where it is known what was served before, by this process or another.
    pub fn open_again(options: StoreOptions, history: History) -> (Self, RefreshReport) {
        let store = Self {
            options,
            history: watch::Sender::default(),
            environments: ArcSwap::default(),
            gone: ArcSwap::default(),
            identities: IdentityFiles::default(),
            changes: watch::Sender::default(),
            problems: ArcSwap::default(),
            listed: AtomicBool::new(false),
            watch: Mutex::default(),
        };
        store.remember(history);
        let report = store.refresh();
        (store, report)
    }

    /// Takes the files of ConfigMaps in the place of those that were taken before, and loads what
    /// has changed. An environment whose file is not among them is gone.
    pub fn take(&self, files: ConfigMapFiles) -> RefreshReport {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        (watch.given, watch.chosen) = (Some(files), None);
        self.look(&mut watch)
    }

    /// Looks at the files and the identities, and loads what has changed. It blocks, on small files
    /// as a rule for less than a millisecond; the caller repeats it, every 200 milliseconds or so.
    pub fn refresh(&self) -> RefreshReport {
        self.look(&mut self.watch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn look(&self, watch: &mut Watch) -> RefreshReport {
        let first = !self.listed.load(Ordering::Acquire);
        let mut report = self.look_once(watch);
        if let Some(service) = self.options.key_service.as_ref().filter(|_| first) {
            let end = Instant::now() + FIRST_WAIT;
            while watch.seen.values().any(|seen| seen.awaited.is_some()) && Instant::now() < end {
                service.wait(end.saturating_duration_since(Instant::now()));
                report.add(self.look_once(watch));
            }
        }
        report
    }

    fn look_once(&self, watch: &mut Watch) -> RefreshReport {
        let (mut report, now) = (RefreshReport::default(), Instant::now());
        let authorship = &self.options.authorship;
        let signers = authorship.trusted_signers.as_ref().map(|path| Fingerprint::of(path));
        let before = self.environments.load_full();
        let listed = self.list(watch, signers.is_some(), &before, &mut report);
        let Some(listed) = listed else { return report };
        report.accepts_nothing = self.accepted_of_none(watch, &listed);

        let mut after = BTreeMap::clone(&before);
        let mut gone = BTreeSet::clone(&self.gone.load());
        gone.retain(|environment| !listed.contains_key(environment));
        for (environment, slot) in before.iter() {
            if !listed.contains_key(environment) {
                if slot.version.is_some() && gone.len() < MOST_GONE {
                    gone.insert(environment.clone());
                }
                after.remove(environment);
                let seen = watch.seen.remove(environment);
                report.brief.extend(seen.and_then(|seen| seen.untold(environment)));
                report.removed.push(environment.clone());
            }
        }
        if **self.gone.load() != gone {
            self.gone.store(Arc::new(gone));
        }
        let history = Arc::clone(&self.history.borrow());
        let mut kept: usize = after.values().map(Slot::kept).sum();
        self.identities.begin();
        let mut looked = BTreeMap::new();
        // What was served before has its room before what is new, whatever it is called.
        let (known, new): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|(environment, _)| history.knows(environment));
        for (environment, sources) in known.into_iter().chain(new) {
            let slot = after.entry(environment.clone()).or_default();
            let look = Look {
                options: &self.options,
                identities: &self.identities,
                environment: &environment,
                kept_of_others: kept - slot.kept(),
                signers: signers.as_ref(),
                highest: history.marks.get(&environment),
                place: history.places.get(&environment).map(String::as_str),
                slot,
            };
            let found = look.at(sources, watch.seen.remove(&environment));
            kept = kept - slot.kept() + found.kept().unwrap_or(slot.kept());
            looked.insert(environment, found);
        }
        // Once all else is found good, so that a file that is refused takes no other down.
        let mut shared = Vec::new();
        if authorship.leaf.compares_data_keys() {
            shared = data_keys::compare(&mut looked, &after, &history, signers.is_some());
        }
        let mut served = Vec::new();
        for (environment, found) in looked {
            watch.versions += 1;
            let settle = Settle {
                options: &self.options,
                now,
                environment: &environment,
                number: watch.versions,
                slot: after.entry(environment.clone()).or_default(),
                report: &mut report,
                served: &mut served,
            };
            let seen = settle.with(found);
            watch.seen.insert(environment, seen);
        }
        report.identities = self.identities.end();
        // So that it is not copied to be changed.
        drop(history);
        self.add_to_history(&served, &shared, &mut report);
        if !report.is_empty() {
            let versions = after.iter().filter_map(|(environment, slot)| {
                Some((environment.clone(), slot.version.as_ref()?.number))
            });
            let versions = versions.collect();
            self.environments.store(Arc::new(after));
            // After the values: whoever is told of a change finds it.
            self.changes.send_if_modified(|before| {
                let changed = *before != versions;
                *before = versions;
                changed
            });
        }
        self.listed.fetch_or(self.is_known(watch), Ordering::Release);
        report
    }

    /// Why not all files are read that there are: the folder cannot be listed, or there are too
    /// many environments.
    pub fn problems(&self) -> Arc<Vec<String>> {
        self.problems.load_full()
    }

    /// Which versions are served now; it changes after what is read does.
    pub fn changes(&self) -> watch::Receiver<Versions> {
        self.changes.subscribe()
    }

    /// Every environment, served or not, in order.
    pub fn status(&self) -> Vec<EnvironmentStatus> {
        let environments = self.environments.load();
        let status = environments.iter().map(|(environment, slot)| EnvironmentStatus {
            environment: environment.clone(),
            keys: slot.version.as_ref().map(|version| version.keys),
            error: slot.unserved.as_ref().map(|of| of.reason.clone()),
            alarm: slot.newest_alarm(),
            served_alarm: slot.served_alarm().cloned(),
        });
        status.collect()
    }

    /// Where the version is from that is served: `ConfigMap prod` say, or in a folder the file's name.
    pub fn served_from(&self, environment: &Environment) -> Option<Arc<str>> {
        let environments = self.environments.load();
        Some(Arc::clone(&environments.get(environment)?.version.as_ref()?.origin))
    }

    /// The environments that were served by this process and whose files are gone, in order.
    pub fn gone(&self) -> Arc<BTreeSet<Environment>> {
        self.gone.load_full()
    }

    /// What is wrong with files of identities whose earlier identities are in use.
    pub fn identity_problems(&self) -> Vec<String> {
        self.identities.problems()
    }

    fn version(&self, environment: &Environment) -> Result<Arc<Version>, SecretStoreError> {
        let environments = self.environments.load();
        let slot = environments.get(environment).ok_or_else(|| self.absent(environment))?;
        slot.version.clone().ok_or_else(|| {
            let why = slot.unserved.clone().map(|of| (of.fault, of.reason));
            let (fault, reason) = why.unwrap_or((FileFault::Refused, String::new()));
            SecretStoreError::Unreadable { environment: environment.clone(), fault, reason }
        })
    }

    /// Why there is nothing to be had of an environment.
    fn absent(&self, environment: &Environment) -> SecretStoreError {
        let environment = environment.clone();
        if self.listed.load(Ordering::Acquire) {
            if self.gone.load().contains(&environment) {
                return SecretStoreError::Gone(environment);
            }
            return SecretStoreError::NoEnvironment(environment);
        }
        let reason = "it is not known yet which files there are".to_owned();
        SecretStoreError::Unreadable { environment, fault: FileFault::Awaited, reason }
    }
}

impl SecretStore for SopsStore {
    fn read(&self, grant: &Grant) -> Result<SecretValue, SecretStoreError> {
        let (environment, key) = grant.readable().ok_or(SecretStoreError::NotGranted)?;
        read_key(&self.version(environment)?.file, environment, key)
    }

    fn keys(&self, environment: &Environment) -> Result<Vec<Key>, SecretStoreError> {
        Ok(self.version(environment)?.file.keys().cloned().collect())
    }

    fn read_all(
        &self,
        environment: &Environment,
        select: &dyn Fn(&Key) -> Option<Grant>,
    ) -> Result<BTreeMap<Key, SecretValue>, SecretStoreError> {
        let version = self.version(environment)?;
        let mut values = BTreeMap::new();
        for key in version.file.keys() {
            let Some(grant) = select(key) else { continue };
            if grant.readable() != Some((environment, key)) {
                return Err(SecretStoreError::NotGranted);
            }
            values.insert(key.clone(), read_key(&version.file, environment, key)?);
        }
        Ok(values)
    }
}

fn read_key(
    file: &EncryptedFile,
    environment: &Environment,
    key: &Key,
) -> Result<SecretValue, SecretStoreError> {
    file.read(key).map_err(|error| match error {
        ReadError::NoKey => {
            SecretStoreError::NoKey { environment: environment.clone(), key: key.clone() }
        }
        ReadError::Withheld(_) => SecretStoreError::Withheld {
            environment: environment.clone(),
            key: key.clone(),
            reason: error.to_string(),
        },
        ReadError::Value(_) => SecretStoreError::Undecryptable {
            environment: environment.clone(),
            key: key.clone(),
            reason: error.to_string(),
        },
    })
}
