//! Loading one environment where it may have changed.
//!
//! Invariant: a version that cannot be opened, or that nobody vouches for where somebody has to,
//! never displaces one that could.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

mod settle;

use super::authorship::{Alarm, Subject};
use super::candidate::{Candidate, Opened};
use super::data_keys::Claim;
use super::file::EncryptedFile;
use super::format::Format;
use super::identity_files::IdentityFiles;
use super::identity_place::{IdentityPlace, open_with};
use super::limits::MAX_KEPT_BYTES_OF_ALL;
use super::refusal::Refusal;
use super::report::Brief;
use super::source::Source;
use super::store::StoreOptions;
use crate::adapters::files::Fingerprint;
use crate::domain::data_keys::DataKeyCode;
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;
use crate::domain::versions::VersionMark;

pub(super) use settle::Settle;

/// One environment as it is served.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) version: Option<Arc<Version>>,
    /// Why the newest version is not served, where it is not.
    pub(super) unserved: Option<Unserved>,
}

/// Why the newest version is not served.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Unserved {
    pub(super) fault: FileFault,
    /// None while sops is being asked for the data key.
    pub(super) alarm: Option<Alarm>,
    pub(super) reason: String,
}

impl Slot {
    /// How much memory the values take that are served, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.version.as_ref().map_or(0, |version| version.file.kept())
    }

    /// What is wrong with the version that is served, for as long as it is.
    pub(super) fn served_alarm(&self) -> Option<&(Alarm, String)> {
        self.version.as_ref()?.alarm.as_ref()
    }

    /// What is wrong with the newest version, served or not.
    pub(super) fn newest_alarm(&self) -> Option<(Alarm, String)> {
        match &self.unserved {
            Some(unserved) => Some((unserved.alarm?, unserved.reason.clone())),
            None => self.served_alarm().cloned(),
        }
    }
}

pub(super) struct Version {
    pub(super) file: EncryptedFile,
    pub(super) keys: usize,
    /// The ConfigMap or the file that it is from, as people are told.
    pub(super) origin: Arc<str>,
    /// What is wrong with it though it is served, and why.
    pub(super) alarm: Option<(Alarm, String)>,
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
    /// That no version was good of late, where none was.
    spell: Option<Spell>,
    /// That it is refused for its data key alone, where it is.
    claim: Option<Claim>,
    /// Where it was found, where that is to be remembered.
    place: Option<String>,
}

/// That one version after the other was refused.
struct Spell {
    /// Since when.
    since: Instant,
    /// The gravest reason of which nothing was said yet, since it may have been half a file.
    untold: Option<(Alarm, String)>,
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
    fn again(self, sources: Vec<Source>, around: Around) -> Self {
        Self { sources, around, ..self }
    }

    /// That versions were refused of which nothing was said, where the file is gone now.
    pub(super) fn untold(self, environment: &Environment) -> Option<Brief> {
        self.spell?.brief(environment)
    }

    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|end| Instant::now() < end)
    }
}

impl Spell {
    /// What was never said, now that it is over.
    fn brief(self, environment: &Environment) -> Option<Brief> {
        let (alarm, reason) = self.untold?;
        Some(Brief { environment: environment.clone(), alarm, reason })
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

/// One environment that is looked at.
pub(super) struct Look<'a> {
    pub(super) options: &'a StoreOptions,
    pub(super) identities: &'a IdentityFiles,
    pub(super) environment: &'a Environment,
    /// How much memory the values of all other environments take, in bytes.
    pub(super) kept_of_others: usize,
    /// What is seen of the trusted signers, where a signature is asked for.
    pub(super) signers: Option<&'a Fingerprint>,
    /// The highest version that was served.
    pub(super) highest: Option<&'a VersionMark>,
    /// Where the file was that was served last.
    pub(super) place: Option<&'a str>,
    pub(super) slot: &'a Slot,
}

/// What came of the look, before it is seen beside those at other environments.
pub(super) enum Looked {
    /// It is as it was.
    Unchanged(Box<Seen>),
    /// Its file was opened, or was not.
    Read(Box<Read>),
}

/// What came of reading a file.
pub(super) struct Read {
    sources: Vec<Source>,
    around: Around,
    digest: Option<[u8; 32]>,
    settled: bool,
    last_answer: u64,
    loaded: Result<Opened, Refusal>,
    awaited_before: Option<Awaited>,
    spell: Option<Spell>,
    claim: Option<Claim>,
}

impl Look<'_> {
    /// Opens the environment's file where it may have changed.
    pub(super) fn at(self, sources: Vec<Source>, before: Option<Seen>) -> Looked {
        let place = self.options.identity_place(self.environment);
        let around = self.around(&place);
        let unchanged = |seen: &Seen| seen.sources == sources && seen.around == around;
        let service = self.options.key_service.as_ref();
        let last_answer = service.map_or(0, |service| service.last_answer(self.environment));
        let rests = |seen: &Seen| {
            // Opening the file costs something too, and gives nothing before there is an answer.
            let waits = seen.awaited.is_some_and(|awaited| awaited.last_answer == last_answer);
            unchanged(seen) && (seen.settled || seen.rests() || waits)
        };
        let before = match before {
            Some(seen) if rests(&seen) => {
                return Looked::Unchanged(Box::new(seen.again(sources, around)));
            }
            before => before,
        };
        let now = SystemTime::now();
        let around_settled = around.is_settled(now);
        let settled = |source: &Source| source.fingerprints().all(|found| found.is_settled(now));
        let settled = around_settled && sources.iter().all(settled);
        let candidate = Candidate::read(&sources, self.place);
        let digest = candidate.as_ref().ok().map(Candidate::digest);
        // The same bytes with the same identity give the same answer. A file of signers that was
        // written twice within its settling time is read again for as long.
        let same = |seen: &Seen| {
            seen.around == around
                && seen.digest == digest
                && digest.is_some()
                && (around_settled || self.slot.unserved.is_none())
        };
        let before = match before {
            Some(seen) if same(&seen) => {
                // It may be the same file in another place.
                let place = candidate.ok().map(|candidate| candidate.place().to_owned());
                let (rests_until, awaited) = (None, None);
                let seen = seen.again(sources, around);
                let seen = Seen { settled, rests_until, awaited, place, ..seen };
                return Looked::Unchanged(Box::new(seen));
            }
            before => before,
        };
        let (around, loaded) = match candidate {
            Ok(candidate) => self.open(&candidate, place),
            Err(refusal) => (around, Err(refusal)),
        };
        Looked::Read(Box::new(Read {
            sources,
            around,
            digest,
            settled,
            last_answer,
            loaded,
            awaited_before: before.as_ref().and_then(|seen| seen.awaited),
            spell: before.and_then(|seen| seen.spell),
            claim: None,
        }))
    }

