//! Loading one environment where it may have changed.
//!
//! Invariant: a version that cannot be opened, or that nobody vouches for where somebody has to,
//! never displaces one that could.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::authorship::Alarm;
use super::candidate::{Candidate, Opened};
use super::file::EncryptedFile;
use super::identities::{Identities, IdentityError};
use super::identity_files::IdentityFiles;
use super::key_sources::{KeySources, ServiceFor};
use super::limits::MAX_KEPT_BYTES_OF_ALL;
use super::refusal::Refusal;
use super::report::{Failed, Loaded, RefreshReport};
use super::source::Source;
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

impl Slot {
    /// How much memory the values take that are served, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.version.as_ref().map_or(0, |version| version.file.kept())
    }
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
    /// Until when the file is left as it is, where nothing changes.
    rests_until: Option<Instant>,
    /// That sops is being asked for the data key, where it is.
    pub(super) awaited: Option<Awaited>,
    /// When a version was first refused since one last was not.
    refused_since: Option<Instant>,
}

/// That sops is being asked for a file's data key.
#[derive(Clone, Copy)]
pub(super) struct Awaited {
    since: Instant,
    /// The number of the last answer before the file was looked at.
    last_answer: u64,
}

impl Seen {
    /// The same again.
    fn again(&self, sources: Vec<Source>, around: Around) -> Self {
        let Self { digest, settled, rests_until, awaited, refused_since, .. } = *self;
        Self { sources, around, digest, settled, rests_until, awaited, refused_since }
    }

    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|end| Instant::now() < end)
    }
}

/// What the answer depends on beside the files.
#[derive(Clone, PartialEq, Eq)]
struct Around {
    /// Which file the identities are of, and which of those that it gave.
    identity: Option<(PathBuf, u64)>,
    signers: Option<Fingerprint>,
}

impl Around {
    fn is_settled(&self, now: SystemTime) -> bool {
        self.signers.as_ref().is_none_or(|found| found.is_settled(now))
    }
}

/// How an environment is of which nothing is known yet.
const AWAITED: &str = "sops is being asked for the data key";

/// One environment that is looked at, and what is to become of it.
pub(super) struct Look<'a> {
    pub(super) options: &'a StoreOptions,
    pub(super) identities: &'a IdentityFiles,
    /// When the look at all environments began.
    pub(super) now: Instant,
    pub(super) environment: &'a Environment,
    /// The number of the version, where there is a new one.
    pub(super) number: u64,
    /// How much memory the values of all other environments take, in bytes.
    pub(super) kept_of_others: usize,
    /// What is seen of the trusted signers, where a signature is asked for.
    pub(super) signers: Option<&'a Fingerprint>,
    /// The highest versions that were served.
    pub(super) marks: &'a mut VersionMarks,
    pub(super) slot: &'a mut Slot,
    pub(super) report: &'a mut RefreshReport,
}

