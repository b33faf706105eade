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
    /// Whether it is the trusted signers' fault, which no signature that comes later mends.
    pub(super) of_signers: bool,
    /// Whether it may pass without a change of any file, such as a lack of file descriptors.
    pub(super) passing: bool,
    /// Whether it is none yet: sops is being asked for the data key.
    pub(super) awaited: bool,
    /// How long it is left as it is where no file changes.
    pub(super) rest: Duration,
}

/// The longest reason, in bytes: it is in the log, in `/readyz` and in events.
const MAX_REASON: usize = 2048;

/// How long a file rests for which sops could not decrypt the data key. How often sops itself is
/// asked is another matter; opening the file costs something too.
const REST: Duration = Duration::from_secs(1);

/// How long a file rests for which there is no room.
const REST_WITHOUT_ROOM: Duration = Duration::from_mins(1);

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes them as they are")]
impl Refusal {
    pub(super) fn lasting(reason: impl ToString) -> Self {
        Self {
            reason: cut(reason.to_string()),
            fault: FileFault::Refused,
            alarm: Alarm::Refused,
            of_signers: false,
            passing: false,
            awaited: false,
            rest: Duration::ZERO,
        }
    }

    pub(super) fn of_file(error: FileError) -> Self {
        let (awaited, passing) = (error.is_awaited(), error.is_passing());
        let rest = if passing && !awaited { REST } else { Duration::ZERO };
        let fault = error.fault();
        Self { fault, passing: passing || awaited, awaited, rest, ..Self::lasting(error) }
    }

    pub(super) fn of_authorship(error: AuthorshipError) -> Self {
        let (alarm, passing, rest) = (error.alarm(), error.is_passing(), error.rest());
        let of_signers = matches!(
            error,
            AuthorshipError::UnreadableSigners { .. }
                | AuthorshipError::BadSigners { .. }
                | AuthorshipError::NoSigners { .. }
        );
        Self { alarm, of_signers, passing, rest, ..Self::lasting(error) }
    }

    /// There is no room for what is served of it, and may be when other environments get smaller.
    pub(super) fn of_room(limit: usize) -> Self {
        let reason = format!(
            "with it, the values that are served of all environments would take more than {limit} bytes of memory: take out what is not needed, here or in others, or serve some of them from another vault; it is tried again by itself"
        );
        Self { rest: REST_WITHOUT_ROOM, ..Self::passing(reason) }
    }

    pub(super) fn passing(reason: impl ToString) -> Self {
        Self { passing: true, ..Self::lasting(reason) }
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
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let Refusal { reason, .. } = Refusal::lasting("€".repeat(MAX_REASON));
        assert_eq!(reason, "€".repeat(MAX_REASON / 3) + "…");
        let whole = "x".repeat(MAX_REASON);
        assert_eq!(Refusal::lasting(&whole).reason, whole);
    }
}
