//! Loading one environment where it may have changed.
//!
//! Invariant: a version that cannot be opened, or that nobody vouches for where somebody has to,
//! never displaces one that could.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::authorship::{
    Alarm, Authorship, AuthorshipError, RequireLeaf, Rollback, Signed, check_signature, command,
    judge, read_signature,
};
use super::file::{EncryptedFile, Format};
use super::identities::{Identities, IdentityError};
use super::report::{Failed, Loaded, RefreshReport};
use super::source::{Refusal, Source};
use super::store::{SharedIdentities, StoreOptions};
use crate::adapters::files::Fingerprint;
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;
use crate::domain::versions::VersionMarks;

/// One environment as it is served.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) version: Option<Arc<Version>>,
    pub(super) error: Option<(FileFault, String)>,
    /// What is wrong with the newest version, served or not.
    pub(super) alarm: Option<(Alarm, String)>,
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
    around: Around,
    /// Of the content that was read, where it was.
    digest: Option<[u8; 32]>,
    /// Whether the fingerprints tell of every change since.
    settled: bool,
    /// Since when a signature has not been that of its file.
    unsigned_since: Option<Instant>,
}

/// What the answer depends on beside the files.
#[derive(Clone, PartialEq, Eq)]
struct Around {
    identity: Option<Fingerprint>,
    signers: Option<Fingerprint>,
}

impl Around {
    fn is_settled(&self, now: SystemTime) -> bool {
        [&self.identity, &self.signers].into_iter().flatten().all(|found| found.is_settled(now))
    }
}

/// One environment that is looked at, and what is to become of it.
pub(super) struct Look<'a> {
    pub(super) options: &'a StoreOptions,
    pub(super) environment: &'a Environment,
    /// The number of the version, where there is a new one.
    pub(super) number: u64,
    /// What is seen of the trusted signers, where a signature is asked for.
    pub(super) signers: Option<&'a Fingerprint>,
    /// How many environments have no identity of their own.
    pub(super) sharing: usize,
    /// The highest versions that were served.
    pub(super) marks: &'a mut VersionMarks,
    pub(super) slot: &'a mut Slot,
    pub(super) report: &'a mut RefreshReport,
}

/// A file that may be served, and what is to be said of it.
struct Opened {
    file: EncryptedFile,
    warnings: Vec<String>,
    alarm: Option<(Alarm, String)>,
    signer: Option<String>,
}

