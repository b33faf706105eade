//! The store: a folder of `{environment}.enc.yaml` and `.json`, of which a good change is served
//! whole and a bad one not at all.
//!
//! Invariant: a reader sees one version of an environment, whatever happens to the folder; a
//! version that cannot be opened never displaces one that could.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::file::{EncryptedFile, Format, ReadError};
use super::identities::{Identities, IdentityError};
use super::leave::Leave;
use super::report::{EnvironmentStatus, Failed, Loaded, RefreshReport};
use super::source::{self, Refusal, Source};
use crate::adapters::files::Fingerprint;
use crate::domain::names::{Environment, Key};
use crate::domain::policy::Grant;
use crate::domain::ports::{FileFault, SecretStore, SecretStoreError};
use crate::domain::secret::SecretValue;

/// Where the files and their keys are.
#[derive(Debug)]
pub struct FolderOptions {
    /// The folder of the encrypted files.
    pub folder: PathBuf,
    /// The identities of environments that have none of their own.
    pub shared: SharedIdentities,
    /// A folder of `{environment}.txt`, each of which alone opens its environment.
    pub identities_folder: Option<PathBuf>,
    /// What is allowed beyond what SOPS authenticates.
    pub leave: Leave,
}

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

/// A folder's environments.
pub struct SopsFolder {
    options: FolderOptions,
    environments: ArcSwap<BTreeMap<Environment, Slot>>,
    /// One refresh at a time.
    watch: Mutex<Watch>,
}

/// One environment as it is served.
#[derive(Clone, Default)]
struct Slot {
    version: Option<Arc<Version>>,
    error: Option<(FileFault, String)>,
}

struct Version {
    file: EncryptedFile,
    keys: usize,
}

/// What was seen at the last refresh.
#[derive(Default)]
struct Watch {
    seen: BTreeMap<Environment, Seen>,
    ignored: BTreeSet<String>,
    folder: Option<String>,
}

struct Seen {
    sources: Vec<Source>,
    identity: Option<Fingerprint>,
    /// Of the content that was read, where it was.
    digest: Option<[u8; 32]>,
    /// Whether the fingerprints tell of every change since.
    settled: bool,
}

impl SopsFolder {
    /// Loads every environment. One that cannot be loaded is in the report and in
    /// [`Self::status`]; the others are served.
    pub fn open(options: FolderOptions) -> (Self, RefreshReport) {
        let folder = Self { options, environments: ArcSwap::default(), watch: Mutex::default() };
        let report = folder.refresh();
        (folder, report)
    }

    /// Looks at the folder and loads what has changed. It blocks, on small files as a rule for
    /// less than a millisecond; the caller repeats it, every 200 milliseconds or so.
    pub fn refresh(&self) -> RefreshReport {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = RefreshReport::default();
        let listing = match source::list(&self.options.folder) {
            Ok(listing) => listing,
            Err(error) => {
                let folder = self.options.folder.display();
                let error = Some(format!("the folder {folder} cannot be listed: {error}"));
                if watch.folder != error {
                    report.folder.clone_from(&error);
                    watch.folder = error;
                }
                return report;
            }
        };
        watch.folder = None;
        report.ignored = listing.ignored.difference(&watch.ignored).cloned().collect();
        watch.ignored = listing.ignored;

        let before = self.environments.load_full();
        let mut after = BTreeMap::clone(&before);
        for environment in before.keys() {
            if !listing.sources.contains_key(environment) {
                after.remove(environment);
                watch.seen.remove(environment);
                report.removed.push(environment.clone());
            }
        }
        for (environment, sources) in listing.sources {
            let slot = after.entry(environment.clone()).or_default();
            let seen = watch.seen.remove(&environment);
            let seen = self.look(&environment, sources, seen.as_ref(), slot, &mut report);
            watch.seen.insert(environment, seen);
        }
        if !report.is_empty() {
            self.environments.store(Arc::new(after));
        }
        report
    }

    /// Every environment, served or not, in order.
    pub fn status(&self) -> Vec<EnvironmentStatus> {
        let environments = self.environments.load();
        let status = environments.iter().map(|(environment, slot)| EnvironmentStatus {
            environment: environment.clone(),
            keys: slot.version.as_ref().map(|version| version.keys),
            error: slot.error.as_ref().map(|(_, reason)| reason.clone()),
        });
        status.collect()
    }

