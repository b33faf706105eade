//! What to do about a file that is refused. tests/it/sops/remedies.rs does it, with real sops and
//! Git.

use super::error::ValueError;
use super::master_key::KeyError;

/// What brings a good version back. The first does nothing once the bad one is committed.
macro_rules! checkout {
    () => {
        "`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`"
    };
}

/// The same.
pub(super) const CHECKOUT: &str = checkout!();

/// What helps where a file is not as sops wrote it: every command of sops refuses such a file.
pub(super) const RESTORE: &str = concat!(
    "restore it from Git (",
    checkout!(),
    ") and make the change with `sops set` or `sops edit`"
);

/// What to do where sops never writes such a thing: it is there before the file is encrypted.
pub(super) const BEFORE: &str = "before you encrypt the file";

/// What to see to before a key of one's own is put into a file.
pub(super) const OWN: &str = "look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is";

/// What to do where no key opens a file.
pub(super) fn advice(reasons: &[KeyError]) -> String {
    if reasons.iter().any(|reason| matches!(reason, KeyError::Service { .. })) {
        "it is tried again by itself".to_owned()
    } else if reasons.iter().all(|reason| matches!(reason, KeyError::NoService { .. })) {
        format!(
            "{OWN}, allow a key in VANTA_SOPS_ALLOWED_KEYS (docs/keys.md), or encrypt the file for an age recipient too (`sops rotate -i --add-age RECIPIENT FILE`)"
        )
    } else {
        format!(
            "{OWN}, configure the identity of one of its recipients (VANTA_AGE_IDENTITIES_PATH, SOPS_AGE_KEY_FILE), or encrypt the file for one of yours too (`sops rotate -i --add-age RECIPIENT FILE`)"
        )
    }
}

/// Whether a name that a stranger may have chosen may stand in a command, between any quotes.
pub(super) fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// What to do with a key beside `data` in a binary file.
pub(super) fn take_out(key: &str) -> String {
    let name = key.trim_matches('"');
    if key.len() == name.len() + 2 && is_plain(name) {
        format!(
            "take it out, with `sops unset FILE '[\"{name}\"]'` where `sops set` put it in, by hand where it is plain"
        )
    } else {
        format!("restore the file ({CHECKOUT})")
    }
}

/// What to do where one value is not what it should be.
pub(super) fn remedy(reason: ValueError) -> &'static str {
    match reason {
        ValueError::NonceLength => "save it with sops",
        _ => RESTORE,
    }
}