impl Look<'_> {
    /// Loads the environment where it may have changed.
    pub(super) fn at(mut self, sources: Vec<Source>, before: Option<&Seen>) -> Seen {
        let identity = self.options.identity_path(self.environment);
        let identity = identity.map(|path| Fingerprint::of(&path));
        let around = Around { identity, signers: self.signers.cloned() };
        let unchanged = before.is_some_and(|seen| seen.sources == sources && seen.around == around);
        let unsigned_since = before.and_then(|seen| seen.unsigned_since);
        if let Some(seen) = before.filter(|seen| unchanged && seen.settled) {
            return Seen { sources, around, digest: seen.digest, settled: true, unsigned_since };
        }
        let now = SystemTime::now();
        let fingerprints = || sources.iter().flat_map(Source::fingerprints);
        let around_settled = around.is_settled(now);
        let settled = around_settled && fingerprints().all(|found| found.is_settled(now));
        let content = content(&sources);
        let digest = content.as_ref().ok().map(Content::digest);
        // The same bytes with the same identity give the same answer. An identity file that was
        // written twice within its settling time is read again for as long.
        let same = before.is_some_and(|seen| {
            seen.around == around
                && seen.digest == digest
                && digest.is_some()
                && (around_settled || self.slot.error.is_none())
        });
        if same {
            drop(content);
            return Seen { sources, around, digest, settled, unsigned_since };
        }
        let loaded = content.and_then(|content| self.open(&content));
        let unsigned = loaded.as_ref().is_err_and(|refusal| refusal.alarm == Alarm::Signature);
        let unsigned_since = unsigned.then(|| unsigned_since.unwrap_or_else(Instant::now));
        // A file may be there before its signature is: for as long it is as if it were not.
        let grace = self.options.authorship.signature_grace;
        let waits = self.slot.version.is_some()
            && unsigned_since.is_some_and(|since| since.elapsed() < grace);
        // What may pass by itself is tried again at the next refresh.
        let passing = waits || loaded.as_ref().is_err_and(|refusal| refusal.passing);
        if !waits {
            self.apply(loaded);
        }
        let (digest, settled) = if passing { (None, false) } else { (digest, settled) };
        Seen { sources, around, digest, settled, unsigned_since }
    }

    /// Opens the file, where it is signed, and what it should be.
    fn open(&mut self, content: &Content<'_>) -> Result<Opened, Refusal> {
        let Self { options, environment, .. } = *self;
        let authorship = &options.authorship;
        let now = Timestamp::now();
        let signer = content.check_signature(environment, authorship, now);
        let signer = signer.map_err(Refusal::of_authorship)?;
        let file = options.open(environment, &content.bytes, content.format)?;
        let highest = self.marks.get(environment);
        let mut warnings = file.warnings().to_vec();

        let wrong =
            judge(environment, &file.mark(false), highest, &authorship.accepted, now.as_second());
        let accepted = wrong.as_ref().is_some_and(|(_, accepted)| *accepted);
        let own = options.has_own_identity(environment);
        let named_before = highest.is_some_and(|highest| highest.named) && !accepted;
        let asked = authorship.leaf.asks(own, named_before);
        let named = file.environment().check(environment, &content.source.extension, asked);
        let named = named.map_err(Refusal::of_authorship)?;
        if !named && !own && self.sharing > 1 && authorship.leaf != RequireLeaf::Never {
            let command = command(environment, &content.source.extension);
            warnings.push(format!("it shares its identity with other environments and does not say which it is, so that their files could be put in its place: run `{command}`"));
        }

        let mut alarm = None;
        match wrong {
            None => {}
            Some((error, true)) => warnings.push(format!("it is accepted though {error}")),
            Some((error, false)) if authorship.rollback == Rollback::Deny => {
                return Err(Refusal::of_authorship(error));
            }
            Some((error, false)) => alarm = Some((error.alarm(), error.to_string())),
        }
        let mark = file.mark(named).highest_with(highest, now.as_second());
        self.marks.extend(mark.map(|mark| (environment.clone(), mark)));
        Ok(Opened { file, warnings, alarm, signer })
    }

    /// Puts what was loaded in the place of what is served, or writes down why not.
    fn apply(self, loaded: Result<Opened, Refusal>) {
        let Self { environment, number, slot, report, .. } = self;
        match loaded {
            Ok(Opened { file, warnings, alarm, signer }) => {
                let keys = file.keys().count();
                report.loaded.push(Loaded {
                    environment: environment.clone(),
                    keys,
                    warnings,
                    alarm: alarm.clone(),
                    signer,
                });
                let version = Version { file, keys, number };
                *slot = Slot { version: Some(Arc::new(version)), error: None, alarm };
            }
            Err(Refusal { reason, fault, alarm, .. }) => {
                let error = (fault, reason);
                if slot.error.as_ref() != Some(&error) {
                    report.failed.push(Failed {
                        environment: environment.clone(),
                        fault,
                        alarm,
                        reason: error.1.clone(),
                        serves_earlier: slot.version.is_some(),
                    });
                }
                slot.alarm = Some((alarm, error.1.clone()));
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
            (SharedIdentities::None | SharedIdentities::File(_), None) => {
                let refusal = Refusal::lasting("no identity is configured for it");
                return Err(Refusal { fault: FileFault::NoIdentity, ..refusal });
            }
        };
        EncryptedFile::open(bytes, format, &identities, self.leave).map_err(Refusal::of_file)
    }

    /// The file that the environment's identities are read from, where it is one.
    fn identity_path(&self, environment: &Environment) -> Option<PathBuf> {
        self.own_identity(environment).or_else(|| match &self.shared {
            SharedIdentities::File(path) => Some(path.clone()),
            SharedIdentities::None | SharedIdentities::Given(_) => None,
        })
    }

    /// The file of the identities that are the environment's own.
    fn own_identity(&self, environment: &Environment) -> Option<PathBuf> {
        let folder = self.identities_folder.as_ref();
        let own = folder.map(|folder| folder.join(format!("{environment}.txt")));
        // Also a dangling link is the environment's own: it never falls back to the shared ones.
        own.filter(|path| path.symlink_metadata().is_ok())
    }

    /// Whether no other environment's identities open the environment.
    pub(super) fn has_own_identity(&self, environment: &Environment) -> bool {
        self.own_identity(environment).is_some()
    }
}

/// An environment's one file, and what is beside it.
struct Content<'a> {
    source: &'a Source,
    bytes: Cow<'a, [u8]>,
    format: Format,
    /// What its signature is, or why it cannot be read.
    signature: Result<Option<Cow<'a, [u8]>>, AuthorshipError>,
}

impl Content<'_> {
    fn digest(&self) -> [u8; 32] {
        let format = match self.format {
            Format::Yaml => b'y',
            Format::Json => b'j',
        };
        let file = Sha256::new().chain_update([format]).chain_update(&self.bytes).finalize();
        let signature = self.signature.as_ref().map(|bytes| bytes.as_ref().map(Sha256::digest));
        let signature = match signature {
            Ok(Some(digest)) => digest.into(),
            Ok(None) => [0; 32],
            Err(_) => [1; 32],
        };
        Sha256::new().chain_update(file).chain_update(signature).finalize().into()
    }

    /// Who signed the file, where a signature is asked for.
    fn check_signature(
        &self,
        environment: &Environment,
        authorship: &Authorship,
        now: Timestamp,
    ) -> Result<Option<String>, AuthorshipError> {
        let Some(signers) = &authorship.trusted_signers else { return Ok(None) };
        let signature = self.signature.as_ref().map_err(Clone::clone)?;
        let file = Signed {
            environment,
            file: format!("{environment}.enc.{}", self.source.extension),
            bytes: &self.bytes,
        };
        check_signature(signers, &file, signature.as_deref(), now).map(Some)
    }
}

/// The content of an environment's one file.
fn content(sources: &[Source]) -> Result<Content<'_>, Refusal> {
    let [source] = sources else {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let names = names.join("; ");
        return Err(Refusal::lasting(format!("two files claim it: remove all but one of {names}")));
    };
    let format = Format::from_extension(&source.extension).map_err(Refusal::lasting)?;
    let bytes = source.read()?;
    let signature = read_signature(source.signature.as_ref(), &source.name);
    Ok(Content { source, bytes, format, signature })
}
