//! A version that is older than one that was served, and the administrator's leave for one.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::commands::Subject;
use super::error::AuthorshipError;
use crate::domain::names::{Environment, InvalidName, Shown};
use crate::domain::versions::{Succession, VersionMark};

/// An older version that is taken on purpose: `{environment}@{lastmodified}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AcceptedVersion {
    /// Of what.
    pub environment: Environment,
    /// When it was saved.
    pub last_modified: Timestamp,
}

/// Why a text names no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptedVersionError {
    /// It has another form.
    #[error("a version is named ENVIRONMENT@LASTMODIFIED, prod@2026-11-30T12:00:00Z say")]
    Form,
    /// The environment is none.
    #[error(transparent)]
    Environment(#[from] InvalidName),
    /// The time is none.
    #[error("\"{0}\" is no time in the form of RFC 3339: copy it from `lastmodified` in the file")]
    Time(Shown),
}

impl FromStr for AcceptedVersion {
    type Err = AcceptedVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (environment, time) = text.split_once('@').ok_or(AcceptedVersionError::Form)?;
        let last_modified =
            time.parse().map_err(|_| AcceptedVersionError::Time(Shown::new(time)))?;
        Ok(Self { environment: environment.parse()?, last_modified })
    }
}

impl fmt::Display for AcceptedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.environment, self.last_modified)
    }
}

/// What is wrong with a version's age.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Objection {
    pub(in super::super) error: AuthorshipError,
    /// Whether the administrator takes the version all the same.
    pub(in super::super) accepted: bool,
}

/// What is wrong with a version's age, where something is: beside the highest that was served, at
/// `now`.
pub(in super::super) fn judge(
    subject: &Subject<'_>,
    found: &VersionMark,
    highest: Option<&VersionMark>,
    accepted: &BTreeSet<AcceptedVersion>,
    now: Timestamp,
) -> Option<Objection> {
    let name = found.last_modified;
    let environment = subject.environment.clone();
    let version = AcceptedVersion { environment, last_modified: name };
    let (accept, save) = (|| version.to_string(), || subject.rotate());
    let error = match found.after(highest, now) {
        Succession::Good => return None,
        Succession::Older(highest) => AuthorshipError::Older {
            highest: highest.to_string(),
            found: name.to_string(),
            undo: subject.undo("the newest version"),
            save: save(),
            accept: accept(),
        },
        Succession::OtherContent => {
            let (found, undo) = (name.to_string(), subject.undo("the version before"));
            AuthorshipError::OtherContent { found, undo, save: save(), accept: accept() }
        }
        // That no leave is given for: it would make all that is saved before that day older.
        Succession::Future(early) => {
            let wait = early.unsigned_abs();
            let error = AuthorshipError::Future { found: name.to_string(), save: save(), wait };
            return Some(Objection { error, accepted: false });
        }
    };
    Some(Objection { error, accepted: accepted.contains(&version) })
}

impl Objection {
    /// What the log is told where the administrator takes the version.
    pub(in super::super) fn as_warning(&self) -> String {
        format!("it is accepted though {}", self.error.fact())
    }
}

