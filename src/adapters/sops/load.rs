//! Loading one environment where it may have changed.
//!
//! Invariant: a version that cannot be opened never displaces one that could.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::file::EncryptedFile;
use super::format::Format;
use super::identities::{Identities, IdentityError};
use super::keys::Keys;
use super::report::{Failed, Loaded, RefreshReport};
use super::source::{Refusal, Source};
use super::store::{SharedIdentities, StoreOptions};
use crate::adapters::files::Fingerprint;
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;

/// One environment as it is served.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) version: Option<Arc<Version>>,
    pub(super) error: Option<(FileFault, String)>,
}

pub(super) struct Version {
    pub(super) file: EncryptedFile,
    pub(super) keys: usize,
    /// Different from that of every other version of this process.
    pub(super) number: u64,
}

/// What was seen of an environment at the last refresh.
pub(super) struct Seen {
    sources: Vec<Source>,
    identity: Option<Fingerprint>,
    /// Of the content that was read, where it was.
    digest: Option<[u8; 32]>,
    /// Whether the fingerprints tell of every change since.
    settled: bool,
    /// Until when the file is left as it is, where nothing changes.
    rests_until: Option<Instant>,
    /// Whether sops is being asked for the data key.
    pub(super) awaited: bool,
}

impl Seen {
    /// The same again.
    fn again(&self, sources: Vec<Source>, identity: Option<Fingerprint>) -> Self {
        let Self { digest, settled, rests_until, awaited, .. } = *self;
        Self { sources, identity, digest, settled, rests_until, awaited }
    }

    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|end| Instant::now() < end)
    }
}

/// How an environment is of which nothing is known yet.
const AWAITED: &str = "sops is being asked for the data key";

/// One environment that is looked at, and what is to become of it.
pub(super) struct Look<'a> {
    pub(super) options: &'a StoreOptions,
    pub(super) environment: &'a Environment,
    /// The number of the version, where there is a new one.
    pub(super) number: u64,
    pub(super) slot: &'a mut Slot,
    pub(super) report: &'a mut RefreshReport,
}

