//! A file that may become the next version of an environment, once it is seen who wrote it.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::authorship::{
    Alarm, Authorship, AuthorshipError, Objection, Rollback, Signed, Subject, accepts_nothing,
    check_signature, judge, read_signature,
};
use super::file::EncryptedFile;
use super::format::Format;
use super::identity_files::IdentityFiles;
use super::identity_place::IdentityPlace;
use super::refusal::Refusal;
use super::source::Source;
use super::store::StoreOptions;
use crate::domain::names::Environment;
use crate::domain::versions::VersionMark;

/// How many files a text names that claim one environment.
const MOST_NAMED: usize = 5;

/// A file that may be served, and what is to be said of it.
pub(super) struct Opened {
    pub(super) file: EncryptedFile,
    /// The ConfigMap or the file that it is from, as people are told.
    pub(super) origin: Arc<str>,
    pub(super) warnings: Vec<String>,
    pub(super) alarm: Option<(Alarm, String)>,
    pub(super) signer: Option<String>,
    /// What is the highest version from now on.
    pub(super) mark: Option<VersionMark>,
    /// Where it is.
    pub(super) place: String,
    pub(super) format: Format,
}

/// An environment's file, and what is beside it.
pub(super) struct Candidate<'a> {
    source: &'a Source,
    /// Other files that claim the environment.
    others: Vec<&'a str>,
    bytes: Cow<'a, [u8]>,
    /// What its signature is, or why it cannot be read.
    signature: Result<Option<Cow<'a, [u8]>>, AuthorshipError>,
}

impl<'a> Candidate<'a> {
    /// Reads an environment's one file and its signature; where there are several, the one that is
    /// where it was served from before.
    pub(super) fn read(sources: &'a [Source], before: Option<&str>) -> Result<Self, Refusal> {
        let known = || sources.iter().find(|source| Some(source.name.as_str()) == before);
        let source = match sources {
            [source] => source,
            _ => known().ok_or_else(|| {
                let names = listed(sources.iter().map(|source| source.name.as_str()));
                Refusal::lasting(format!("two files claim it: remove all but one of {names}"))
            })?,
        };
        let others = sources.iter().filter(|other| other.name != source.name);
        let others = others.map(|other| other.name.as_str()).collect();
        let bytes = source.read()?;
        let signature = read_signature(source.signature.as_ref(), &source.name);
        Ok(Self { source, others, bytes, signature })
    }

    /// What is wrong where other files claim the environment.
    fn claimed(&self) -> Option<(Alarm, String)> {
        let Self { source: Source { name, .. }, others, .. } = self;
        let said = || {
            let others = listed(others.iter().copied());
            format!(
                "another file claims it and is not read: remove all but one of {name}, from which it was served before; {others}"
            )
        };
        (!others.is_empty()).then(|| (Alarm::Refused, said()))
    }

    /// Where the file is.
    pub(super) fn place(&self) -> &'a str {
        &self.source.name
    }

    /// Of all that the answer depends on in it.
    pub(super) fn digest(&self) -> [u8; 32] {
        // What follows the format cannot be taken for more of it.
        let file = Sha256::new().chain_update(self.source.format.extension()).chain_update([0]);
        let file = file.chain_update(&self.bytes).finalize();
        let signature = self.signature.as_ref().map(|bytes| bytes.as_ref().map(Sha256::digest));
        let signature = match signature {
            Ok(Some(digest)) => digest.into(),
            Ok(None) => [0; 32],
            Err(_) => [1; 32],
        };
        let digest = Sha256::new().chain_update(file).chain_update(signature);
        // They are an alarm, whatever is in them.
        let others = self.others.iter();
        let others =
            others.fold(digest, |digest, name| digest.chain_update(name).chain_update([0]));
        others.finalize().into()
    }

    /// The file, as refusals speak of it.
    fn subject<'s>(&self, environment: &'s Environment, authorship: &Authorship) -> Subject<'s> {
        let signed = authorship.trusted_signers.is_some();
        Subject { environment, format: self.source.format, signed }
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
        let file = self.subject(environment, authorship).file();
        let file = Signed { environment, file, bytes: &self.bytes };
        check_signature(signers, &file, signature.as_deref(), now).map(Some)
    }

    /// Opens the file where it is signed, and is what it should be beside the highest version that
    /// was served before, and the one that is served: it names its environment or not.
    pub(super) fn open(
        &self,
        options: &StoreOptions,
        identities: &IdentityFiles,
        place: &IdentityPlace,
        environment: &Environment,
        highest: Option<&VersionMark>,
        named_before: bool,
    ) -> Result<Opened, Refusal> {
        let authorship = &options.authorship;
        let now = Timestamp::now();
        let signer = self.check_signature(environment, authorship, now);
        let signer = signer.map_err(Refusal::of_authorship)?;
        let file = options.open(identities, place, environment, self.source, &self.bytes)?;
        let mut warnings = file.warnings().to_vec();

        let (own, keys) = (place.is_own, options.key_service.is_some());
        let subject = self.subject(environment, authorship);
        let asked = authorship.leaf.asks(own, keys);
        let named = file.environment().check(&subject, asked, named_before);
        named.map_err(Refusal::of_authorship)?;

        let (found, accepted) = (file.mark(), &authorship.accepted);
        let objection = judge(&subject, &found, highest, accepted, now);
        warnings.extend(accepts_nothing(environment, &found, objection.as_ref(), accepted));
        let mut alarm = self.claimed();
        match objection {
            None => {}
            Some(objection @ Objection { accepted: true, .. }) => {
                warnings.push(objection.as_warning());
            }
            Some(Objection { error, .. }) if authorship.rollback == Rollback::Deny => {
                return Err(Refusal::of_authorship(error));
            }
            Some(Objection { error, .. }) => {
                let claimed = alarm.map(|(_, claimed)| format!("; and {claimed}"));
                alarm = Some((error.alarm(), format!("{error}{}", claimed.unwrap_or_default())));
            }
        }
        let mark = file.mark().highest_with(highest, now);
        let Source { name, origin, format, .. } = self.source;
        let (place, origin, format) = (name.clone(), Arc::clone(origin), *format);
        Ok(Opened { file, origin, warnings, alarm, signer, mark, place, format })
    }
}

/// Some of the files, whose names hold commas.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MOST_NAMED);
    let names = names.take(MOST_NAMED).collect::<Vec<_>>().join("; ");
    if more == 0 { names } else { format!("{names}; and {more} more") }
}