    fn around(&self, place: &IdentityPlace) -> Around {
        let identity = place.path.as_ref();
        let identity = identity.map(|path| (path.clone(), self.identities.number(path)));
        Around { identity, signers: self.signers.cloned() }
    }

    fn open(
        &self,
        candidate: &Candidate<'_>,
        place: IdentityPlace,
    ) -> (Around, Result<Opened, Refusal>) {
        let Self { options, environment, .. } = self;
        let (highest, served) = (self.highest, self.slot.version.as_ref());
        let named = served.is_some_and(|version| version.file.environment().names_one());
        let (place, opened) = open_with(
            place,
            || options.identity_place(environment),
            |place| candidate.open(options, self.identities, place, environment, highest, named),
        );
        let comes_and_goes = || {
            let reason = "its identity file came or went each time that the file was opened";
            Err(Refusal::passing(reason))
        };
        let opened = opened.unwrap_or_else(comes_and_goes).and_then(|of| self.fitting(of));
        (self.around(&place), opened)
    }

    /// What was opened, where there is room for it beside all other environments.
    fn fitting(&self, opened: Opened) -> Result<Opened, Refusal> {
        if self.kept_of_others + opened.file.kept() > MAX_KEPT_BYTES_OF_ALL {
            return Err(Refusal::of_room(MAX_KEPT_BYTES_OF_ALL));
        }
        Ok(opened)
    }
}

impl Looked {
    /// Of the data key of a file that was opened and found good, and which version it is.
    pub(super) fn opened(&self) -> Option<(DataKeyCode, VersionMark)> {
        let Self::Read(read) = self else { return None };
        read.loaded.as_ref().ok().map(|of| (of.file.data_key_code(), of.file.mark()))
    }

    /// How much memory the values take of a file that was opened, in bytes.
    pub(super) fn kept(&self) -> Option<usize> {
        match self {
            Self::Unchanged(_) => None,
            Self::Read(read) => read.loaded.as_ref().ok().map(|of| of.file.kept()),
        }
    }

    /// That the file is refused for its data key alone, where it is.
    pub(super) fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Unchanged(seen) => seen.claim.as_ref(),
            Self::Read(read) => read.claim.as_ref(),
        }
    }

    /// Refuses a file that was found good, for its data key.
    pub(super) fn refuse(&mut self, refusal: Refusal, claim: Claim) {
        if let Self::Read(read) = self {
            read.loaded = Err(refusal);
            read.claim = Some(claim);
        }
    }

    /// Has the file opened anew at the next look, though it is as it was.
    pub(super) fn forget(&mut self) {
        if let Self::Unchanged(seen) = self {
            (seen.digest, seen.settled, seen.rests_until) = (None, false, None);
        }
    }

    /// What gives a file that was opened another data key.
    pub(super) fn rotate_command(&self, environment: &Environment, signed: bool) -> String {
        let opened = match self {
            Self::Unchanged(_) => None,
            Self::Read(read) => read.loaded.as_ref().ok(),
        };
        let format = opened.map_or(Format::Yaml, |opened| opened.format);
        Subject { environment, format, signed }.rotate()
    }
}