impl Look<'_> {
    /// Loads the environment where it may have changed.
    pub(super) fn at(self, sources: Vec<Source>, before: Option<&Seen>) -> Seen {
        let identity = self.options.identity_path(self.environment);
        let identity = identity.map(|path| {
            let number = self.identities.number(&path);
            (path, number)
        });
        let around = Around { identity, signers: self.signers.cloned() };
        let unchanged = before.is_some_and(|seen| seen.sources == sources && seen.around == around);
        let last_answer = self.last_answer();
        let rests = |seen: &&Seen| {
            // Opening the file costs something too, and gives nothing before there is an answer.
            let waits = seen.awaited.is_some_and(|awaited| awaited.last_answer == last_answer);
            unchanged && (seen.settled || seen.rests() || waits)
        };
        if let Some(seen) = before.filter(rests) {
            if let Some(awaited) = seen.awaited {
                self.wait(awaited);
            }
            return seen.again(sources, around);
        }
        let now = SystemTime::now();
        let around_settled = around.is_settled(now);
        let settled = |source: &Source| source.fingerprints().all(|found| found.is_settled(now));
        let settled = around_settled && sources.iter().all(settled);
        let candidate = Candidate::read(&sources);
        let digest = candidate.as_ref().ok().map(Candidate::digest);
        let refused_since = before.and_then(|seen| seen.refused_since);
        // The same bytes with the same identity give the same answer. A file of signers that was
        // written twice within its settling time is read again for as long.
        let same = before.is_some_and(|seen| {
            seen.around == around
                && seen.digest == digest
                && digest.is_some()
                && (around_settled || self.slot.error.is_none())
        });
        if same {
            drop(candidate);
            let (rests_until, awaited) = (None, None);
            return Seen { sources, around, digest, settled, rests_until, awaited, refused_since };
        }
        let highest = self.marks.get(self.environment);
        let loaded = candidate.and_then(|candidate| {
            candidate.open(self.options, self.identities, self.environment, highest)
        });
        let loaded = loaded.and_then(|opened| self.fitting(opened));
        let refusal = loaded.as_ref().err();
        let awaited = refusal.is_some_and(|refusal| refusal.awaited).then(|| {
            let before = before.and_then(|seen| seen.awaited);
            Awaited { since: before.map_or_else(Instant::now, |before| before.since), last_answer }
        });
        let refused_since = match refusal {
            None => None,
            // It is none yet: whoever rewrites the file again and again gains no time by it.
            Some(Refusal { awaited: true, .. }) => refused_since,
            Some(_) => Some(refused_since.unwrap_or(self.now)),
        };
        let grace_ends = refusal.and_then(|refusal| Some(refused_since? + self.grace(refusal)));
        let waits = self.slot.version.is_some() && grace_ends.is_some_and(|end| self.now < end);
        let rest = refusal.map(|refusal| refusal.rest).filter(|rest| !rest.is_zero());
        let rests_until = rest.map(|rest| Instant::now() + rest);
        let rests_until = match grace_ends.filter(|_| waits) {
            Some(end) => rests_until.map(|rest| rest.min(end)),
            None => rests_until,
        };
        // What may pass by itself is tried again at the next refresh.
        let passing = waits || refusal.is_some_and(|refusal| refusal.passing);
        if let Some(awaited) = awaited {
            self.wait(awaited);
        } else if !waits {
            self.apply(loaded);
        }
        let (digest, settled) = if passing { (None, false) } else { (digest, settled) };
        Seen { sources, around, digest, settled, rests_until, awaited, refused_since }
    }

    /// How long what is served is left as it is without a word: a file that is written where it
    /// stands is half there for a moment, and may be there before its signature is.
    fn grace(&self, refusal: &Refusal) -> Duration {
        match refusal.alarm {
            // No file is on its way: they are wrong for all environments.
            Alarm::Signature if refusal.of_signers => Duration::ZERO,
            Alarm::Signature => self.options.authorship.signature_grace,
            Alarm::Refused | Alarm::Rollback | Alarm::Environment => self.options.settling,
        }
    }

    /// What was opened, where there is room for it beside all other environments.
    fn fitting(&self, opened: Opened) -> Result<Opened, Refusal> {
        if self.kept_of_others + opened.file.kept() > MAX_KEPT_BYTES_OF_ALL {
            return Err(Refusal::of_room(MAX_KEPT_BYTES_OF_ALL));
        }
        Ok(opened)
    }

    /// The number of the last answer of sops for the environment.
    fn last_answer(&self) -> u64 {
        let service = self.options.key_service.as_ref();
        service.map_or(0, |service| service.last_answer(self.environment))
    }

    /// Leaves what is served as it is, until sops has answered. That this takes long is told.
    fn wait(self, awaited: Awaited) {
        let patience = self.options.key_service.as_ref().map(|service| service.patience());
        let patience = patience.unwrap_or_default();
        if awaited.since.elapsed() >= patience {
            let seconds = patience.as_secs();
            self.apply(Err(Refusal::lasting(format!("sops has been asked for the data key for more than {seconds} s: look at whether it reaches the services of the file's keys, and how many keys the file lists; the file is opened once the data key is there"))));
            return;
        }
        let Self { environment, slot, report, .. } = self;
        if slot.version.is_none() && slot.error.is_none() {
            slot.error = Some((FileFault::Awaited, AWAITED.to_owned()));
            report.awaited.push(environment.clone());
        }
    }

    /// Puts what was loaded in the place of what is served, or writes down why not.
    fn apply(self, loaded: Result<Opened, Refusal>) {
        let Self { environment, number, slot, report, marks, .. } = self;
        match loaded {
            Ok(Opened { file, warnings, alarm, signer, mark }) => {
                marks.extend(mark.map(|mark| (environment.clone(), mark)));
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
    pub(super) fn open(
        &self,
        files: &IdentityFiles,
        environment: &Environment,
        source: &Source,
        bytes: &[u8],
    ) -> Result<EncryptedFile, Refusal> {
        let identities = match (&self.shared, self.identity_path(environment)) {
            (_, Some(path)) => files.of(&path).map_err(|error| match error {
                IdentityError::Unreadable { .. } => Refusal::passing(error),
                error => Refusal::lasting(error),
            })?,
            (SharedIdentities::Given(identities), None) => Arc::clone(identities),
            // What is wrong with the file, or which keys it is for, is told all the same.
            (SharedIdentities::None | SharedIdentities::File(_), None) => {
                Arc::new(Identities::none())
            }
        };
        let service = self.key_service.as_deref();
        let service =
            service.map(|service| ServiceFor { service, origin: &source.origin, environment });
        let keys = KeySources { identities: &identities, service };
        EncryptedFile::open(bytes, source.format, keys, self.leave).map_err(Refusal::of_file)
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

    /// Whether it has an identity that is its own.
    pub(super) fn has_own_identity(&self, environment: &Environment) -> bool {
        self.own_identity(environment).is_some()
    }
}