impl Look<'_> {
    /// Loads the environment where it may have changed.
    pub(super) fn at(self, sources: Vec<Source>, before: Option<&Seen>) -> Seen {
        let identity = self.options.identity_path(self.environment);
        let identity = identity.map(|path| Fingerprint::of(&path));
        let unchanged =
            before.is_some_and(|seen| seen.sources == sources && seen.identity == identity);
        if let Some(seen) = before.filter(|seen| unchanged && (seen.settled || seen.rests())) {
            return seen.again(sources, identity);
        }
        let now = SystemTime::now();
        let mut fingerprints = sources.iter().filter_map(Source::fingerprint).chain(&identity);
        let settled = fingerprints.all(|fingerprint| fingerprint.is_settled(now));
        let content = content(&sources);
        let digest = content.as_ref().ok().map(|(bytes, format)| digest(bytes, *format));
        // The same bytes with the same identity give the same answer. An identity file that was
        // written twice within its settling time is read again for as long.
        let identity_settled = identity.as_ref().is_none_or(|found| found.is_settled(now));
        let same = before.is_some_and(|seen| {
            seen.identity == identity
                && seen.digest == digest
                && digest.is_some()
                && (identity_settled || self.slot.error.is_none())
        });
        if same {
            drop(content);
            return Seen { sources, identity, digest, settled, rests_until: None, awaited: false };
        }
        let loaded =
            content.and_then(|(bytes, format)| self.options.open(self.environment, &bytes, format));
        // What may pass by itself is tried again at the next refresh.
        let passing = loaded.as_ref().is_err_and(|refusal| refusal.passing);
        let awaited = loaded.as_ref().is_err_and(|refusal| refusal.awaited);
        let rest = loaded.as_ref().err().map(|refusal| refusal.rest);
        let rests_until = rest.filter(|rest| !rest.is_zero()).map(|rest| Instant::now() + rest);
        if awaited {
            self.wait();
        } else {
            self.apply(loaded.map_err(|refusal| (refusal.fault, refusal.reason)));
        }
        let (digest, settled) = if passing { (None, false) } else { (digest, settled) };
        Seen { sources, identity, digest, settled, rests_until, awaited }
    }

    /// Leaves what is served as it is, until sops has answered.
    fn wait(self) {
        let Self { environment, slot, report, .. } = self;
        if slot.version.is_none() && slot.error.is_none() {
            slot.error = Some((FileFault::Refused, AWAITED.to_owned()));
            report.awaited.push(environment.clone());
        }
    }

    /// Puts what was loaded in the place of what is served, or writes down why not.
    fn apply(self, loaded: Result<EncryptedFile, (FileFault, String)>) {
        let Self { environment, number, slot, report, .. } = self;
        match loaded {
            Ok(file) => {
                let keys = file.keys().count();
                let mut warnings = file.warnings().to_vec();
                warnings.extend(slot.version.as_ref().and_then(|old| went_back(&old.file, &file)));
                report.loaded.push(Loaded { environment: environment.clone(), keys, warnings });
                let version = Version { file, keys, number };
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
}

impl StoreOptions {
    fn open(
        &self,
        environment: &Environment,
        bytes: &[u8],
        format: Format,
    ) -> Result<EncryptedFile, Refusal> {
        let identities = match (&self.shared, self.identity_path(environment)) {
            (_, Some(path)) => Arc::new(Identities::read(&path).map_err(|error| match error {
                IdentityError::Unreadable { .. } => Refusal::passing(error),
                error => Refusal::lasting(error),
            })?),
            (SharedIdentities::Given(identities), None) => Arc::clone(identities),
            (SharedIdentities::None, None) if self.key_service.is_some() => {
                Arc::new(Identities::none())
            }
            (SharedIdentities::None | SharedIdentities::File(_), None) => {
                let refusal = Refusal::lasting("no identity is configured for it");
                return Err(Refusal { fault: FileFault::NoIdentity, ..refusal });
            }
        };
        let keys = Keys { identities: &identities, service: self.key_service.as_deref() };
        EncryptedFile::open(bytes, format, keys, self.leave).map_err(Refusal::of_file)
    }

    /// The file that the environment's identities are read from, where it is one.
    fn identity_path(&self, environment: &Environment) -> Option<PathBuf> {
        let folder = self.identities_folder.as_ref();
        let own = folder.map(|folder| folder.join(format!("{environment}.txt")));
        // Also a dangling link is the environment's own: it never falls back to the shared ones.
        own.filter(|path| path.symlink_metadata().is_ok()).or_else(|| match &self.shared {
            SharedIdentities::File(path) => Some(path.clone()),
            SharedIdentities::None | SharedIdentities::Given(_) => None,
        })
    }
}

fn digest(bytes: &[u8], format: Format) -> [u8; 32] {
    let format = match format {
        Format::Yaml => b'y',
        Format::Json => b'j',
        Format::Dotenv => b'e',
        Format::Ini => b'i',
        Format::Binary => b'b',
    };
    Sha256::new().chain_update([format]).chain_update(bytes).finalize().into()
}

/// The bytes of an environment's one file.
fn content(sources: &[Source]) -> Result<(Cow<'_, [u8]>, Format), Refusal> {
    let [source] = sources else {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let names = names.join("; ");
        return Err(Refusal::lasting(format!("two files claim it: remove all but one of {names}")));
    };
    let format = Format::from_extension(&source.extension).map_err(Refusal::lasting)?;
    Ok((source.read()?, format))
}

/// A warning where a file is older than the one that it replaces.
fn went_back(old: &EncryptedFile, new: &EncryptedFile) -> Option<String> {
    let (old, new) = (old.last_modified(), new.last_modified());
    let earlier = new.parse::<Timestamp>().ok()? < old.parse::<Timestamp>().ok()?;
    earlier.then(|| {
        format!("lastmodified went back from {old} to {new}: an old version may have been put back")
    })
}