/// What the log is told of the accepted versions of an environment that take nothing: those that
/// are not of the file, or are of one to which there is no objection.
pub(in super::super) fn accepts_nothing(
    environment: &Environment,
    found: &VersionMark,
    objection: Option<&Objection>,
    accepted: &BTreeSet<AcceptedVersion>,
) -> Vec<String> {
    let saved = found.last_modified;
    let taken = objection.filter(|objection| objection.accepted).map(|_| saved);
    let of_it = accepted.iter().filter(|version| version.environment == *environment);
    let idle = of_it.filter(|version| Some(version.last_modified) != taken);
    idle.map(|version| {
        format!("VANTA_SOPS_ACCEPT_ROLLBACK names {version}, which is not needed for the file that is served, of {saved}: take it out")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::format::Format;
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn version(seconds: i64, content: u8) -> VersionMark {
        let last_modified = Timestamp::constant(seconds, 0);
        VersionMark { last_modified, digest: [content; 32] }
    }

    fn judged(found: VersionMark, accepted: &[&str]) -> Option<Objection> {
        let accepted = accepted.iter().map(|version| version.parse().unwrap()).collect();
        let highest = version(1_700_000_000, 1);
        let environment = "prod".parse().unwrap();
        let subject = Subject { environment: &environment, format: Format::Yaml, signed: false };
        judge(&subject, &found, Some(&highest), &accepted, NOW)
    }

    #[test]
    fn an_older_version_is_told_with_what_to_do() {
        assert_eq!(judged(version(1_700_000_000, 1), &[]), None);
        let objection = judged(version(1_600_000_000, 1), &[]).unwrap();
        assert!(!objection.accepted);
        let warning = objection.as_warning();
        let error = objection.error;
        insta::assert_snapshot!(error, @"lastmodified went back from 2023-11-14T22:13:20Z to 2020-09-13T12:26:40Z: an old version was put back. First look at who did that (`git log -p -- prod.enc.yaml`), and put the newest version back (`git checkout COMMIT -- prod.enc.yaml`). If the older one is meant, save it anew (`sops rotate -i prod.enc.yaml`), or name it in VANTA_SOPS_ACCEPT_ROLLBACK as prod@2020-09-13T12:26:40Z");
        insta::assert_snapshot!(warning, @"it is accepted though lastmodified went back from 2023-11-14T22:13:20Z to 2020-09-13T12:26:40Z: an old version was put back");
    }

    #[test]
    fn one_of_the_same_second_is_told_the_usual_reason_and_one_command_first() {
        let error = judged(version(1_700_000_000, 2), &[]).unwrap().error;
        insta::assert_snapshot!(error, @"lastmodified is still 2023-11-14T22:13:20Z though the content is another. If it was saved twice within one second, as by two `sops set`, save it once more: `sops rotate -i prod.enc.yaml`. Else it was changed without sops: look at who did that (`git log -p -- prod.enc.yaml`), and put the version before back (`git checkout COMMIT -- prod.enc.yaml`), or name this one in VANTA_SOPS_ACCEPT_ROLLBACK as prod@2023-11-14T22:13:20Z");
    }

    #[test]
    fn a_version_that_is_named_and_not_needed_is_told_of() {
        let prod: Environment = "prod".parse().unwrap();
        let told = |found: VersionMark, named: &str| {
            let accepted = BTreeSet::from([named.parse().unwrap()]);
            let objection = judged(found, &[named]);
            accepts_nothing(&prod, &found, objection.as_ref(), &accepted)
        };
        let (older, highest) = (version(1_600_000_000, 1), version(1_700_000_000, 1));
        assert!(told(older, "prod@2020-09-13T12:26:40Z").is_empty(), "it is needed");
        assert!(told(older, "dev@2020-09-13T12:26:40Z").is_empty(), "it is another's");
        insta::assert_snapshot!(told(highest, "prod@2020-09-13T12:26:40Z").join("\n"), @"VANTA_SOPS_ACCEPT_ROLLBACK names prod@2020-09-13T12:26:40Z, which is not needed for the file that is served, of 2023-11-14T22:13:20Z: take it out");
        assert_eq!(told(highest, "prod@2023-11-14T22:13:20Z").len(), 1);
        assert_eq!(told(older, "prod@2020-09-13T12:26:39Z").len(), 1);
    }

    #[test]
    fn just_the_version_that_is_named_is_accepted() {
        let older = version(1_600_000_000, 1);
        let accepts = |named| judged(older, &[named]).unwrap().accepted;
        assert!(accepts("prod@2020-09-13T12:26:40Z"));
        assert!(accepts("prod@2020-09-13T14:26:40+02:00"));
        assert!(!accepts("dev@2020-09-13T12:26:40Z"));
        assert!(!accepts("prod@2020-09-13T12:26:41Z"));
        let same_second = version(1_700_000_000, 2);
        assert!(judged(same_second, &["prod@2023-11-14T22:13:20Z"]).unwrap().accepted);
        let future = version(1_800_003_600, 2);
        assert!(!judged(future, &["prod@2027-01-15T09:00:00Z"]).unwrap().accepted);
    }

    #[test]
    fn what_names_no_version_says_so() {
        let refused = |text: &str| text.parse::<AcceptedVersion>().unwrap_err().to_string();
        assert!(refused("prod").contains("ENVIRONMENT@LASTMODIFIED"));
        assert!(refused("prod@yesterday").contains("\"yesterday\" is no time"));
        assert!(refused("Prod@2020-09-13T12:26:40Z").contains("Prod"));
    }
}