    /// Loads one environment where it may have changed.
    fn look(
        &self,
        environment: &Environment,
        sources: Vec<Source>,
        before: Option<&Seen>,
        slot: &mut Slot,
        report: &mut RefreshReport,
    ) -> Seen {
        let identity = self.identity_path(environment).map(|path| Fingerprint::of(&path));
        let unchanged =
            before.is_some_and(|seen| seen.sources == sources && seen.identity == identity);
        if let Some(seen) = before.filter(|seen| unchanged && seen.settled) {
            return Seen { sources, identity, digest: seen.digest, settled: true };
        }
        let now = SystemTime::now();
        let settled = sources.iter().map(|source| &source.fingerprint).chain(&identity);
        let settled = settled.into_iter().all(|fingerprint| fingerprint.is_settled(now));
        let content = content(&sources);
        let digest = content.as_ref().ok().map(|(bytes, format)| digest(bytes, *format));
        // The same bytes with the same identity give the same answer. An identity file that was
        // written twice within its settling time is read again for as long.
        let identity_settled = identity.as_ref().is_none_or(|found| found.is_settled(now));
        let same = before.is_some_and(|seen| {
            seen.identity == identity
                && seen.digest == digest
                && digest.is_some()
                && (identity_settled || slot.error.is_none())
        });
        if same {
            return Seen { sources, identity, digest, settled };
        }
        let loaded = content.and_then(|(bytes, format)| self.load(environment, &bytes, format));
        // What may pass by itself is tried again at the next refresh.
        let passing = loaded.as_ref().is_err_and(|refusal| refusal.passing);
        let loaded = loaded.map_err(|refusal| (refusal.fault, refusal.reason));
        apply(environment, loaded, slot, report);
        let (digest, settled) = if passing { (None, false) } else { (digest, settled) };
        Seen { sources, identity, digest, settled }
    }

    fn load(
        &self,
        environment: &Environment,
        bytes: &[u8],
        format: Format,
    ) -> Result<EncryptedFile, Refusal> {
        let identities = match (&self.options.shared, self.identity_path(environment)) {
            (_, Some(path)) => Arc::new(Identities::read(&path).map_err(|error| match error {
                IdentityError::Unreadable { .. } => Refusal::passing(error),
                error => Refusal::lasting(error),
            })?),
            (SharedIdentities::Given(identities), None) => Arc::clone(identities),
            (SharedIdentities::None | SharedIdentities::File(_), None) => {
                let refusal = Refusal::lasting("no identity is configured for it");
                return Err(Refusal { fault: FileFault::NoIdentity, ..refusal });
            }
        };
        EncryptedFile::open(bytes, format, &identities, self.options.leave)
            .map_err(Refusal::of_file)
    }

    /// The file that the environment's identities are read from, where it is one.
    fn identity_path(&self, environment: &Environment) -> Option<PathBuf> {
        let folder = self.options.identities_folder.as_ref();
        let own = folder.map(|folder| folder.join(format!("{environment}.txt")));
        // Also a dangling link is the environment's own: it never falls back to the shared ones.
        own.filter(|path| path.symlink_metadata().is_ok()).or_else(|| match &self.options.shared {
            SharedIdentities::File(path) => Some(path.clone()),
            SharedIdentities::None | SharedIdentities::Given(_) => None,
        })
    }

    fn version(&self, environment: &Environment) -> Result<Arc<Version>, SecretStoreError> {
        let environments = self.environments.load();
        let slot = environments
            .get(environment)
            .ok_or_else(|| SecretStoreError::NoEnvironment(environment.clone()))?;
        slot.version.clone().ok_or_else(|| {
            let (fault, reason) = slot.error.clone().unwrap_or((FileFault::Refused, String::new()));
            SecretStoreError::Unreadable { environment: environment.clone(), fault, reason }
        })
    }
}

fn digest(bytes: &[u8], format: Format) -> [u8; 32] {
    let format = match format {
        Format::Yaml => b'y',
        Format::Json => b'j',
    };
    Sha256::new().chain_update([format]).chain_update(bytes).finalize().into()
}

/// The bytes of an environment's one file.
fn content(sources: &[Source]) -> Result<(Vec<u8>, Format), Refusal> {
    let [source] = sources else {
        let names: Vec<String> = sources.iter().map(Source::name).collect();
        let names = names.join(", ");
        return Err(Refusal::lasting(format!("two files claim it: remove all but one of {names}")));
    };
    let format = Format::from_extension(&source.extension).map_err(Refusal::lasting)?;
    Ok((source::read(&source.path)?, format))
}

/// Puts what was loaded in the place of what is served, or writes down why not.
fn apply(
    environment: &Environment,
    loaded: Result<EncryptedFile, (FileFault, String)>,
    slot: &mut Slot,
    report: &mut RefreshReport,
) {
    match loaded {
        Ok(file) => {
            let keys = file.keys().count();
            let mut warnings = file.warnings().to_vec();
            warnings.extend(slot.version.as_ref().and_then(|old| went_back(&old.file, &file)));
            report.loaded.push(Loaded { environment: environment.clone(), keys, warnings });
            let version = Version { file, keys };
            *slot = Slot { version: Some(Arc::new(version)), error: None };
        }
        Err(error) => {
            if slot.error.as_ref() != Some(&error) {
                report.failed.push(Failed {
                    environment: environment.clone(),
                    fault: error.0,
                    reason: error.1.clone(),
                    serves_earlier: slot.version.is_some(),
                });
            }
            slot.error = Some(error);
        }
    }
}

/// A warning where a file is older than the one that it replaces.
fn went_back(old: &EncryptedFile, new: &EncryptedFile) -> Option<String> {
    let (old, new) = (old.last_modified(), new.last_modified());
    let earlier = new.parse::<Timestamp>().ok()? < old.parse::<Timestamp>().ok()?;
    earlier.then(|| {
        format!("lastmodified went back from {old} to {new}: an old version may have been put back")
    })
}

impl SecretStore for SopsFolder {
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
