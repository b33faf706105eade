//! A version that is older than one that was served, and the administrator's leave for one.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

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
    environment: &Environment,
    found: &VersionMark,
    highest: Option<&VersionMark>,
    accepted: &BTreeSet<AcceptedVersion>,
    now: Timestamp,
) -> Option<Objection> {
    let name = found.last_modified;
    let version = AcceptedVersion { environment: environment.clone(), last_modified: name };
    let accept = || version.to_string();
    let error = match found.after(highest, now) {
        Succession::Good => return None,
        Succession::Older(highest) => AuthorshipError::Older {
            highest: highest.to_string(),
            found: name.to_string(),
            accept: accept(),
        },
        Succession::OtherContent => {
            AuthorshipError::OtherContent { found: name.to_string(), accept: accept() }
        }
        // That no leave is given for: it would make all that is saved before that day older.
        Succession::Future(early) => {
            let wait = early.unsigned_abs();
            let error = AuthorshipError::Future { found: name.to_string(), wait };
            return Some(Objection { error, accepted: false });
        }
    };
    Some(Objection { error, accepted: accepted.contains(&version) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn version(seconds: i64, content: u8) -> VersionMark {
        let last_modified = Timestamp::constant(seconds, 0);
        VersionMark { last_modified, digest: [content; 32] }
    }

    fn judged(found: VersionMark, accepted: &[&str]) -> Option<Objection> {
        let accepted = accepted.iter().map(|version| version.parse().unwrap()).collect();
        let highest = version(1_700_000_000, 1);
        judge(&"prod".parse().unwrap(), &found, Some(&highest), &accepted, NOW)
    }

    #[test]
    fn an_older_version_is_told_with_what_to_do() {
        assert_eq!(judged(version(1_700_000_000, 1), &[]), None);
        let Objection { error, accepted } = judged(version(1_600_000_000, 1), &[]).unwrap();
        assert!(!accepted);
        insta::assert_snapshot!(error, @"lastmodified went back from 2023-11-14T22:13:20Z to 2020-09-13T12:26:40Z: an old version was put back. If that is meant, save it anew (`sops rotate -i`), or name it in VANTA_SOPS_ACCEPT_ROLLBACK as prod@2020-09-13T12:26:40Z");
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
