//! Why an environment's file is not served, for those who ask and those who watch.

use std::time::Duration;

use super::authorship::{Alarm, AuthorshipError};
use super::error::FileError;
use crate::domain::ports::FileFault;

/// Why an environment cannot be loaded.
pub(super) struct Refusal {
    pub(super) reason: String,
    /// What callers are told of it.
    pub(super) fault: FileFault,
    /// What it is for whoever watches.
    pub(super) alarm: Alarm,
    pub(super) grace: Grace,
    pub(super) outlook: Outlook,
}

/// For how long nothing is said of it where an earlier version is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grace {
    /// Not at all: the file is whole, and says it itself; or it is wrong for all environments.
    None,
    /// For as long as the file may be half written.
    Settling,
    /// For as long as the signature may come after its file.
    Signature,
}

/// What may become of it where no file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It lasts.
    Lasting,
    /// It may pass, as a lack of file descriptors does: the file is tried again after a rest.
    Passing { rest: Duration },
    /// It is none yet: sops is being asked for the data key.
    Awaited,
}

/// The longest reason, in bytes: it is in the log, in `/readyz` and in events.
const MAX_REASON: usize = 2048;

/// How long a file rests for which sops could not decrypt the data key. How often sops itself is
/// asked is another matter; opening the file costs something too.
const REST_WITHOUT_DATA_KEY: Duration = Duration::from_secs(1);

/// How long a file rests for which there is no room.
const REST_WITHOUT_ROOM: Duration = Duration::from_mins(1);

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes them as they are")]
impl Refusal {
    pub(super) fn lasting(reason: impl ToString) -> Self {
        Self {
            reason: cut(reason.to_string()),
            fault: FileFault::Refused,
            alarm: Alarm::Refused,
            grace: Grace::Settling,
            outlook: Outlook::Lasting,
        }
    }

    pub(super) fn of_file(error: FileError) -> Self {
        let outlook = match (error.is_awaited(), error.is_passing()) {
            (true, _) => Outlook::Awaited,
            (false, true) => Outlook::Passing { rest: REST_WITHOUT_DATA_KEY },
            (false, false) => Outlook::Lasting,
        };
        let fault = error.fault();
        Self { fault, outlook, ..Self::lasting(error) }
    }

    pub(super) fn of_authorship(error: AuthorshipError) -> Self {
        let (alarm, rest) = (error.alarm(), error.rest());
        let of_signers = matches!(
            error,
            AuthorshipError::UnreadableSigners { .. }
                | AuthorshipError::BadSigners { .. }
                | AuthorshipError::NoSigners { .. }
        );
        let grace = match alarm {
            // No signature that comes later mends the signers.
            Alarm::Signature if of_signers => Grace::None,
            Alarm::Signature => Grace::Signature,
            // A file is whole once its MAC was found right, or its signature.
            Alarm::Rollback | Alarm::Environment => Grace::None,
            Alarm::Refused => Grace::Settling,
        };
        let outlook = if error.is_passing() { Outlook::Passing { rest } } else { Outlook::Lasting };
        Self { alarm, grace, outlook, ..Self::lasting(error) }
    }

    /// There is no room for what is served of it, and may be when other environments get smaller.
    pub(super) fn of_room(limit: usize) -> Self {
        let reason = format!(
            "with it, the values that are served of all environments would take more than {limit} bytes of memory: take out what is not needed, here or in others, or serve some of them from another vault; it is tried again by itself"
        );
        Self { outlook: Outlook::Passing { rest: REST_WITHOUT_ROOM }, ..Self::lasting(reason) }
    }

    pub(super) fn passing(reason: impl ToString) -> Self {
        let outlook = Outlook::Passing { rest: Duration::ZERO };
        Self { outlook, ..Self::lasting(reason) }
    }
}

fn cut(mut reason: String) -> String {
    if reason.len() > MAX_REASON {
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        reason.push('…');
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::super::authorship::WhyNamed;
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let Refusal { reason, .. } = Refusal::lasting("€".repeat(MAX_REASON));
        assert_eq!(reason, "€".repeat(MAX_REASON / 3) + "…");
        let whole = "x".repeat(MAX_REASON);
        assert_eq!(Refusal::lasting(&whole).reason, whole);
    }

    #[test]
    fn only_what_may_be_on_its_way_has_time() {
        let of = |error| Refusal::of_authorship(error).grace;
        let command = String::new;
        let (file, path) = (command(), std::path::PathBuf::new);
        assert_eq!(Refusal::lasting("half a file").grace, Grace::Settling);
        let missing = AuthorshipError::NotSigned { file, command: command() };
        assert_eq!(of(missing), Grace::Signature);
        assert_eq!(of(AuthorshipError::WrongSignature { command: command() }), Grace::Signature);
        let whole = [
            AuthorshipError::NoNameInBinary { why: WhyNamed::Always },
            AuthorshipError::SharedDataKey { others: command(), command: command() },
            AuthorshipError::Future { found: command(), save: command(), wait: Duration::ZERO },
            AuthorshipError::NoSigners { path: path() },
        ];
        for error in whole {
            assert_eq!(of(error), Grace::None);
        }
    }
}
